import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { ChatType } from '../chats/chats.dto.js';
import type { MessageType } from '../chats/message.dto.js';

/** An input of the SQL function `send_messages`, in its own spelling. What is undefined costs it nothing to read. */
export interface SendRow {
  chat_id: string;
  sender_id: string;
  key: string;
  type: MessageType;
  text: string | undefined;
  /** What the message is found by (`searchTermsOf`), if by anything. */
  terms: string | undefined;
  media_id: string | undefined;
  reply_to_seq: number | undefined;
  mentions: readonly string[] | undefined;
  forwarded: true | undefined;
}

export type SendOutcome =
  | 'CREATED'
  | 'REPEATED'
  | 'NOT_MEMBER'
  | 'BLOCKED'
  | 'REPLY_NOT_VISIBLE'
  | 'MEDIA_NOT_VISIBLE'
  | 'MENTION_NOT_MEMBER'
  | 'NOT_ALL';

/** What `send_messages` returns for the input at place `ord` (from 1). */
export interface SentRow {
  ord: number;
  outcome: SendOutcome;
  seq: number;
  chat_type: ChatType;
  members_seq: number;
  reply_sender_id: string | null;
  reply_type: MessageType | null;
  reply_text: string | null;
  reply_deleted: boolean | null;
}

export interface MessageRow {
  chat_id: string;
  seq: number;
  rev: number;
  sender_id: string | null;
  client_key: string;
  type: MessageType;
  /** What it came or went through, if not between people. */
  channel: 'WHATSAPP' | null;
  text: string | null;
  media_id: string | null;
  mentions: string[];
  reply_to_seq: number | null;
  forwarded: boolean;
  edited_at: Date | null;
  deleted_at: Date | null;
  created_at: Date;
  reply_sender_id: string | null;
  reply_type: MessageType | null;
  reply_text: string | null;
  /** Whether the reader has starred it. */
  starred: boolean;
}

export interface ReactionRow {
  chat_id: string;
  seq: number;
  user_id: string;
  emoji: string;
}

/** The messages of a chat that a reader may see. */
export interface VisibleRange {
  chatId: string;
  firstSeq: number;
  /** The chat's last seq when the reader was found to be a member: what came after may not be theirs to see. */
  lastSeq: number;
}

export interface RecipientReceiptRow {
  user_id: string;
  delivered_at: Date | null;
  read_at: Date | null;
}

/**
 * A message as one reader ($1) has it, with what it replies to; every reader of messages selects these columns. What
 * the reader has hidden is left out.
 */
export const MESSAGE_COLUMNS = `
  m.chat_id, m.seq, m.rev, m.sender_id, m.client_key, m.type, m.channel, m.text, m.media_id, m.mentions,
  m.reply_to_seq, m.forwarded, m.edited_at, m.deleted_at, m.created_at, flag.starred_at IS NOT NULL AS starred,
  replied.sender_id AS reply_sender_id, replied.type AS reply_type,
  CASE WHEN replied.deleted_at IS NULL THEN replied.text END AS reply_text`;
export const MESSAGE_JOINS = `
  LEFT JOIN message replied ON replied.chat_id = m.chat_id AND replied.seq = m.reply_to_seq
  LEFT JOIN message_flag flag ON flag.user_id = $1 AND flag.chat_id = m.chat_id AND flag.seq = m.seq`;
export const NOT_HIDDEN = 'flag.hidden_at IS NULL';
const FIND_MESSAGE = `SELECT ${MESSAGE_COLUMNS} FROM message m ${MESSAGE_JOINS}
  WHERE m.chat_id = $2 AND m.seq = $3 AND ${NOT_HIDDEN}`;

@Injectable()
export class MessagesRepository {
  constructor(private readonly database: Database) {}

  /**
   * Commits a batch of sends in one statement; see the function's own comment for its promises.
   *
   * @param all one that is refused refuses all others
   */
  async sendBatch(rows: readonly SendRow[], at: Date, all = false): Promise<SentRow[]> {
    const mediaIds = rows.flatMap((row) => row.media_id ?? []);
    const hasMentions = rows.some((row) => row.mentions !== undefined);
    return this.database.query<SentRow>(
      { name: 'messages.send-batch', text: 'SELECT * FROM send_messages($1::json, $2, $3, $4, $5)' },
      [JSON.stringify(rows), at, mediaIds.length > 0 ? mediaIds : null, hasMentions, all],
    );
  }

  /** A message of the person's own, also if they have hidden it from themselves since. */
  async findSent(senderId: string, chatId: string, seq: number): Promise<MessageRow | null> {
    const rows = await this.database.query<MessageRow>(
      {
        name: 'messages.find-sent',
        text: `SELECT ${MESSAGE_COLUMNS} FROM message m ${MESSAGE_JOINS}
          WHERE m.chat_id = $2 AND m.seq = $3 AND m.sender_id = $1`,
      },
      [senderId, chatId, seq],
    );
    return rows[0] ?? null;
  }

  /** The message as the reader has it; null if there is none or the reader has hidden it. */
  async findMessage(readerId: string, chatId: string, seq: number): Promise<MessageRow | null> {
    const rows = await this.database.query<MessageRow>({ name: 'messages.find', text: FIND_MESSAGE }, [
      readerId,
      chatId,
      seq,
    ]);
    return rows[0] ?? null;
  }

  /** Like `findMessage`, as it stands in `tx`. */
  async findMessageIn(
    tx: PrismaTransaction,
    readerId: string,
    chatId: string,
    seq: number,
  ): Promise<MessageRow | null> {
    const rows = await tx.$queryRawUnsafe<MessageRow[]>(FIND_MESSAGE, readerId, chatId, seq);
    return rows[0] ?? null;
  }

  /** Whether the reader has deleted the message for themselves. */
  async isHidden(readerId: string, chatId: string, seq: number): Promise<boolean> {
    const rows = await this.database.query<{ hidden: boolean }>(
      { name: 'messages.is-hidden', text: 'SELECT is_hidden($1, $2, $3) AS hidden' },
      [readerId, chatId, seq],
    );
    return rows[0]?.hidden ?? false;
  }

  /** Messages at given addresses, in no order; addresses without a message, and hidden ones, are left out. */
  async listAt(readerId: string, chatIds: readonly string[], seqs: readonly number[]): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-at',
        text: `SELECT ${MESSAGE_COLUMNS} FROM unnest($2::uuid[], $3::int[]) AS a (chat_id, seq)
          JOIN message m ON m.chat_id = a.chat_id AND m.seq = a.seq ${MESSAGE_JOINS}
          WHERE ${NOT_HIDDEN}`,
      },
      [readerId, chatIds, seqs],
    );
  }

  /** The newest message of each chat with `firstSeq <= seq <= lastSeq` that the reader has not hidden. */
  async listNewest(
    readerId: string,
    heads: readonly { chatId: string; firstSeq: number; lastSeq: number }[],
  ): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-newest',
        text: `SELECT newest.* FROM unnest($2::uuid[], $3::int[], $4::int[]) AS a (chat_id, first_seq, last_seq)
          CROSS JOIN LATERAL (
            SELECT ${MESSAGE_COLUMNS} FROM message m ${MESSAGE_JOINS}
            WHERE m.chat_id = a.chat_id AND m.seq >= a.first_seq AND m.seq <= a.last_seq AND ${NOT_HIDDEN}
            ORDER BY m.seq DESC LIMIT 1) newest`,
      },
      [
        readerId,
        heads.map((head) => head.chatId),
        heads.map((head) => head.firstSeq),
        heads.map((head) => head.lastSeq),
      ],
    );
  }

  /** The newest `limit` messages of `range` with `seq < beforeSeq`, newest first. */
  async listOlder(
    readerId: string,
    range: VisibleRange,
    beforeSeq: number,
    limit: number,
  ): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-older',
        text: `SELECT ${MESSAGE_COLUMNS} FROM message m ${MESSAGE_JOINS}
          WHERE m.chat_id = $2 AND m.seq >= $3 AND m.seq <= $4 AND m.seq < $5 AND ${NOT_HIDDEN}
          ORDER BY m.seq DESC LIMIT $6`,
      },
      [readerId, range.chatId, range.firstSeq, range.lastSeq, beforeSeq, limit],
    );
  }

  /** The oldest `limit` messages of `range` with `seq > afterSeq`, oldest first. */
  async listNewer(
    readerId: string,
    range: VisibleRange,
    afterSeq: number,
    limit: number,
  ): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-newer',
        text: `SELECT ${MESSAGE_COLUMNS} FROM message m ${MESSAGE_JOINS}
          WHERE m.chat_id = $2 AND m.seq >= $3 AND m.seq <= $4 AND m.seq > $5 AND ${NOT_HIDDEN}
          ORDER BY m.seq LIMIT $6`,
      },
      [readerId, range.chatId, range.firstSeq, range.lastSeq, afterSeq, limit],
    );
  }

  /** The reactions to the messages at given addresses, the first given first. */
  async listReactions(chatIds: readonly string[], seqs: readonly number[]): Promise<ReactionRow[]> {
    return this.database.query<ReactionRow>(
      {
        name: 'messages.list-reactions',
        text: `SELECT r.chat_id, r.seq, r.user_id, r.emoji
          FROM unnest($1::uuid[], $2::int[]) AS a (chat_id, seq)
          JOIN reaction r ON r.chat_id = a.chat_id AND r.seq = a.seq
          ORDER BY r.rev`,
      },
      [chatIds, seqs],
    );
  }

  /** The reactions to one message, the first given first, as they stand in `tx`. */
  async listReactionsIn(tx: PrismaTransaction, chatId: string, seq: number): Promise<ReactionRow[]> {
    return tx.$queryRaw<ReactionRow[]>`
      SELECT chat_id, seq, user_id, emoji FROM reaction
      WHERE chat_id = ${chatId}::uuid AND seq = ${seq} ORDER BY rev`;
  }

  /** The present members who joined after a message, or have cleared it, and see no reply that quotes it. */
  async listBlindIn(tx: PrismaTransaction, chatId: string, seq: number): Promise<string[]> {
    const rows = await tx.$queryRaw<{ user_id: string }[]>`
      SELECT m.user_id FROM member m
      WHERE m.chat_id = ${chatId}::uuid AND m.left_at IS NULL AND greatest(m.joined_seq, m.cleared_seq) >= ${seq}
        AND NOT EXISTS (
          SELECT FROM message r
          WHERE r.chat_id = m.chat_id AND r.reply_to_seq = ${seq} AND r.seq > greatest(m.joined_seq, m.cleared_seq))`;
    return rows.map((row) => row.user_id);
  }

  /** Whether a block stands between the two people of a private chat, as it is in `tx`. */
  async isBlocked(tx: PrismaTransaction, chatId: string): Promise<boolean> {
    const rows = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM chat c
      JOIN block b ON (b.blocker_id = c.user_lo AND b.blocked_id = c.user_hi)
        OR (b.blocker_id = c.user_hi AND b.blocked_id = c.user_lo)
      WHERE c.id = ${chatId}::uuid`;
    return rows.length > 0;
  }

  /** Inserts a SYSTEM message as the next one of a chat, be it a conversation, whose lock `tx` holds. Returns its seq. */
  async insertSystem(
    tx: PrismaTransaction,
    chatId: string,
    clientKey: string,
    text: string,
    at: Date,
  ): Promise<number> {
    const rows = await tx.$queryRaw<{ seq: number }[]>`
      WITH counted AS (
        UPDATE chat SET last_seq = last_seq + 1, updated_at = greatest(updated_at, ${at}),
          changed_tx = pg_current_xact_id()
        WHERE id = ${chatId}::uuid RETURNING last_seq, updated_at
      ), followed AS (
        UPDATE conversation k SET last_seq = c.last_seq, active_at = c.updated_at, changed_tx = pg_current_xact_id()
        FROM counted c WHERE k.chat_id = ${chatId}::uuid
      )
      INSERT INTO message (chat_id, seq, client_key, type, text, mentions, created_at)
      SELECT ${chatId}::uuid, last_seq, ${clientKey}, 'SYSTEM', ${text}, '{}', ${at} FROM counted
      RETURNING seq`;
    const [row] = rows;
    if (!row) throw new Error('the chat of a SYSTEM message is gone');
    return row.seq;
  }

  /**
   * When each other present member received and read the message. A report's time is its receipt row's; sending
   * into the chat reads everything before, so the recipient's own first message after it counts as well, unless
   * it was read in silence: then the time of a shown report alone does.
   */
  async listRecipientReceipts(
    chatId: string,
    seq: number,
    senderId: string | null,
  ): Promise<RecipientReceiptRow[]> {
    return this.database.query<RecipientReceiptRow>(
      {
        name: 'messages.list-recipient-receipts',
        text: `SELECT o.user_id,
            CASE WHEN o.delivered_seq >= $2 THEN least(delivered.at, answered.at) END AS delivered_at,
            CASE WHEN o.shown_read_seq >= $2
              THEN least(seen.at, CASE WHEN o.silent_read_seq < $2 THEN answered.at END) END AS read_at
          FROM member o
          LEFT JOIN LATERAL (
            SELECT r.at FROM receipt r
            WHERE r.chat_id = $1 AND r.user_id = o.user_id AND r.kind = 'DELIVERED' AND r.through_seq >= $2
            ORDER BY r.through_seq LIMIT 1) delivered ON true
          LEFT JOIN LATERAL (
            SELECT r.at, r.through_seq FROM receipt r
            WHERE r.chat_id = $1 AND r.user_id = o.user_id AND r.kind = 'READ' AND r.through_seq >= $2
            ORDER BY r.through_seq LIMIT 1) seen ON true
          LEFT JOIN LATERAL (
            SELECT s.created_at AS at FROM message s
            WHERE s.chat_id = $1 AND s.seq > $2 AND s.seq <= coalesce(seen.through_seq, o.read_seq)
              AND s.sender_id = o.user_id
            ORDER BY s.seq LIMIT 1) answered ON true
          WHERE o.chat_id = $1 AND o.left_at IS NULL AND o.user_id IS DISTINCT FROM $3
            AND o.joined_seq < $2
          ORDER BY o.user_id`,
      },
      [chatId, seq, senderId],
    );
  }
}
