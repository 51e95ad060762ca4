import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import {
  MESSAGE_COLUMNS,
  MESSAGE_JOINS,
  NOT_HIDDEN,
  type MessageRow,
  type VisibleRange,
} from './messages.repository.js';

@Injectable()
export class RepliesRepository {
  constructor(private readonly database: Database) {}

  /** The oldest `limit` messages of `range` after `afterSeq` that reply to message `seq`, oldest first. */
  async list(
    readerId: string,
    range: VisibleRange,
    seq: number,
    afterSeq: number,
    limit: number,
  ): Promise<MessageRow[]> {
    return this.database.query<MessageRow>(
      {
        name: 'replies.list',
        text: `SELECT ${MESSAGE_COLUMNS} FROM message m ${MESSAGE_JOINS}
          WHERE m.chat_id = $2 AND m.reply_to_seq = $3 AND m.seq >= $4 AND m.seq <= $5 AND m.seq > $6 AND ${NOT_HIDDEN}
          ORDER BY m.seq LIMIT $7`,
      },
      [readerId, range.chatId, seq, range.firstSeq, range.lastSeq, afterSeq, limit],
    );
  }
}
