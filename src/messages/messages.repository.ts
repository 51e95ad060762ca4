import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { MessageType } from '../chats/message.dto.js';

/** An input of the SQL function `send_messages`, in its own spelling. */
export interface SendRow {
  chat_id: string;
  sender_id: string;
  key: string;
  type: MessageType;
  text: string | null;
  reply_to_seq: number | null;
  mentions: readonly string[] | null;
  forwarded: boolean;
}

export type SendOutcome =
  'CREATED' | 'REPEATED' | 'NOT_MEMBER' | 'BLOCKED' | 'REPLY_NOT_VISIBLE' | 'MENTION_NOT_MEMBER';

/** What `send_messages` returns for the input at place `ord` (from 1). */
export interface SentRow {
  ord: number;
  outcome: SendOutcome;
  seq: number;
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
  text: string | null;
  mentions: string[];
  reply_to_seq: number | null;
  forwarded: boolean;
  edited_at: Date | null;
  deleted_at: Date | null;
  created_at: Date;
  reply_sender_id: string | null;
  reply_type: MessageType | null;
  reply_text: string | null;
}

export interface RecipientReceiptRow {
  user_id: string;
  delivered_at: Date | null;
  read_at: Date | null;
}

/** A message with what it replies to; every reader of messages selects these columns. */
const MESSAGE_COLUMNS = `
  m.chat_id, m.seq, m.rev, m.sender_id, m.client_key, m.type, m.text, m.mentions, m.reply_to_seq, m.forwarded,
  m.edited_at, m.deleted_at, m.created_at,
  replied.sender_id AS reply_sender_id, replied.type AS reply_type,
  CASE WHEN replied.deleted_at IS NULL THEN replied.text END AS reply_text`;
const MESSAGE_FROM = `
  message m LEFT JOIN message replied ON replied.chat_id = m.chat_id AND replied.seq = m.reply_to_seq`;

const FORGET_STEP = 5_000;

@Injectable()
export class MessagesRepository {
  constructor(private readonly database: Database) {}

  /** Commits a batch of sends in one statement; see the function's own comment for its promises. */
  async sendBatch(rows: readonly SendRow[], at: Date): Promise<SentRow[]> {
    return this.database.query<SentRow>(
      { name: 'messages.send-batch', text: 'SELECT * FROM send_messages($1::json, $2)' },
      [JSON.stringify(rows), at],
    );
  }

  async findMessage(chatId: string, seq: number): Promise<MessageRow | null> {
    const rows = await this.database.query<MessageRow>(
      {
        name: 'messages.find',
        text: `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_FROM} WHERE m.chat_id = $1 AND m.seq = $2`,
      },
      [chatId, seq],
    );
    return rows[0] ?? null;
  }

  /** Messages at given addresses, in no order; addresses without a message are left out. */
  async listAt(chatIds: readonly string[], seqs: readonly number[]): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-at',
        text: `SELECT ${MESSAGE_COLUMNS} FROM unnest($1::uuid[], $2::int[]) AS a (chat_id, seq)
          JOIN message m ON m.chat_id = a.chat_id AND m.seq = a.seq
          LEFT JOIN message replied ON replied.chat_id = m.chat_id AND replied.seq = m.reply_to_seq`,
      },
      [chatIds, seqs],
    );
  }

  /** The newest `limit` messages with `firstSeq <= seq < beforeSeq`, newest first. */
  async listOlder(chatId: string, firstSeq: number, beforeSeq: number, limit: number): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-older',
        text: `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_FROM}
          WHERE m.chat_id = $1 AND m.seq >= $2 AND m.seq < $3 ORDER BY m.seq DESC LIMIT $4`,
      },
      [chatId, firstSeq, beforeSeq, limit],
    );
  }

  /** The oldest `limit` messages with `seq > afterSeq` and `seq >= firstSeq`, oldest first. */
  async listNewer(chatId: string, firstSeq: number, afterSeq: number, limit: number): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'messages.list-newer',
        text: `SELECT ${MESSAGE_COLUMNS} FROM ${MESSAGE_FROM}
          WHERE m.chat_id = $1 AND m.seq >= $2 AND m.seq > $3 ORDER BY m.seq LIMIT $4`,
      },
      [chatId, firstSeq, afterSeq, limit],
    );
  }

  /** Like `forgetSender`, a few thousand messages a transaction, so that nobody waits long for a row. */
  async forgetSenderInSteps(senderId: string): Promise<void> {
    for (;;) {
      const forgotten = await this.database.query(
        {
          name: 'messages.forget-sender-step',
          text: `UPDATE message m SET sender_id = NULL
            FROM (SELECT chat_id, seq FROM message WHERE sender_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED) t
            WHERE m.chat_id = t.chat_id AND m.seq = t.seq
            RETURNING m.seq`,
        },
        [senderId, FORGET_STEP],
      );
      if (forgotten.length < FORGET_STEP) return;
    }
  }

  /** Takes the sender's name off everything they wrote; the messages stay. */
  async forgetSender(tx: PrismaTransaction, senderId: string): Promise<void> {
    await tx.message.updateMany({ where: { senderId }, data: { senderId: null } });
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
