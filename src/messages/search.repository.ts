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

/** Where to look: in one chat, in the conversations of one tenant, or everywhere (both null). */
export interface SearchScope {
  chatId: string | null;
  tenantId: string | null;
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

  /** The newest `limit` messages that the person may see and that hold all terms; see the functions' own comments. */
  async listCandidates(
    userId: string,
    { chatId, tenantId }: SearchScope,
    terms: readonly SearchTerm[],
    before: SearchPosition | null,
    limit: number,
  ): Promise<CandidateRow[]> {
    return this.database.query<CandidateRow>(
      {
        name: 'search.list-candidates',
        text: `SELECT * FROM search_messages($1, $2, $4::text[], $5::boolean[], $6, $7, $8, $9) WHERE $3::uuid IS NULL
          UNION ALL
          SELECT * FROM search_conversations($1, $3, $4::text[], $5::boolean[], $6, $7, $8, $9) WHERE $2::uuid IS NULL
          ORDER BY created_at DESC, chat_id DESC, seq DESC LIMIT $9`,
      },
      [
        userId,
        chatId,
        tenantId,
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
