import { Injectable } from '@nestjs/common';
import type { MemberRole } from '../../chats/chats.dto.js';
import { Database } from '../../infra/database/database.js';
import type { PrismaTransaction } from '../../infra/database/prisma.service.js';

export interface AgentRow {
  user_id: string;
  role: MemberRole;
  joined_at: Date;
}

@Injectable()
export class TenantAgentsRepository {
  constructor(private readonly database: Database) {}

  /** A page of the present agents, in the order of their coming. */
  async list(
    tenantId: string,
    after: { joinedAt: Date; userId: string } | null,
    limit: number,
  ): Promise<AgentRow[]> {
    return this.database.query<AgentRow>(
      {
        name: 'tenant-agents.list',
        text: `SELECT a.user_id, a.role, a.joined_at FROM tenant_agent a
          WHERE a.tenant_id = $1 AND a.left_at IS NULL
            AND ($2::timestamptz IS NULL OR (a.joined_at, a.user_id) > ($2, $3::uuid))
          ORDER BY a.joined_at, a.user_id LIMIT $4`,
      },
      [tenantId, after?.joinedAt ?? null, after?.userId ?? null, limit],
    );
  }

  /** Keeps these accounts from being deleted until `tx` ends. @returns those there are */
  async lockUsers(tx: PrismaTransaction, userIds: readonly string[]): Promise<string[]> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM app_user WHERE id = ANY (${userIds}::uuid[]) ORDER BY id FOR KEY SHARE`;
    return rows.map((row) => row.id);
  }

  /** Like `lockUsers`, of everybody who has an account. */
  async lockEverybody(tx: PrismaTransaction): Promise<string[]> {
    const rows = await tx.$queryRaw<{ id: string }[]>`SELECT id FROM app_user ORDER BY id FOR KEY SHARE`;
    return rows.map((row) => row.id);
  }

  /**
   * Waits until nobody tells the tenant's agents of anything, and lets nobody begin until `tx` ends. Comes before
   * whatever changes who they are.
   */
  async lockTenant(tx: PrismaTransaction, tenantId: string): Promise<void> {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(lock_tenant_key(${tenantId}::uuid))`;
  }

  /** @returns the tenant's new `agents_seq`, or null when it is deleted */
  async raiseSeq(tx: PrismaTransaction, tenantId: string): Promise<number | null> {
    const rows = await tx.$queryRaw<{ agents_seq: number }[]>`
      UPDATE tenant SET agents_seq = agents_seq + 1 WHERE id = ${tenantId}::uuid AND deleted_at IS NULL
      RETURNING agents_seq`;
    return rows[0]?.agents_seq ?? null;
  }

  async find(tx: PrismaTransaction, tenantId: string, userId: string): Promise<AgentRow | null> {
    const rows = await tx.$queryRaw<AgentRow[]>`
      SELECT user_id, role, joined_at FROM tenant_agent
      WHERE tenant_id = ${tenantId}::uuid AND user_id = ${userId}::uuid AND left_at IS NULL`;
    return rows[0] ?? null;
  }

  async listPresent(tx: PrismaTransaction, tenantId: string): Promise<string[]> {
    const rows = await tx.$queryRaw<{ user_id: string }[]>`
      SELECT user_id FROM tenant_agent WHERE tenant_id = ${tenantId}::uuid AND left_at IS NULL`;
    return rows.map((row) => row.user_id);
  }

  /** Of people who are no agents at present: those who have left come back. */
  async join(
    tx: PrismaTransaction,
    tenantId: string,
    userIds: readonly string[],
    role: MemberRole,
    seq: number,
    at: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      INSERT INTO tenant_agent (tenant_id, user_id, role, joined_at, joined_seq)
      SELECT ${tenantId}::uuid, u.id, ${role}::member_role, ${at}, ${seq}::int
      FROM unnest(${userIds}::uuid[]) AS u (id)
      ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role, joined_at = excluded.joined_at,
        joined_seq = excluded.joined_seq, left_at = NULL, left_seq = NULL, joined_tx = pg_current_xact_id()`;
  }

  async setRole(tx: PrismaTransaction, tenantId: string, userId: string, role: MemberRole): Promise<void> {
    await tx.$executeRaw`
      UPDATE tenant_agent SET role = ${role}::member_role
      WHERE tenant_id = ${tenantId}::uuid AND user_id = ${userId}::uuid AND left_at IS NULL`;
  }

  async leave(
    tx: PrismaTransaction,
    tenantId: string,
    userIds: readonly string[],
    seq: number,
    at: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE tenant_agent SET left_at = ${at}, left_seq = ${seq}::int
      WHERE tenant_id = ${tenantId}::uuid AND user_id = ANY (${userIds}::uuid[])`;
  }

  /** The tenants that a person works for, in the order in which they are to be locked. */
  async listTenantsOf(tx: PrismaTransaction, userId: string): Promise<string[]> {
    const rows = await tx.$queryRaw<{ tenant_id: string }[]>`
      SELECT tenant_id FROM tenant_agent WHERE user_id = ${userId}::uuid AND left_at IS NULL ORDER BY tenant_id`;
    return rows.map((row) => row.tenant_id);
  }

  /** Removes every trace that a person was an agent. */
  async forget(tx: PrismaTransaction, userId: string): Promise<void> {
    await tx.$executeRaw`DELETE FROM tenant_agent WHERE user_id = ${userId}::uuid`;
    await tx.$executeRaw`DELETE FROM agent_chat WHERE user_id = ${userId}::uuid`;
  }

  /** The tenants of which everybody is an agent, in the order in which they are to be locked. */
  async listOfEveryone(tx: PrismaTransaction): Promise<string[]> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM tenant WHERE everyone_is_agent AND deleted_at IS NULL ORDER BY id`;
    return rows.map((row) => row.id);
  }
}
