import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

export interface UnreadChatRow {
  chat_id: string;
  updated_at: Date;
  unread_count: number;
  mention_count: number;
}

/** Where a page of unread chats begins: after the chat with this last activity and id. */
export interface UnreadPosition {
  updatedAt: Date;
  id: string;
}

/**
 * The unread chats of $1, `m` with the mark `through` which they have been seen: those they are a member of, and the
 * conversations of their tenants, of which nothing is looked at but the unread ones. Nothing counts unread but the marks.
 */
const UNREAD = `
  FROM (
    SELECT m.user_id, c.id AS chat_id, c.updated_at, c.last_seq, seen.through
    FROM member m
    JOIN chat c ON c.id = m.chat_id
    CROSS JOIN LATERAL (SELECT greatest(m.read_seq, m.cleared_seq, m.joined_seq) AS through) seen
    WHERE m.user_id = $1 AND m.left_at IS NULL AND c.last_seq > seen.through
    UNION ALL
    SELECT a.user_id, k.chat_id, k.active_at, k.last_seq, seen.through
    FROM tenant_agent a
    JOIN conversation k ON k.tenant_id = a.tenant_id AND k.last_seq > k.read_seq
    LEFT JOIN agent_chat s ON s.user_id = a.user_id AND s.chat_id = k.chat_id
    CROSS JOIN LATERAL (SELECT greatest(k.read_seq, s.cleared_seq) AS through) seen
    WHERE a.user_id = $1 AND a.left_at IS NULL AND k.last_seq > seen.through) m`;

const UNREAD_CHAT = `
  m.chat_id, m.updated_at, m.last_seq - m.through AS unread_count,
  (SELECT count(*)::int FROM mention n
    JOIN message g ON g.chat_id = n.chat_id AND g.seq = n.seq AND g.deleted_at IS NULL
    WHERE n.user_id = m.user_id AND n.chat_id = m.chat_id AND n.seq > m.through
      AND NOT EXISTS (SELECT FROM message_flag f
        WHERE f.user_id = n.user_id AND f.chat_id = n.chat_id AND f.seq = n.seq AND f.hidden_at IS NOT NULL)
  ) AS mention_count`;

@Injectable()
export class NotificationsRepository {
  constructor(private readonly database: Database) {}

  /** Unread chats by last activity, newest first. */
  async listUnread(userId: string, after: UnreadPosition | null, limit: number): Promise<UnreadChatRow[]> {
    return this.database.query<UnreadChatRow>(
      {
        name: 'notifications.list-unread',
        text: `SELECT ${UNREAD_CHAT} ${UNREAD}
          WHERE $2::timestamptz IS NULL OR (m.updated_at, m.chat_id) < ($2::timestamptz, $3::uuid)
          ORDER BY m.updated_at DESC, m.chat_id DESC
          LIMIT $4`,
      },
      [userId, after?.updatedAt ?? null, after?.id ?? null, limit],
    );
  }

  /** Every unread chat, by last activity, newest first. */
  async listAllUnread(userId: string): Promise<UnreadChatRow[]> {
    return this.database.query<UnreadChatRow>(
      {
        name: 'notifications.list-all-unread',
        text: `SELECT ${UNREAD_CHAT} ${UNREAD} ORDER BY m.updated_at DESC, m.chat_id DESC`,
      },
      [userId],
    );
  }

  /** How many messages the person has not read, in all chats. */
  async countUnread(userId: string): Promise<number> {
    const rows = await this.database.query<{ count: number }>(
      {
        name: 'notifications.count-unread',
        text: `SELECT coalesce(sum(m.last_seq - m.through), 0)::int AS count ${UNREAD}`,
      },
      [userId],
    );
    return rows[0]?.count ?? 0;
  }
}
