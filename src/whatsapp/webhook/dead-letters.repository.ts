import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { RefusalReason } from './item-refused.js';
import type { WebhookSource } from './webhook-items.js';

export interface NewDeadLetterRow {
  id: string;
  event_id: string;
  phone_number_id: string | null;
  field: string | null;
  path: string;
  reason: RefusalReason;
  detail: string;
  /** As JSON text that PostgreSQL can hold. */
  item: string;
  source: WebhookSource;
}

export interface DeadLetterRow {
  id: string;
  event_id: string;
  tenant_id: string | null;
  phone_number_id: string | null;
  field: string | null;
  path: string;
  reason: RefusalReason;
  detail: string | null;
  item: unknown;
  created_at: Date;
  resolved_at: Date | null;
}

export interface DeadLetterPosition {
  createdAt: Date;
  id: string;
}

const LETTER = `d.id, d.event_id, d.tenant_id, d.phone_number_id, d.field, d.path, d.reason, d.detail, d.item,
  d.created_at, d.resolved_at`;

/** Parts of webhooks that could not be applied. One a place in an event: doing the event again adds none. */
@Injectable()
export class DeadLettersRepository {
  constructor(private readonly database: Database) {}

  async insertAll(letters: readonly NewDeadLetterRow[], at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'dead-letters.insert',
        text: `INSERT INTO webhook_dead_letter
            (id, event_id, tenant_id, phone_number_id, field, path, reason, detail, item, source, created_at)
          SELECT l.id, l.event_id, t.id, l.phone_number_id, l.field, l.path, l.reason, l.detail, l.item::jsonb, l.source, $2
          FROM json_to_recordset($1) AS l (id uuid, event_id bigint, phone_number_id text, field text, path text,
            reason text, detail text, item text, source text)
          LEFT JOIN tenant t ON t.phone_number_id = l.phone_number_id AND t.deleted_at IS NULL
          ON CONFLICT (event_id, path) DO UPDATE SET reason = excluded.reason, detail = excluded.detail,
            tenant_id = excluded.tenant_id, resolved_at = NULL`,
      },
      [JSON.stringify(letters), at],
    );
  }

  /** Those not resolved, newest first; of one tenant, or of all and of none with `tenantId` null. */
  async list(
    tenantId: string | null,
    before: DeadLetterPosition | null,
    limit: number,
  ): Promise<DeadLetterRow[]> {
    return this.database.query<DeadLetterRow>(
      {
        name: 'dead-letters.list',
        text: `SELECT ${LETTER} FROM webhook_dead_letter d
          WHERE d.resolved_at IS NULL AND ($1::uuid IS NULL OR d.tenant_id = $1)
            AND ($2::timestamptz IS NULL OR (d.created_at, d.id) < ($2, $3::uuid))
          ORDER BY d.created_at DESC, d.id DESC LIMIT $4`,
      },
      [tenantId, before?.createdAt ?? null, before?.id ?? null, limit],
    );
  }

  /** Also one that is resolved; of one tenant, or of anybody with `tenantId` null. */
  async find(id: string, tenantId: string | null): Promise<DeadLetterRow | null> {
    const [row] = await this.database.query<DeadLetterRow>(
      {
        name: 'dead-letters.find',
        text: `SELECT ${LETTER} FROM webhook_dead_letter d
          WHERE d.id = $1 AND ($2::uuid IS NULL OR d.tenant_id = $2)`,
      },
      [id, tenantId],
    );
    return row ?? null;
  }

  /** What is resolved by the places of an event that went well. */
  async resolve(eventId: bigint, paths: readonly string[], at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'dead-letters.resolve',
        text: `UPDATE webhook_dead_letter SET resolved_at = $3
          WHERE event_id = $1 AND path = ANY ($2::text[]) AND resolved_at IS NULL`,
      },
      [String(eventId), paths, at],
    );
  }

  /**
   * Opens the events again that told of a number nobody had, where now somebody has it. Returns how many.
   */
  async reopenKnownNumbers(): Promise<number> {
    const rows = await this.database.query(
      {
        name: 'dead-letters.reopen-known-numbers',
        text: `WITH known AS (
            UPDATE webhook_dead_letter d SET reason = 'FAILED', detail = 'to be taken in again', tenant_id = t.id
            FROM tenant t
            WHERE d.resolved_at IS NULL AND d.reason = 'UNKNOWN_NUMBER' AND t.phone_number_id = d.phone_number_id
              AND t.deleted_at IS NULL
            RETURNING d.event_id)
          UPDATE webhook_event e SET processed_at = NULL, claimed_until = NULL, attempts = 0
          FROM (SELECT DISTINCT event_id FROM known) k WHERE e.id = k.event_id RETURNING e.id`,
      },
      [],
    );
    return rows.length;
  }

  /** Forgets those that were resolved, or left alone, before these times. Returns how many. */
  async deleteOld(resolvedBefore: Date, createdBefore: Date, limit: number): Promise<number> {
    const rows = await this.database.query(
      {
        name: 'dead-letters.delete-old',
        text: `DELETE FROM webhook_dead_letter WHERE id IN (
            SELECT id FROM webhook_dead_letter WHERE created_at < $2 OR resolved_at < $1
            ORDER BY created_at, id LIMIT $3) RETURNING id`,
      },
      [resolvedBefore, createdBefore, limit],
    );
    return rows.length;
  }

  async countOpen(): Promise<number> {
    const [row] = await this.database.query<{ open: number }>({
      name: 'dead-letters.count-open',
      text: 'SELECT count(*)::int AS open FROM webhook_dead_letter WHERE resolved_at IS NULL',
    });
    return row?.open ?? 0;
  }
}
