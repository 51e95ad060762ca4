import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { ChatType } from '../chats/chats.dto.js';

/** An input of the SQL function `advance_marks`, in its own spelling. */
export interface MarkRow {
  chat_id: string;
  user_id: string;
  delivered: number | null;
  read: number | null;
}

/** What `advance_marks` returns for the input at place `ord` (from 1). */
export interface AdvancedRow {
  ord: number;
  is_member: boolean;
  chat_type: ChatType;
  delivered_seq: number;
  read_seq: number;
  delivered_moved: boolean;
  read_moved: boolean;
  read_shown: boolean;
  /** The person had marked the chat as unread, and has now read it. */
  mark_removed: boolean;
}

@Injectable()
export class ReceiptsRepository {
  constructor(private readonly database: Database) {}

  /** Moves a batch of marks forward in one statement; no (chat, user) may stand in it twice. */
  async advance(rows: readonly MarkRow[], at: Date): Promise<AdvancedRow[]> {
    return this.database.query<AdvancedRow>(
      { name: 'receipts.advance', text: 'SELECT * FROM advance_marks($1::json, $2)' },
      [JSON.stringify(rows), at],
    );
  }

  /** The chats in which something waits to be delivered to the person. */
  async listUndelivered(userId: string): Promise<string[]> {
    const rows = await this.database.query<{ chat_id: string }>(
      {
        name: 'receipts.list-undelivered',
        text: `SELECT m.chat_id FROM member m JOIN chat c ON c.id = m.chat_id
          WHERE m.user_id = $1 AND m.left_at IS NULL AND m.delivered_seq < c.last_seq`,
      },
      [userId],
    );
    return rows.map((row) => row.chat_id);
  }
}
