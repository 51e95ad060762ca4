import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { MemberRole } from './chats.dto.js';
import type { MemberRow } from './chats.repository.js';
import type { MemberListPosition } from './members.repository.js';

/** Somebody who works for a tenant, and so is in all of its conversations. */
export interface AgentRow {
  tenant_id: string;
  user_id: string;
  role: MemberRole;
  joined_at: Date;
}

/** What an agent sets for themselves alone; absent means unchanged. */
export interface AgentSettings {
  mutedUntil?: Date | null;
  pinned?: boolean;
  archived?: boolean;
  markedUnread?: boolean;
  clearedSeq?: number;
}

export interface AgentCountRow {
  tenant_id: string;
  count: number;
}

/** Who is in the conversations of a tenant: its agents, and what each has set there for themselves. */
@Injectable()
export class AgentsRepository {
  constructor(private readonly database: Database) {}

  /** The first `limit` agents of each tenant, `firstUserId` before all others. */
  async listFirst(tenantIds: readonly string[], firstUserId: string, limit: number): Promise<AgentRow[]> {
    return this.database.query<AgentRow>(
      {
        name: 'agents.list-first',
        text: `SELECT a.tenant_id, a.user_id, a.role, a.joined_at
          FROM unnest($1::uuid[]) AS t (id)
          CROSS JOIN LATERAL (
            SELECT * FROM tenant_agent WHERE tenant_id = t.id AND left_at IS NULL
            ORDER BY user_id = $2 DESC, joined_at, user_id LIMIT $3) a
          ORDER BY a.user_id = $2 DESC, a.joined_at, a.user_id`,
      },
      [tenantIds, firstUserId, limit],
    );
  }

  /** How many agents each tenant has; one without any is left out. */
  async count(tenantIds: readonly string[]): Promise<AgentCountRow[]> {
    return this.database.query<AgentCountRow>(
      {
        name: 'agents.count',
        text: `SELECT tenant_id, count(*)::int AS count FROM tenant_agent
          WHERE tenant_id = ANY ($1::uuid[]) AND left_at IS NULL GROUP BY tenant_id`,
      },
      [tenantIds],
    );
  }

  /** Like `MembersRepository.list`, for a conversation of the tenant. */
  async list(
    tenantId: string,
    chatId: string,
    namePrefix: string,
    after: MemberListPosition | null,
    limit: number,
  ): Promise<MemberRow[]> {
    return this.database.query<MemberRow>(
      {
        name: 'agents.list',
        text: `SELECT $2::uuid AS chat_id, a.user_id, a.role, a.joined_at
          FROM tenant_agent a JOIN app_user u ON u.id = a.user_id
          WHERE a.tenant_id = $1 AND a.left_at IS NULL AND starts_with(u.name_key, $3)
            AND ($4::timestamptz IS NULL OR (a.joined_at, a.user_id) > ($4, $5::uuid))
          ORDER BY a.joined_at, a.user_id LIMIT $6`,
      },
      [tenantId, chatId, namePrefix, after?.joinedAt ?? null, after?.userId ?? null, limit],
    );
  }

  /** Sets what one agent has in a conversation for themselves. */
  async updateSettings(
    tx: PrismaTransaction,
    chatId: string,
    userId: string,
    changes: AgentSettings,
  ): Promise<void> {
    await tx.agentChat.upsert({
      where: { userId_chatId: { userId, chatId } },
      create: { userId, chatId, ...changes },
      update: changes,
    });
  }
}
