import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { PrismaTransaction } from '../../infra/database/prisma.service.js';
import type { SealedRow } from '../tenants/tenants.repository.js';
import type { HookEvent } from './hooks.dto.js';

export interface HookRow {
  tenant_id: string;
  url: string;
  /** Sealed. */
  secret: string;
  events: HookEvent[];
  created_at: Date;
  updated_at: Date;
}

/** What the SQL function `feed_hook` returns. */
export interface FedRow {
  /** Ids of new deliveries. */
  fed: string[];
  read: number;
  more: boolean;
}

const HOOK = 'h.tenant_id, h.url, h.secret, h.events, h.created_at, h.updated_at';

/** Where tenants want to be told. */
@Injectable()
export class HooksRepository {
  constructor(private readonly database: Database) {}

  async find(tenantId: string): Promise<HookRow | null> {
    const rows = await this.database.query<HookRow>(
      { name: 'hooks.find', text: `SELECT ${HOOK} FROM tenant_hook h WHERE h.tenant_id = $1` },
      [tenantId],
    );
    return rows[0] ?? null;
  }

  /** A new one hears of what commits from now on; one that is changed goes on where it is. @returns null without a secret to keep */
  async put(
    hook: { tenantId: string; url: string; secret: string | null; events: readonly HookEvent[] },
    at: Date,
  ): Promise<HookRow | null> {
    const rows = await this.database.query<HookRow>(
      {
        name: 'hooks.put',
        text: `WITH live AS (
            SELECT t.id FROM tenant t WHERE t.id = $1 AND t.deleted_at IS NULL FOR SHARE
          ), kept AS (
            UPDATE tenant_hook h SET url = $2, secret = coalesce($3, h.secret), events = $4, updated_at = $5
            WHERE h.tenant_id = (SELECT l.id FROM live l) RETURNING ${HOOK}
          ), made AS (
            INSERT INTO tenant_hook AS h (tenant_id, url, secret, events, created_at, updated_at)
            SELECT l.id, $2, $3, $4, $5, $5 FROM live l
            WHERE $3::text IS NOT NULL AND NOT EXISTS (SELECT FROM kept)
            ON CONFLICT (tenant_id) DO UPDATE SET url = excluded.url, secret = excluded.secret,
              events = excluded.events, updated_at = excluded.updated_at
            RETURNING ${HOOK}
          )
          SELECT * FROM kept UNION ALL SELECT * FROM made`,
      },
      [hook.tenantId, hook.url, hook.secret, hook.events, at],
    );
    return rows[0] ?? null;
  }

  /** Removes the deliveries there are, some at a time: there may be millions. */
  async removeDeliveries(tenantId: string): Promise<void> {
    const limit = 5_000;
    let removed: unknown[];
    do {
      removed = await this.database.query(
        {
          name: 'hooks.remove-deliveries',
          text: `DELETE FROM hook_delivery WHERE id IN (
              SELECT d.id FROM hook_delivery d WHERE d.tenant_id = $1 LIMIT $2) RETURNING 1`,
        },
        [tenantId, limit],
      );
    } while (removed.length === limit);
  }

  /** With all its deliveries, most of which `removeDeliveries` has removed before. @returns whether there was one */
  async remove(tx: PrismaTransaction, tenantId: string): Promise<boolean> {
    const removed = await tx.$executeRaw`DELETE FROM tenant_hook WHERE tenant_id = ${tenantId}::uuid`;
    await tx.$executeRaw`DELETE FROM hook_delivery WHERE tenant_id = ${tenantId}::uuid`;
    return removed > 0;
  }

  /** Those of these tenants that want to be told; null: all. */
  async listTenants(among: readonly string[] | null): Promise<string[]> {
    const rows = await this.database.query<{ tenant_id: string }>(
      {
        name: 'hooks.list-tenants',
        text: `SELECT h.tenant_id FROM tenant_hook h
          WHERE $1::uuid[] IS NULL OR h.tenant_id = ANY ($1) ORDER BY h.tenant_id`,
      },
      [among],
    );
    return rows.map((row) => row.tenant_id);
  }

  /** See the SQL function of this name. */
  async feed(tenantId: string, limit: number, at: Date): Promise<FedRow> {
    const rows = await this.database.query<FedRow>(
      { name: 'hooks.feed', text: 'SELECT fed, read, more FROM feed_hook($1, $2, $3)' },
      [tenantId, limit, at],
    );
    return rows[0] ?? { fed: [], read: 0, more: false };
  }

  /** A page of the sealed secrets, in the order of the tenants' ids. */
  async listSealed(afterId: string | null, limit: number): Promise<SealedRow[]> {
    return this.database.query<SealedRow>(
      {
        name: 'hooks.list-sealed',
        text: `SELECT h.tenant_id, h.secret AS sealed FROM tenant_hook h
          WHERE $1::uuid IS NULL OR h.tenant_id > $1 ORDER BY h.tenant_id LIMIT $2`,
      },
      [afterId, limit],
    );
  }

  /** Leaves a secret that is no longer the one that was read. */
  async replaceSealed(row: SealedRow, sealed: string): Promise<void> {
    await this.database.query(
      {
        name: 'hooks.replace-sealed',
        text: 'UPDATE tenant_hook SET secret = $3 WHERE tenant_id = $1 AND secret = $2',
      },
      [row.tenant_id, row.sealed, sealed],
    );
  }
}
