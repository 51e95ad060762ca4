import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import { MESSAGE_COLUMNS, NOT_HIDDEN, type MessageRow } from './messages.repository.js';

/** A starred message, with when it was starred and the reader's own marks in its chat. */
export interface StarredRow extends MessageRow {
  starred_at: Date;
  my_delivered_seq: number;
  my_read_seq: number;
}

/** Where a page of starred messages starts: after this one. */
export interface StarPosition {
  starredAt: Date;
  chatId: string;
  seq: number;
}

/** What one person has done to a message for themselves alone. */
@Injectable()
export class FlagsRepository {
  constructor(private readonly database: Database) {}

  /** Deletes a message for one person, and their star with it; false if it was already. */
  async hide(tx: PrismaTransaction, userId: string, row: MessageRow, at: Date): Promise<boolean> {
    const changed = await tx.$executeRaw`
      INSERT INTO message_flag AS f (user_id, chat_id, seq, hidden_at)
      VALUES (${userId}::uuid, ${row.chat_id}::uuid, ${row.seq}, ${at})
      ON CONFLICT (user_id, chat_id, seq) DO UPDATE
      SET hidden_at = excluded.hidden_at, starred_at = NULL, changed_tx = pg_current_xact_id()
      WHERE f.hidden_at IS NULL`;
    return changed > 0;
  }

  /** Returns false if it was starred already. */
  async star(tx: PrismaTransaction, userId: string, row: MessageRow, at: Date): Promise<boolean> {
    const changed = await tx.$executeRaw`
      INSERT INTO message_flag AS f (user_id, chat_id, seq, starred_at)
      VALUES (${userId}::uuid, ${row.chat_id}::uuid, ${row.seq}, ${at})
      ON CONFLICT (user_id, chat_id, seq) DO UPDATE
      SET starred_at = excluded.starred_at, changed_tx = pg_current_xact_id()
      WHERE f.starred_at IS NULL`;
    return changed > 0;
  }

  /** Returns false if it was not starred. */
  async unstar(tx: PrismaTransaction, userId: string, row: MessageRow): Promise<boolean> {
    const changed = await tx.$executeRaw`
      UPDATE message_flag SET starred_at = NULL, changed_tx = pg_current_xact_id()
      WHERE user_id = ${userId}::uuid AND chat_id = ${row.chat_id}::uuid AND seq = ${row.seq}
        AND starred_at IS NOT NULL`;
    return changed > 0;
  }

  /** What the person has starred and may still see, newest star first; what was deleted for everyone is left out. */
  async listStarred(userId: string, after: StarPosition | null, limit: number): Promise<StarredRow[]> {
    return this.database.query<StarredRow>(
      {
        name: 'flags.list-starred',
        text: `SELECT ${MESSAGE_COLUMNS}, flag.starred_at, own.delivered_seq AS my_delivered_seq,
            own.read_seq AS my_read_seq
          FROM message_flag flag
          CROSS JOIN LATERAL (
            SELECT p.* FROM chat_place p
            WHERE p.chat_id = flag.chat_id AND p.user_id = flag.user_id AND p.left_at IS NULL LIMIT 1) own
          JOIN message m ON m.chat_id = flag.chat_id AND m.seq = flag.seq
          LEFT JOIN message replied ON replied.chat_id = m.chat_id AND replied.seq = m.reply_to_seq
          WHERE flag.user_id = $1 AND flag.starred_at IS NOT NULL AND ${NOT_HIDDEN} AND m.deleted_at IS NULL
            AND m.seq > greatest(own.joined_seq, own.cleared_seq)
            AND ($2::timestamptz IS NULL OR (flag.starred_at, flag.chat_id, flag.seq) < ($2, $3::uuid, $4::int))
          ORDER BY flag.starred_at DESC, flag.chat_id DESC, flag.seq DESC
          LIMIT $5`,
      },
      [userId, after?.starredAt ?? null, after?.chatId ?? null, after?.seq ?? null, limit],
    );
  }
}
