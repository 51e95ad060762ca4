import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

/** What `tell_lowest_marks` returns. */
export interface LowestMarkRow {
  chat_id: string;
  kind: 'DELIVERED' | 'READ';
  up_to_seq: number;
  author_ids: string[];
}

@Injectable()
export class LowestMarksRepository {
  constructor(private readonly database: Database) {}

  /** Which authors of these GROUPs are to be told of a lowest mark, each movement once over all instances. */
  async tell(chatIds: readonly string[]): Promise<LowestMarkRow[]> {
    return this.database.query<LowestMarkRow>(
      { name: 'lowest-marks.tell', text: 'SELECT * FROM tell_lowest_marks($1::uuid[])' },
      [chatIds],
    );
  }
}
