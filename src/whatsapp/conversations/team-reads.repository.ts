import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';

/** What `mark_team_read` returns. */
export interface TeamReadRow {
  tenant_id: string;
  agents_seq: number;
  last_seq: number;
  read_seq: number;
  read_moved: boolean;
  /** The reader had noted the chat as unread. */
  mark_removed: boolean;
}

@Injectable()
export class TeamReadsRepository {
  constructor(private readonly database: Database) {}

  /** Commits a read in one statement; null for who is no agent. See the function's own comment for its promises. */
  async mark(chatId: string, userId: string, upToSeq: number): Promise<TeamReadRow | null> {
    const rows = await this.database.query<TeamReadRow>(
      { name: 'team-reads.mark', text: 'SELECT * FROM mark_team_read($1, $2, $3)' },
      [chatId, userId, upToSeq],
    );
    return rows[0] ?? null;
  }

  /** Takes away an agent's note that a conversation is unread; false if there was none. */
  async removeNote(chatId: string, userId: string): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'team-reads.remove-note',
        text: `UPDATE agent_chat SET marked_unread = false
          WHERE user_id = $1 AND chat_id = $2 AND marked_unread RETURNING 1`,
      },
      [userId, chatId],
    );
    return rows.length > 0;
  }
}
