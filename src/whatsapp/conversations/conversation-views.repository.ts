import { Injectable } from '@nestjs/common';
import type { MessageStatus } from '../../chats/message.dto.js';
import type { MessageAddress } from '../../common/ids.js';
import { Database } from '../../infra/database/database.js';

/** A conversation as its agents see it. */
export interface ConversationViewRow {
  chat_id: string;
  tenant_id: string;
  customer_id: string;
  wa_id: string | null;
  user_id: string | null;
  phone: string | null;
  name: string | null;
  username: string | null;
  window_expires_at: Date | null;
  bot_paused: boolean;
}

/** What crossed Meta's wire with a message. */
export interface WhatsappFactsRow {
  chat_id: string;
  seq: number;
  direction: 'IN' | 'OUT';
  wamid: string | null;
  from: string | null;
  to: string | null;
  status: MessageStatus;
  sent_at: Date | null;
  error: unknown;
  payload: Record<string, unknown>;
}

/** When the customer of a message of the tenant's got and read it. */
export interface CustomerReceiptRow {
  customer_id: string;
  delivered_at: Date | null;
  read_at: Date | null;
}

@Injectable()
export class ConversationViewsRepository {
  constructor(private readonly database: Database) {}

  /** In no order; what is no conversation is left out. */
  async listConversations(chatIds: readonly string[]): Promise<ConversationViewRow[]> {
    return this.database.query<ConversationViewRow>(
      {
        name: 'conversation-views.list',
        text: `SELECT k.chat_id, k.tenant_id, k.customer_id, c.wa_id, c.user_id, c.phone, c.name, c.username,
            k.window_expires_at, k.bot_paused
          FROM conversation k JOIN customer c ON c.id = k.customer_id WHERE k.chat_id = ANY ($1::uuid[])`,
      },
      [chatIds],
    );
  }

  /** In no order; what did not cross WhatsApp is left out. */
  async listFacts(addresses: readonly MessageAddress[]): Promise<WhatsappFactsRow[]> {
    return this.database.query<WhatsappFactsRow>(
      {
        name: 'conversation-views.list-facts',
        text: `SELECT w.chat_id, w.seq, w.direction, w.wamid, w."from", w."to", w.status, w.sent_at, w.error, w.payload
          FROM unnest($1::uuid[], $2::int[]) AS a (chat_id, seq)
          JOIN whatsapp_message w ON w.chat_id = a.chat_id AND w.seq = a.seq`,
      },
      [addresses.map(({ chatId }) => chatId), addresses.map(({ seq }) => seq)],
    );
  }

  /** Of a message of the tenant's; null for any other. What was read has been delivered, also if that was never told. */
  async findReceipt({ chatId, seq }: MessageAddress): Promise<CustomerReceiptRow | null> {
    const rows = await this.database.query<CustomerReceiptRow>(
      {
        name: 'conversation-views.find-receipt',
        text: `SELECT k.customer_id, coalesce(w.delivered_at, w.read_at) AS delivered_at, w.read_at
          FROM whatsapp_message w JOIN conversation k ON k.chat_id = w.chat_id
          WHERE w.chat_id = $1 AND w.seq = $2 AND w.direction = 'OUT'`,
      },
      [chatId, seq],
    );
    return rows[0] ?? null;
  }
}
