import { Injectable } from '@nestjs/common';
import type { MemberRole } from '../../chats/chats.dto.js';
import { GroupChanges } from '../../chats/group-changes.js';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import type { PrismaTransaction } from '../../infra/database/prisma.service.js';
import { TenantAgentsRepository } from './tenant-agents.repository.js';

/** Who came or went, and the tenant's `agents_seq` since. Nobody: nothing was changed. */
export interface AgentChange {
  userIds: string[];
  seq: number;
}

/**
 * Changes who works for a tenant, in the caller's transaction, which publishes what has happened after it. Locks: the
 * people's rows come before the tenant's lock, and tenants are locked in the order of their ids.
 *
 * Every change is made under the tenant's lock and raises its `agents_seq`; the signals carry the new one, so whoever
 * tells the agents of something knows whether they have heard of all who came or went before it.
 */
@Injectable()
export class AgentChanges {
  constructor(
    private readonly repository: TenantAgentsRepository,
    private readonly clock: Clock,
  ) {}

  /** @throws AppError TENANT_NOT_FOUND */
  async join(
    tx: PrismaTransaction,
    tenantId: string,
    userIds: readonly string[],
    role: MemberRole,
  ): Promise<AgentChange> {
    const present = new Set(await this.lock(tx, tenantId));
    const newIds = userIds.filter((id) => !present.has(id));
    return this.change(tx, tenantId, newIds, 'joined', (seq, at) =>
      this.repository.join(tx, tenantId, newIds, role, seq, at),
    );
  }

  /** @param userIds null for all. @throws AppError TENANT_NOT_FOUND */
  async leave(
    tx: PrismaTransaction,
    tenantId: string,
    userIds: readonly string[] | null,
  ): Promise<AgentChange> {
    const present = await this.lock(tx, tenantId);
    const leaving = present.filter((id) => userIds?.includes(id) ?? true);
    return this.change(tx, tenantId, leaving, 'left', (seq, at) =>
      this.repository.leave(tx, tenantId, leaving, seq, at),
    );
  }

  private async lock(tx: PrismaTransaction, tenantId: string): Promise<string[]> {
    await this.repository.lockTenant(tx, tenantId);
    return this.repository.listPresent(tx, tenantId);
  }

  private async change(
    tx: PrismaTransaction,
    tenantId: string,
    userIds: string[],
    change: 'joined' | 'left',
    write: (seq: number, at: Date) => Promise<void>,
  ): Promise<AgentChange> {
    if (userIds.length === 0) return { userIds, seq: 0 };
    const seq = await this.repository.raiseSeq(tx, tenantId);
    if (seq === null) throw new AppError('TENANT_NOT_FOUND');
    await write(seq, this.clock.now());
    await GroupChanges.signal(tx, tenantId, userIds, change, seq);
    return { userIds, seq };
  }
}
