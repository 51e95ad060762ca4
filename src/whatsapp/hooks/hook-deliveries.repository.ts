import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { DeliveryState, HookEvent } from './hooks.dto.js';

export interface DeliveryRow {
  id: string;
  event: HookEvent;
  state: DeliveryState;
  attempts: number;
  next_attempt_at: Date | null;
  last_status: number | null;
  last_error: string | null;
  delivered_at: Date | null;
  created_at: Date;
}

export interface ClaimedRow {
  id: string;
  event: HookEvent;
  data: object;
  /** This one included. */
  attempts: number;
  created_at: Date;
}

/** What became of a claimed one. */
export interface DeliveryOutcome {
  id: string;
  /** Of the claim. */
  attempts: number;
  state: DeliveryState;
  next_attempt_at: Date | null;
  last_status: number | null;
  last_error: string | null;
  delivered_at: Date | null;
}

const DELIVERY = `d.id, d.event, d.state, d.attempts, d.next_attempt_at, d.last_status, d.last_error, d.delivered_at,
  d.created_at`;

/** What tenants have been told of, and are still to be. */
@Injectable()
export class HookDeliveriesRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes due deliveries of a tenant, the ones due longest first: nobody else takes them before `until`, at which they
   * are due again unless their outcome is written.
   */
  async claim(tenantId: string, now: Date, until: Date, limit: number): Promise<ClaimedRow[]> {
    return this.database.query<ClaimedRow>(
      {
        name: 'hook-deliveries.claim',
        text: `WITH due AS MATERIALIZED (
            SELECT c.id FROM hook_delivery c
            WHERE c.tenant_id = $1 AND c.state = 'PENDING' AND c.next_attempt_at <= $2
            ORDER BY c.next_attempt_at LIMIT $4 FOR UPDATE SKIP LOCKED)
          UPDATE hook_delivery d SET attempts = d.attempts + 1, next_attempt_at = $3 FROM due
          WHERE d.id = due.id
          RETURNING d.id, d.event, d.data, d.attempts, d.created_at`,
      },
      [tenantId, now, until, limit],
    );
  }

  /** One that was taken over or made due again since its claim is left alone. */
  async settle(outcomes: readonly DeliveryOutcome[]): Promise<void> {
    await this.database.query(
      {
        name: 'hook-deliveries.settle',
        text: `UPDATE hook_delivery d SET state = o.state, next_attempt_at = o.next_attempt_at,
            last_status = o.last_status, last_error = o.last_error, delivered_at = o.delivered_at
          FROM json_to_recordset($1) AS o (id uuid, attempts int, state hook_delivery_state,
            next_attempt_at timestamptz, last_status int, last_error text, delivered_at timestamptz)
          WHERE d.id = o.id AND d.attempts = o.attempts AND d.state = 'PENDING'`,
      },
      [JSON.stringify(outcomes)],
    );
  }

  /** A page of a tenant's deliveries, newest first. */
  async list(
    tenantId: string,
    state: DeliveryState | null,
    before: { createdAt: Date; id: string } | null,
    limit: number,
  ): Promise<DeliveryRow[]> {
    return this.database.query<DeliveryRow>(
      {
        name: 'hook-deliveries.list',
        text: `SELECT ${DELIVERY} FROM hook_delivery d
          WHERE d.tenant_id = $1 AND ($2::hook_delivery_state IS NULL OR d.state = $2)
            AND ($3::timestamptz IS NULL OR (d.created_at, d.id) < ($3, $4::uuid))
          ORDER BY d.created_at DESC, d.id DESC LIMIT $5`,
      },
      [tenantId, state, before?.createdAt ?? null, before?.id ?? null, limit],
    );
  }

  /** Makes one due again as if it had never been tried. @returns null when there is none */
  async replay(tenantId: string, id: string, now: Date): Promise<DeliveryRow | null> {
    const rows = await this.database.query<DeliveryRow>(
      {
        name: 'hook-deliveries.replay',
        text: `UPDATE hook_delivery d SET state = 'PENDING', attempts = 0, next_attempt_at = $3, delivered_at = NULL
          WHERE d.tenant_id = $1 AND d.id = $2 RETURNING ${DELIVERY}`,
      },
      [tenantId, id, now],
    );
    return rows[0] ?? null;
  }

  /** The tenants with something due, each with one of these deliveries. */
  async listDue(now: Date): Promise<{ tenant_id: string; delivery_id: string; attempts: number }[]> {
    return this.database.query(
      {
        name: 'hook-deliveries.list-due',
        text: `SELECT d.tenant_id, d.id AS delivery_id, d.attempts FROM tenant_hook h
          CROSS JOIN LATERAL (
            SELECT c.tenant_id, c.id, c.attempts FROM hook_delivery c
            WHERE c.tenant_id = h.tenant_id AND c.state = 'PENDING' AND c.next_attempt_at <= $1
            ORDER BY c.next_attempt_at LIMIT 1) d`,
      },
      [now],
    );
  }

  /** @returns how many there were, at most `limit` */
  async removeOlder(before: Date, limit: number): Promise<number> {
    const rows = await this.database.query(
      {
        name: 'hook-deliveries.remove-older',
        text: `DELETE FROM hook_delivery WHERE id IN (
            SELECT d.id FROM hook_delivery d WHERE d.created_at < $1
            ORDER BY d.created_at LIMIT $2)
          RETURNING 1`,
      },
      [before, limit],
    );
    return rows.length;
  }
}
