import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { Relationship } from './contacts.dto.js';

/** What to look for: the three folded forms of one query, null for what it cannot be. */
export interface PeopleQuery {
  namePrefix: string | null;
  emailKey: string;
  phone: string | null;
}

export interface FoundPerson {
  id: string;
  nameKey: string;
  relationship: Relationship;
}

/** Sorts after every name that begins with what stands before it. */
const LAST_CODE_POINT = '\u{10FFFF}';

/** Questions about people that neither the contact nor the block table answers alone. */
@Injectable()
export class PeopleRepository {
  constructor(private readonly database: Database) {}

  /**
   * Who matches, in the order of their folded names: neither the caller nor who has blocked the caller.
   *
   * Each way of matching is a branch of its own, so that each uses its index; a prefix is a range of the index
   * rather than a LIKE, which a prepared statement could not plan, and so knows no wildcards.
   */
  async search(
    callerId: string,
    query: PeopleQuery,
    after: { nameKey: string; id: string } | null,
    limit: number,
  ): Promise<FoundPerson[]> {
    return this.database.query<FoundPerson>(
      {
        name: 'contacts.search',
        text: `
          WITH found AS (
            (SELECT u.id, u.name_key FROM app_user u
             WHERE u.name_key ~>=~ $2 AND u.name_key ~<~ $3 AND u.name_key ~>=~ coalesce($6, $2)
               AND u.id <> $1
               AND ($6::text IS NULL OR u.name_key ~>~ $6 OR u.id > $7)
               AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = u.id AND b.blocked_id = $1)
             ORDER BY u.name_key USING ~<~, u.id
             LIMIT $8)
            UNION
            SELECT u.id, u.name_key FROM app_user u WHERE u.email_key = $4
            UNION
            SELECT u.id, u.name_key FROM app_user u WHERE u.phone = $5
          )
          SELECT f.id, f.name_key AS "nameKey",
            CASE
              WHEN EXISTS (SELECT FROM block b WHERE b.blocker_id = $1 AND b.blocked_id = f.id) THEN 'BLOCKED'
              WHEN c.id IS NULL THEN 'NONE'
              WHEN c.status = 'ACCEPTED' THEN 'ACCEPTED'
              WHEN c.requester_id = $1 THEN 'PENDING_OUT'
              ELSE 'PENDING_IN'
            END AS relationship
          FROM found f
          LEFT JOIN contact c ON c.user_lo = least(f.id, $1) AND c.user_hi = greatest(f.id, $1)
          WHERE f.id <> $1
            AND ($6::text IS NULL OR f.name_key ~>~ $6 OR (f.name_key = $6 AND f.id > $7))
            AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = f.id AND b.blocked_id = $1)
          ORDER BY f.name_key USING ~<~, f.id
          LIMIT $8`,
      },
      [
        callerId,
        query.namePrefix,
        query.namePrefix === null ? null : `${query.namePrefix}${LAST_CODE_POINT}`,
        query.emailKey,
        query.phone,
        after?.nameKey ?? null,
        after?.id ?? null,
        limit,
      ],
    );
  }

  /** Those among `userIds` with whom the caller shares a chat, a tenant, a contact or a request, and the caller. */
  async acquaintancesAmong(callerId: string, userIds: readonly string[]): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      {
        name: 'contacts.acquaintances-among',
        text: `
          SELECT o.id FROM unnest($2::uuid[]) AS o (id)
          WHERE o.id = $1
            OR EXISTS (
              SELECT FROM contact c WHERE c.user_lo = least(o.id, $1) AND c.user_hi = greatest(o.id, $1))
            OR EXISTS (
              SELECT FROM member mine JOIN member theirs ON theirs.chat_id = mine.chat_id
              WHERE mine.user_id = $1 AND mine.left_at IS NULL AND theirs.user_id = o.id)
            OR EXISTS (
              SELECT FROM tenant_agent mine JOIN tenant_agent theirs ON theirs.tenant_id = mine.tenant_id
              WHERE mine.user_id = $1 AND mine.left_at IS NULL AND theirs.user_id = o.id)`,
      },
      [callerId, userIds],
    );
    return rows.map((row) => row.id);
  }
}
