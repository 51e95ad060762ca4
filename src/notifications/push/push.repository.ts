import { Injectable } from '@nestjs/common';
import type { MessageType } from '../../chats/message.dto.js';
import { Database } from '../../infra/database/database.js';

/** Somebody with a push device to whom messages of a chat have been neither delivered nor pushed. */
export interface DueMemberRow {
  chat_id: string;
  user_id: string;
  last_seq: number;
}

/** What a person with a push device may be told of a chat. */
export interface DuePushRow {
  user_id: string;
  last_seq: number;
  /** What lies at or below has reached them before. */
  reached_seq: number;
  /** The newest message to tell of; null if none is wanted. */
  seq: number | null;
  mentioned: boolean;
}

export interface PushMessageRow {
  seq: number;
  type: MessageType;
  text: string | null;
  chat_name: string | null;
  sender_name: string | null;
  unread_count: number;
}

/** Who has a device that a push reaches; the session is looked at when it is sent. */
const HAS_PUSH = 'EXISTS (SELECT FROM device d WHERE d.user_id = m.user_id AND d.push_provider IS NOT NULL)';
/** What lies at or below has reached the person already, one way or the other. */
const REACHED = 'greatest(m.pushed_seq, m.delivered_seq, m.read_seq, m.cleared_seq, m.joined_seq)';
/** Of more messages than this that wait in a chat, the oldest are not looked at. */
const MAX_LOOKED_AT = 500;

/** What is worth a push to `m`: written by somebody else whom they have not blocked, and there to be seen. */
const WORTH_A_PUSH = `
  g.type <> 'SYSTEM' AND g.deleted_at IS NULL AND g.sender_id IS DISTINCT FROM m.user_id
  AND NOT is_hidden(m.user_id, g.chat_id, g.seq)
  AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = m.user_id AND b.blocked_id = g.sender_id)`;

@Injectable()
export class PushRepository {
  constructor(private readonly database: Database) {}

  /** The due members of these chats; nothing is looked at while nobody has a push device. */
  async listDueOf(chatIds: readonly string[]): Promise<DueMemberRow[]> {
    return this.database.query<DueMemberRow>(
      {
        name: 'push.list-due-of',
        text: `SELECT m.chat_id, m.user_id, c.last_seq
          FROM chat c
          JOIN member m ON m.chat_id = c.id AND m.left_at IS NULL AND c.last_seq > ${REACHED}
          WHERE c.id = ANY ($1::uuid[]) AND ${HAS_PUSH}
            AND (SELECT EXISTS (SELECT FROM device WHERE push_provider IS NOT NULL))`,
      },
      [chatIds],
    );
  }

  /**
   * Due members of all chats with activity after `since`, by chat and person. Reads through the chats, which are few
   * and short rows: an index on their activity would cost every send.
   *
   * @param after the last row of the page before
   */
  async listAllDue(
    since: Date,
    after: { chat_id: string; user_id: string } | null,
    limit: number,
  ): Promise<DueMemberRow[]> {
    return this.database.query<DueMemberRow>(
      {
        name: 'push.list-all-due',
        text: `SELECT m.chat_id, m.user_id, c.last_seq
          FROM chat c
          JOIN member m ON m.chat_id = c.id AND m.left_at IS NULL AND c.last_seq > ${REACHED}
          WHERE c.updated_at > $1 AND ${HAS_PUSH}
            AND ($2::uuid IS NULL OR (m.chat_id, m.user_id) > ($2::uuid, $3::uuid))
          ORDER BY m.chat_id, m.user_id
          LIMIT $4`,
      },
      [since, after?.chat_id ?? null, after?.user_id ?? null, limit],
    );
  }

  /** What to tell the due members of a chat: messages not older than `since`, and to who has muted it mentions alone. */
  async listDuePushes(chatId: string, since: Date, now: Date): Promise<DuePushRow[]> {
    return this.database.query<DuePushRow>(
      {
        name: 'push.list-due-pushes',
        text: `SELECT m.user_id, c.last_seq, ${REACHED} AS reached_seq, w.seq, w.mentioned
          FROM chat c
          JOIN member m ON m.chat_id = c.id AND m.left_at IS NULL AND c.last_seq > ${REACHED}
          CROSS JOIN LATERAL (
            SELECT CASE WHEN m.muted_until > $3 THEN max(g.seq) FILTER (WHERE m.user_id = ANY (g.mentions))
                ELSE max(g.seq) END AS seq,
              coalesce(bool_or(m.user_id = ANY (g.mentions)), false) AS mentioned
            FROM message g
            WHERE g.chat_id = c.id AND g.seq > greatest(${REACHED}, c.last_seq - ${MAX_LOOKED_AT})
              AND g.seq <= c.last_seq AND g.created_at > $2 AND ${WORTH_A_PUSH}) w
          WHERE c.id = $1 AND ${HAS_PUSH}`,
      },
      [chatId, since, now],
    );
  }

  /** These people have been told of the chat up to `seq`, or did not want to be. */
  async setPushed(chatId: string, userIds: readonly string[], seq: number): Promise<void> {
    await this.database.query(
      {
        name: 'push.set-pushed',
        text: `WITH told AS (
            SELECT user_id FROM member WHERE chat_id = $1 AND user_id = ANY ($2::uuid[])
            ORDER BY user_id FOR NO KEY UPDATE)
          UPDATE member m SET pushed_seq = greatest(m.pushed_seq, $3)
          FROM told WHERE m.chat_id = $1 AND m.user_id = told.user_id`,
      },
      [chatId, userIds, seq],
    );
  }

  /**
   * The newest message of `afterSeq < … <= seq` as one person is told of it, or null when none is wanted any more:
   * received, deleted, left, muted.
   */
  async findMessage(
    userId: string,
    chatId: string,
    afterSeq: number,
    seq: number,
    now: Date,
  ): Promise<PushMessageRow | null> {
    const rows = await this.database.query<PushMessageRow>(
      {
        name: 'push.find-message',
        text: `SELECT g.seq, g.type, g.text, c.name AS chat_name, u.name AS sender_name,
            c.last_seq - greatest(m.read_seq, m.cleared_seq, m.joined_seq) AS unread_count
          FROM chat c
          JOIN member m ON m.chat_id = c.id AND m.user_id = $1 AND m.left_at IS NULL
          JOIN message g ON g.chat_id = c.id AND g.seq > greatest($4, $3 - ${MAX_LOOKED_AT}) AND g.seq <= $3
          LEFT JOIN app_user u ON u.id = g.sender_id
          WHERE c.id = $2 AND g.seq > greatest(m.delivered_seq, m.read_seq, m.cleared_seq, m.joined_seq)
            AND (m.muted_until IS NULL OR m.muted_until <= $5 OR m.user_id = ANY (g.mentions))
            AND ${WORTH_A_PUSH}
          ORDER BY g.seq DESC LIMIT 1`,
      },
      [userId, chatId, seq, afterSeq, now],
    );
    return rows[0] ?? null;
  }
}
