import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

/** A round goes through these lists in this order. */
export type SyncPhase = 'CONTACTS' | 'USERS' | 'CHATS' | 'STATUSES';

/** Where a round goes on: see the SQL function `sync_page`. */
export interface SyncPosition {
  phase: SyncPhase;
  after: string;
  before: number | null;
  floor: number | null;
  tx: string | null;
}

/** A chat of a page: which of its messages belong to it. */
export interface FoundChat {
  id: string;
  /** False when the page before began with it, and this one only goes on with its messages. */
  isNew: boolean;
  /** Whether the caller may not know the chat yet. */
  isWhole: boolean;
  /** `size` messages from this seq on. */
  from: number;
  size: number;
  /** Further ones, all below `from`. */
  seqs: number[];
  /** Those among all these which the caller has hidden. */
  hidden: number[];
}

/** What one page holds, by address. Transaction ids are decimal text: they outgrow a number. */
export interface FoundPage {
  epoch: string;
  xmin: string;
  xmax: string;
  /** The ids and versions of the profiles changed last, for who holds them in a cache. */
  changedUsers?: string[];
  versions?: number[];
  contacts?: string[];
  removedContacts?: string[];
  users?: string[];
  chats?: FoundChat[];
  removedChats?: string[];
  next?: SyncPosition | null;
}

export interface PresenceRow {
  chat_id: string;
  first_seq: number;
}

@Injectable()
export class SyncRepository {
  constructor(private readonly database: Database) {}

  /**
   * One page of what changed at or after transaction `from`, or of everything when it is null, as one snapshot shows
   * it. See the function's own comment for its promises.
   */
  async findPage(
    userId: string,
    from: string | null,
    position: SyncPosition | null,
    limit: number,
  ): Promise<FoundPage> {
    const rows = await this.database.query<{ page: FoundPage }>(
      { name: 'sync.find-page', text: 'SELECT sync_page($1, $2, $3, $4, $5, $6, $7, $8) AS page' },
      [
        userId,
        from,
        position?.phase ?? null,
        position?.after ?? null,
        position?.before ?? null,
        position?.floor ?? null,
        position?.tx ?? null,
        limit,
      ],
    );
    const page = rows[0]?.page;
    if (!page) throw new Error('sync_page returned nothing');
    return page;
  }

  /** Those of `chatIds` that the person is present in now, with the first seq that they may see. */
  async listPresent(userId: string, chatIds: readonly string[]): Promise<PresenceRow[]> {
    return this.database.query<PresenceRow>(
      {
        name: 'sync.list-present',
        text: `SELECT chat_id, greatest(joined_seq, cleared_seq) + 1 AS first_seq
          FROM chat_place WHERE chat_id = ANY ($2::uuid[]) AND user_id = $1 AND left_at IS NULL`,
      },
      [userId, chatIds],
    );
  }
}
