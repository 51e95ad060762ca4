import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

/** The input of the SQL function `change_channel_message`, in its own spelling. */
export interface ChangeRow {
  tenant_id: string;
  phone_number_id: string;
  wamid: string;
  kind: 'EDIT' | 'REVOKE' | 'REACTION';
  target_wamid: string;
  direction: 'IN' | 'OUT';
  at: Date;
  change: object;
}

/** What `change_channel_message` returns for a change that could be seen. */
export interface ChangedRow {
  kind: 'EDIT' | 'REVOKE' | 'REACTION';
  chat_id: string;
  seq: number;
  rev: number;
  actor_id: string;
  emoji: string | null;
  action: 'added' | 'removed' | null;
  /** What a revoked message showed. */
  media_id: string | null;
  tenant_id: string;
  agents_seq: number;
}

/** What replaces a placeholder, in the spelling of the SQL function `complete_channel_message`. */
export interface FillRow {
  type: string;
  text: string | null;
  terms: string | null;
  payload: object;
  media_pending: boolean;
}

/** One of the three. */
export interface Completion {
  mediaId?: string;
  fill?: FillRow;
  error?: object;
}

export interface CompletedRow {
  rev: number;
  tenant_id: string;
  agents_seq: number;
}

@Injectable()
export class ChannelRevisionsRepository {
  constructor(private readonly database: Database) {}

  /** Commits in one statement; see the function's own comment for its promises. */
  async change(row: ChangeRow, at: Date): Promise<ChangedRow[]> {
    return this.database.query<ChangedRow>(
      {
        name: 'channel-revisions.change',
        text: 'SELECT * FROM change_channel_message($1::json, $2)',
      },
      [JSON.stringify(row), at],
    );
  }

  /** Commits in one statement; null when nothing changed. See the function's own comment for its promises. */
  async complete(
    chatId: string,
    seq: number,
    { mediaId, fill, error }: Completion,
  ): Promise<CompletedRow | null> {
    const rows = await this.database.query<CompletedRow>(
      {
        name: 'channel-revisions.complete',
        text: 'SELECT * FROM complete_channel_message($1, $2, $3, $4::json, $5::json)',
      },
      [
        chatId,
        seq,
        mediaId ?? null,
        fill ? JSON.stringify(fill) : null,
        error ? JSON.stringify(error) : null,
      ],
    );
    return rows[0] ?? null;
  }

  /** Forgets changes told before `until`, whose messages never came or whose order no longer matters. */
  async deleteOld(until: Date): Promise<void> {
    await this.database.query(
      { name: 'channel-revisions.delete-old', text: 'DELETE FROM channel_change WHERE received_at < $1' },
      [until],
    );
  }
}
