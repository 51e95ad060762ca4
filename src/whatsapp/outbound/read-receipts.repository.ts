import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';

/** The last message of a customer's that Meta is to be told of. */
export interface InboundRow {
  tenant_id: string;
  seq: number;
  wamid: string;
}

@Injectable()
export class ReadReceiptsRepository {
  constructor(private readonly database: Database) {}

  /** The last message of the customer's that the team has read, and Meta does not know of; null for none. */
  async findUntold(chatId: string): Promise<InboundRow | null> {
    const rows = await this.database.query<InboundRow>(
      {
        name: 'read-receipts.find-untold',
        text: `SELECT k.tenant_id, w.seq, w.wamid FROM conversation k
          JOIN LATERAL (
            SELECT m.seq, m.wamid FROM whatsapp_message m
            WHERE m.chat_id = k.chat_id AND m.seq > k.told_read_seq AND m.seq <= least(k.read_seq, k.last_inbound_seq)
              AND m.direction = 'IN' AND m.wamid IS NOT NULL AND NOT m.is_history
            ORDER BY m.seq DESC LIMIT 1) w ON true
          WHERE k.chat_id = $1`,
      },
      [chatId],
    );
    return rows[0] ?? null;
  }

  /** The last message of the customer's, while free text may be sent; null for none. */
  async findLastInbound(chatId: string, at: Date): Promise<InboundRow | null> {
    const rows = await this.database.query<InboundRow>(
      {
        name: 'read-receipts.find-last-inbound',
        text: `SELECT k.tenant_id, w.seq, w.wamid FROM conversation k
          JOIN whatsapp_message w ON w.chat_id = k.chat_id AND w.seq = k.last_inbound_seq
          WHERE k.chat_id = $1 AND k.window_expires_at > $2 AND w.wamid IS NOT NULL`,
      },
      [chatId, at],
    );
    return rows[0] ?? null;
  }

  /** Meta knows that the team has read up to there. */
  async setTold(chatId: string, seq: number): Promise<void> {
    await this.database.query(
      {
        name: 'read-receipts.set-told',
        text: 'UPDATE conversation SET told_read_seq = $2 WHERE chat_id = $1 AND told_read_seq < $2',
      },
      [chatId, seq],
    );
  }

  /** There is nothing that Meta could be told of up to there. */
  async setNothingToTell(chatId: string): Promise<void> {
    await this.database.query(
      {
        name: 'read-receipts.set-nothing-to-tell',
        text: `UPDATE conversation SET told_read_seq = least(read_seq, last_inbound_seq)
          WHERE chat_id = $1 AND told_read_seq < least(read_seq, last_inbound_seq)
            AND NOT EXISTS (
              SELECT FROM whatsapp_message m
              WHERE m.chat_id = $1 AND m.seq > told_read_seq AND m.seq <= least(read_seq, last_inbound_seq)
                AND m.direction = 'IN' AND m.wamid IS NOT NULL AND NOT m.is_history)`,
      },
      [chatId],
    );
  }

  /** Conversations of active tenants in which the team has read what Meta does not know of. */
  async listUntold(limit: number): Promise<string[]> {
    const rows = await this.database.query<{ chat_id: string }>(
      {
        name: 'read-receipts.list-untold',
        text: `SELECT k.chat_id FROM conversation k JOIN tenant t ON t.id = k.tenant_id
          WHERE k.told_read_seq < least(k.read_seq, k.last_inbound_seq)
            AND t.status = 'active' AND t.deleted_at IS NULL
          LIMIT $1`,
      },
      [limit],
    );
    return rows.map((row) => row.chat_id);
  }
}
