import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';

/** A conversation as somebody's list has it. */
export interface ListedConversationRow {
  chat_id: string;
  active_at: Date;
  last_seq: number;
  read_seq: number;
  cleared_seq: number;
  wa_id: string | null;
  name: string | null;
}

/** Where a page of conversations goes on: after the one with these values. */
export interface ConversationPosition {
  activeAt: Date;
  chatId: string;
}

export interface PlacedMessageRow {
  chat_id: string;
  seq: number;
  /** Decimal text. */
  place: string;
}

@Injectable()
export class ConversationListsRepository {
  constructor(private readonly database: Database) {}

  /**
   * The conversations of a tenant, the last active first; those that were merged into others are left out.
   *
   * @param agentId whose cleared messages are not theirs any more; null for the tenant's own system
   */
  async list(
    tenantId: string,
    agentId: string | null,
    after: ConversationPosition | null,
    limit: number,
  ): Promise<ListedConversationRow[]> {
    return this.database.query<ListedConversationRow>(
      {
        name: 'conversation-lists.list',
        text: `SELECT k.chat_id, k.active_at, k.last_seq, k.read_seq, coalesce(s.cleared_seq, 0) AS cleared_seq,
            u.wa_id, coalesce(u.name, u.username) AS name
          FROM (
            SELECT * FROM conversation
            WHERE tenant_id = $1 AND merged_into_id IS NULL
              AND ($3::timestamptz IS NULL OR (active_at, chat_id) < ($3, $4::uuid))
            ORDER BY active_at DESC, chat_id DESC LIMIT $5) k
          JOIN customer u ON u.id = k.customer_id
          LEFT JOIN agent_chat s ON s.user_id = $2 AND s.chat_id = k.chat_id
          ORDER BY k.active_at DESC, k.chat_id DESC`,
      },
      [tenantId, agentId, after?.activeAt ?? null, after?.chatId ?? null, limit],
    );
  }

  /** Where the newest messages of all conversations are, the last one first; without what the agent has cleared. */
  async listMessages(
    tenantId: string,
    agentId: string,
    before: string | null,
    limit: number,
  ): Promise<PlacedMessageRow[]> {
    return this.database.query<PlacedMessageRow>(
      {
        name: 'conversation-lists.list-messages',
        text: `SELECT w.chat_id, w.seq, w.place::text FROM whatsapp_message w
          LEFT JOIN agent_chat s ON s.user_id = $2 AND s.chat_id = w.chat_id
          WHERE w.tenant_id = $1 AND w.place < coalesce($3::bigint, 9223372036854775807)
            AND w.seq > coalesce(s.cleared_seq, 0)
          ORDER BY w.place DESC LIMIT $4`,
      },
      [tenantId, agentId, before, limit],
    );
  }
}
