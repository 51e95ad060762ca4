import { Injectable } from '@nestjs/common';
import type { MessageStatus, MessageType, WhatsappErrorBody } from '../../chats/message.dto.js';
import type { MessageAddress } from '../../common/ids.js';
import { Database } from '../../infra/database/database.js';

/** A message that was not sent. */
export interface FailedRow {
  chat_id: string;
  seq: number;
  to: string | null;
  type: MessageType;
  text: string | null;
  status: MessageStatus;
  error: WhatsappErrorBody | null;
  attempts: number;
  created_at: Date;
}

interface AddressRow {
  chat_id: string;
  seq: number;
}

@Injectable()
export class SendRepository {
  constructor(private readonly database: Database) {}

  /** The message for which a key of the tenant's was used. */
  async findByKey(tenantId: string, key: string): Promise<MessageAddress | null> {
    const rows = await this.database.query<AddressRow>(
      {
        name: 'send.find-by-key',
        text: 'SELECT chat_id, seq FROM whatsapp_message WHERE tenant_id = $1 AND idempotency_key = $2',
      },
      [tenantId, key],
    );
    return toAddress(rows[0]);
  }

  /** The message that somebody sent with a client id of theirs. */
  async findByClientId(senderId: string, chatId: string, clientId: string): Promise<MessageAddress | null> {
    const rows = await this.database.query<AddressRow>(
      {
        name: 'send.find-by-client-id',
        text: 'SELECT chat_id, seq FROM message WHERE sender_id = $1 AND chat_id = $2 AND client_key = $3',
      },
      [senderId, chatId, `c:${clientId}`],
    );
    return toAddress(rows[0]);
  }

  /** The conversation that a customer of the tenant's has; of one that was merged away, that which goes on. */
  async findChatOf(tenantId: string, customerId: string): Promise<string | null> {
    const rows = await this.database.query<{ chat_id: string }>(
      {
        name: 'send.find-chat-of',
        text: `SELECT coalesce(k.merged_into_id, k.chat_id) AS chat_id FROM conversation k
          WHERE k.customer_id = $2 AND k.tenant_id = $1 LIMIT 1`,
      },
      [tenantId, customerId],
    );
    return rows[0]?.chat_id ?? null;
  }

  /** Whether a message of a conversation of the tenant's, which nobody has deleted, is there. */
  async isThere(tenantId: string, { chatId, seq }: MessageAddress): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'send.is-there',
        text: `SELECT 1 FROM conversation k JOIN message m ON m.chat_id = k.chat_id
          WHERE k.tenant_id = $1 AND k.chat_id = $2 AND m.seq = $3 AND m.deleted_at IS NULL AND m.type <> 'SYSTEM'`,
      },
      [tenantId, chatId, seq],
    );
    return rows.length > 0;
  }

  /** Whether a message of one of the tenant's conversations shows the medium. */
  async isMediumOf(tenantId: string, mediaId: string): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'send.is-medium-of',
        text: `SELECT 1 FROM message m JOIN conversation k ON k.chat_id = m.chat_id
          WHERE m.media_id = $2 AND m.deleted_at IS NULL AND k.tenant_id = $1 LIMIT 1`,
      },
      [tenantId, mediaId],
    );
    return rows.length > 0;
  }

  /**
   * What was not sent, or of which nobody knows, the newest first.
   *
   * @param before the last row of the page before
   */
  async listFailed(
    tenantId: string,
    before: { createdAt: Date; chatId: string; seq: number } | null,
    limit: number,
  ): Promise<FailedRow[]> {
    return this.database.query<FailedRow>(
      {
        name: 'send.list-failed',
        text: `SELECT w.chat_id, w.seq, w."to", m.type, m.text, w.status, w.error, w.attempts, m.created_at
          FROM whatsapp_message w JOIN message m ON m.chat_id = w.chat_id AND m.seq = w.seq
          WHERE w.tenant_id = $1 AND w.direction = 'OUT' AND (w.status = 'FAILED' OR w.dispatch = 'UNKNOWN')
            AND ($2::timestamptz IS NULL OR (m.created_at, m.chat_id, m.seq) < ($2, $3::uuid, $4::int))
          ORDER BY m.created_at DESC, m.chat_id DESC, m.seq DESC LIMIT $5`,
      },
      [tenantId, before?.createdAt ?? null, before?.chatId ?? null, before?.seq ?? null, limit],
    );
  }

  /** Puts a message that was not sent back into the queue; null when it is not one. Returns the tenant's `agents_seq`. */
  async retry(tenantId: string, { chatId, seq }: MessageAddress, at: Date): Promise<number | null> {
    const rows = await this.database.query<{ agents_seq: number }>(
      { name: 'send.retry', text: 'SELECT * FROM retry_send($1, $2, $3, $4)' },
      [tenantId, chatId, seq, at],
    );
    return rows[0]?.agents_seq ?? null;
  }
}

function toAddress(row: AddressRow | undefined): MessageAddress | null {
  return row ? { chatId: row.chat_id, seq: row.seq } : null;
}
