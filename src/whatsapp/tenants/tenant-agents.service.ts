import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { MemberBody, MemberRole } from '../../chats/chats.dto.js';
import { AgentsJoined, AgentsLeft } from '../../chats/chats.events.js';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { PrismaService, type PrismaTransaction } from '../../infra/database/prisma.service.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { Page } from '../../infra/http/envelope.js';
import type { PageQuery } from '../../infra/http/page.dto.js';
import { AccountRemoval, type AfterCommit } from '../../users/account-removal.js';
import { PublicUsers } from '../../users/public-users.service.js';
import { AgentChanges } from './agent-changes.js';
import { TenantAgentsRepository, type AgentRow } from './tenant-agents.repository.js';

/** Who works for a tenant, as its operator sees and changes it. */
@Injectable()
export class TenantAgentsService implements OnModuleInit {
  constructor(
    private readonly repository: TenantAgentsRepository,
    private readonly changes: AgentChanges,
    private readonly accountRemoval: AccountRemoval,
    private readonly prisma: PrismaService,
    private readonly publicUsers: PublicUsers,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
  ) {}

  onModuleInit(): void {
    this.accountRemoval.onDelete((tx, userId) => this.forget(tx, userId));
  }

  /** The present agents in the order of their coming. @throws AppError INVALID_CURSOR */
  async list(tenantId: string, { cursor, limit }: PageQuery): Promise<{ agents: MemberBody[]; page: Page }> {
    const scope = `agents:${tenantId}`;
    const position = cursor === undefined ? null : this.cursors.decode(scope, cursor);
    const after = position && { joinedAt: new Date(String(position[0])), userId: String(position[1]) };
    const rows = await this.repository.list(tenantId, after, limit + 1);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const nextCursor =
      last && rows.length > limit
        ? this.cursors.encode(scope, [last.joined_at.toISOString(), last.user_id])
        : null;
    return { agents: await this.view(tenantId, shown), page: { nextCursor } };
  }

  /**
   * Makes a person an agent, or gives one another role.
   *
   * @param role MEMBER for a new one and as it was for another, unless said otherwise
   * @throws AppError TENANT_NOT_FOUND, USER_NOT_FOUND
   */
  async add(
    tenantId: string,
    userId: string,
    role: MemberRole | undefined,
  ): Promise<{ agent: MemberBody; joined: boolean }> {
    const { row, seq } = await this.prisma.inTransaction(async (tx) => {
      const [found] = isId(userId) ? await this.repository.lockUsers(tx, [userId]) : [];
      if (found === undefined) throw new AppError('USER_NOT_FOUND');
      const joined = await this.changes.join(tx, tenantId, [userId], role ?? 'MEMBER');
      if (joined.userIds.length === 0 && role !== undefined) {
        await this.repository.setRole(tx, tenantId, userId, role);
      }
      const agent = await this.repository.find(tx, tenantId, userId);
      if (!agent) throw new Error('an agent who has just joined is gone');
      return { row: agent, seq: joined.userIds.length > 0 ? joined.seq : null };
    });
    if (seq !== null) this.events.publish(new AgentsJoined(tenantId, [userId], seq));
    const [agent] = await this.view(tenantId, [row]);
    if (!agent) throw new AppError('USER_NOT_FOUND');
    return { agent, joined: seq !== null };
  }

  /** @throws AppError TENANT_NOT_FOUND, MEMBER_NOT_FOUND */
  async remove(tenantId: string, userId: string): Promise<void> {
    if (!isId(userId)) throw new AppError('MEMBER_NOT_FOUND');
    const left = await this.prisma.inTransaction(async (tx) => {
      const done = await this.changes.leave(tx, tenantId, [userId]);
      if (done.userIds.length === 0) throw new AppError('MEMBER_NOT_FOUND');
      return done;
    });
    this.events.publish(new AgentsLeft(tenantId, left.userIds, left.seq));
  }

  private async forget(tx: PrismaTransaction, userId: string): Promise<AfterCommit> {
    const left: AgentsLeft[] = [];
    for (const tenantId of await this.repository.listTenantsOf(tx, userId)) {
      const { userIds, seq } = await this.changes.leave(tx, tenantId, [userId]);
      if (userIds.length > 0) left.push(new AgentsLeft(tenantId, userIds, seq));
    }
    await this.repository.forget(tx, userId);
    return () => {
      for (const event of left) this.events.publish(event);
    };
  }

  /** Pictures are signed for nobody in particular: the tenant is no reader of its own. */
  private async view(tenantId: string, rows: readonly AgentRow[]): Promise<MemberBody[]> {
    const users = await this.publicUsers.view(
      tenantId,
      rows.map((row) => row.user_id),
    );
    return rows.flatMap((row) => {
      const user = users.get(row.user_id);
      return user ? [{ user, role: row.role, joinedAt: row.joined_at.toISOString() }] : [];
    });
  }
}
