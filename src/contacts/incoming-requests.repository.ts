import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { After } from './contacts.repository.js';

export interface IncomingRequestRow {
  id: string;
  requester_id: string;
  created_at: Date;
  viewed: boolean;
}

/** Requests that wait for a person's answer, without those that a block hides. */
const WAITING = `
  c.addressee_id = $1 AND c.status = 'PENDING'
  AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = c.requester_id AND b.blocked_id = c.addressee_id)
  AND NOT EXISTS (SELECT FROM block b WHERE b.blocker_id = c.addressee_id AND b.blocked_id = c.requester_id)`;

@Injectable()
export class IncomingRequestsRepository {
  constructor(private readonly database: Database) {}

  /** Newest first. */
  async list(userId: string, after: After | null, limit: number): Promise<IncomingRequestRow[]> {
    return this.database.query<IncomingRequestRow>(
      {
        name: 'incoming-requests.list',
        text: `SELECT c.id, c.requester_id, c.created_at, c.viewed_at IS NOT NULL AS viewed
          FROM contact c
          WHERE ${WAITING} AND ($2::timestamptz IS NULL OR (c.created_at, c.id) < ($2::timestamptz, $3::uuid))
          ORDER BY c.created_at DESC, c.id DESC
          LIMIT $4`,
      },
      [userId, after?.createdAt ?? null, after?.id ?? null, limit],
    );
  }

  /** How many of them the person has not been shown. */
  async countNew(userId: string): Promise<number> {
    const rows = await this.database.query<{ count: number }>(
      {
        name: 'incoming-requests.count-new',
        text: `SELECT count(*)::int AS count FROM contact c WHERE ${WAITING} AND c.viewed_at IS NULL`,
      },
      [userId],
    );
    return rows[0]?.count ?? 0;
  }

  async setViewed(tx: PrismaTransaction, userId: string, at: Date): Promise<void> {
    await tx.$executeRaw`
      WITH waiting AS (
        SELECT c.id FROM contact c
        WHERE c.addressee_id = ${userId}::uuid AND c.status = 'PENDING' AND c.viewed_at IS NULL
        ORDER BY c.user_lo, c.user_hi FOR NO KEY UPDATE)
      UPDATE contact c SET viewed_at = ${at} FROM waiting w WHERE c.id = w.id`;
  }
}
