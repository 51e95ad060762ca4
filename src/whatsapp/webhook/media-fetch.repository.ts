import { Injectable } from '@nestjs/common';
import type { MessageAddress } from '../../common/ids.js';
import { Database } from '../../infra/database/database.js';

/** A message whose file is still to be fetched. */
export interface AwaitedFileRow {
  tenant_id: string;
  payload: Record<string, unknown>;
  sent_at: Date | null;
  created_at: Date;
  /** This one included. */
  attempts: number;
}

@Injectable()
export class MediaFetchRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes a message's file up for this process until `until`; null when there is nothing to fetch, or another does.
   */
  async claim({ chatId, seq }: MessageAddress, at: Date, until: Date): Promise<AwaitedFileRow | null> {
    const rows = await this.database.query<AwaitedFileRow>(
      {
        name: 'media-fetch.claim',
        text: `UPDATE whatsapp_message w SET attempts = w.attempts + 1, next_attempt_at = $4
          FROM message m
          WHERE w.chat_id = $1 AND w.seq = $2 AND w.media_pending AND m.chat_id = w.chat_id AND m.seq = w.seq
            AND (w.next_attempt_at IS NULL OR w.next_attempt_at <= $3)
          RETURNING w.tenant_id, w.payload, w.sent_at, m.created_at, w.attempts`,
      },
      [chatId, seq, at, until],
    );
    return rows[0] ?? null;
  }

  /** Notes when it is to be tried again. */
  async postpone({ chatId, seq }: MessageAddress, until: Date): Promise<void> {
    await this.database.query(
      {
        name: 'media-fetch.postpone',
        text: `UPDATE whatsapp_message SET next_attempt_at = $3
          WHERE chat_id = $1 AND seq = $2 AND media_pending`,
      },
      [chatId, seq, until],
    );
  }

  /** Messages whose files are due, at most `limit`. */
  async listDue(at: Date, limit: number): Promise<{ chat_id: string; seq: number; attempts: number }[]> {
    return this.database.query(
      {
        name: 'media-fetch.list-due',
        text: `SELECT chat_id, seq, attempts FROM whatsapp_message
          WHERE media_pending AND (next_attempt_at IS NULL OR next_attempt_at <= $1)
          ORDER BY chat_id, seq LIMIT $2`,
      },
      [at, limit],
    );
  }
}
