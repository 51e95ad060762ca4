import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

export interface LastSeen {
  userId: string;
  at: Date;
}

export interface VisiblePresence {
  userId: string;
  lastSeenAt: Date | null;
  /** Whether the viewer may know anything of it. */
  visible: boolean;
}

/**
 * Whether `viewer` may know the presence of the user `u`: always one's own; otherwise no block may stand between,
 * and the user's setting decides.
 */
const IS_VISIBLE = (viewer: string): string => `
  (u.id = ${viewer} OR (
    CASE u.last_seen_visibility
      WHEN 'everyone' THEN true
      WHEN 'contacts' THEN EXISTS (
        SELECT FROM contact c
        WHERE c.user_lo = least(u.id, ${viewer}) AND c.user_hi = greatest(u.id, ${viewer}) AND c.status = 'ACCEPTED')
      ELSE false
    END
    AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = u.id AND b.blocked_id = ${viewer})
    AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = ${viewer} AND b.blocked_id = u.id)))`;

@Injectable()
export class PresenceRepository {
  constructor(private readonly database: Database) {}

  /** What one viewer may know of many; ids of nobody are absent. */
  async listVisible(viewerId: string, userIds: readonly string[]): Promise<VisiblePresence[]> {
    return this.database.query<VisiblePresence>(
      {
        name: 'presence.list-visible',
        text: `
          SELECT u.id AS "userId", u.last_seen_at AS "lastSeenAt", ${IS_VISIBLE('$1::uuid')} AS visible
          FROM app_user u WHERE u.id = ANY ($2::uuid[])`,
      },
      [viewerId, userIds],
    );
  }

  /** Those among `viewerIds` who may know of one user. */
  async listAllowedViewers(userId: string, viewerIds: readonly string[]): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      {
        name: 'presence.list-allowed-viewers',
        text: `
          SELECT v.id FROM app_user u CROSS JOIN unnest($2::uuid[]) AS v (id)
          WHERE u.id = $1 AND ${IS_VISIBLE('v.id')}`,
      },
      [userId, viewerIds],
    );
    return rows.map((row) => row.id);
  }

  async findLastSeen(userId: string): Promise<Date | null> {
    const rows = await this.database.query<{ lastSeenAt: Date | null }>(
      {
        name: 'presence.find-last-seen',
        text: 'SELECT last_seen_at AS "lastSeenAt" FROM app_user WHERE id = $1',
      },
      [userId],
    );
    return rows[0]?.lastSeenAt ?? null;
  }

  /** Writes when people were last there; an earlier time never replaces a later one. */
  async writeLastSeen(times: readonly LastSeen[]): Promise<void> {
    await this.database.query(
      {
        name: 'presence.write-last-seen',
        // Locked in id order first: two instances may write for the same people.
        text: `
          WITH seen AS MATERIALIZED (
            SELECT u.id, t.at FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, at)
            JOIN app_user u ON u.id = t.id
            WHERE u.last_seen_at IS NULL OR u.last_seen_at < t.at
            ORDER BY u.id FOR NO KEY UPDATE OF u
          )
          UPDATE app_user u SET last_seen_at = greatest(u.last_seen_at, s.at) FROM seen s WHERE u.id = s.id`,
      },
      [times.map(({ userId }) => userId), times.map(({ at }) => at)],
    );
  }
}
