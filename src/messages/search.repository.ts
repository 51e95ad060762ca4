import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { SearchTerm } from './search-query.js';

/** A message that the index knows to hold all terms. */
export interface CandidateRow {
  chat_id: string;
  seq: number;
  created_at: Date;
  /** Null when it was deleted while the search ran. */
  text: string | null;
}

/** Where a search goes on: after this message. */
export interface SearchPosition {
  at: Date;
  chatId: string;
  seq: number;
}

@Injectable()
export class SearchRepository {
  constructor(private readonly database: Database) {}

  /** The newest `limit` messages that the person may see and that hold all terms; see the function's own comment. */
  async listCandidates(
    userId: string,
    chatId: string | null,
    terms: readonly SearchTerm[],
    before: SearchPosition | null,
    limit: number,
  ): Promise<CandidateRow[]> {
    return this.database.query<CandidateRow>(
      {
        name: 'search.list-candidates',
        text: 'SELECT * FROM search_messages($1, $2, $3::text[], $4::boolean[], $5, $6, $7, $8)',
      },
      [
        userId,
        chatId,
        terms.map((term) => term.text),
        terms.map((term) => term.isPrefix),
        before?.at ?? null,
        before?.chatId ?? null,
        before?.seq ?? null,
        limit,
      ],
    );
  }
}
