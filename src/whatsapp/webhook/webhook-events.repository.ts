import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { WebhookSource } from './webhook-items.js';

export interface NewEventRow {
  receivedAt: Date;
  body: Buffer;
  /** Null: it is anybody's at once. */
  claimedUntil: Date | null;
}

export interface EventRow {
  id: bigint;
  receivedAt: Date;
  source: WebhookSource;
  body: Buffer;
  /** How often it was claimed after the process that took it had left it. */
  attempts: number;
}

interface StoredRow {
  id: string;
  received_at: Date;
  source: WebhookSource;
  body: Buffer;
  attempts: number;
}

const EVENT = 'e.id, e.received_at, e.source, e.body, e.attempts';

/** The bodies of webhooks, as they came. */
@Injectable()
export class WebhookEventsRepository {
  constructor(private readonly database: Database) {}

  /** Commits them and returns their ids, in their order. The bodies go as one binary value: as texts they were twice as long. */
  async insertAll(events: readonly NewEventRow[]): Promise<bigint[]> {
    let end = 1;
    const starts = events.map(({ body }) => {
      const start = end;
      end += body.length;
      return start;
    });
    const rows = await this.database.query<{ id: string }>(
      {
        name: 'webhook-events.insert',
        text: `INSERT INTO webhook_event (received_at, body, claimed_until)
          SELECT e.received_at, substring($1::bytea FROM e.start FOR e.size), e.claimed_until
          FROM unnest($2::int[], $3::int[], $4::timestamptz[], $5::timestamptz[])
            WITH ORDINALITY AS e (start, size, received_at, claimed_until, ord)
          ORDER BY e.ord RETURNING id`,
      },
      [
        Buffer.concat(events.map(({ body }) => body)),
        starts,
        events.map(({ body }) => body.length),
        events.map(({ receivedAt }) => receivedAt),
        events.map(({ claimedUntil }) => claimedUntil),
      ],
    );
    return rows.map(({ id }) => BigInt(id)).sort((a, b) => (a < b ? -1 : 1));
  }

  /** Returns null when a sample with this digest was taken in before. */
  async insertSample(
    body: Buffer,
    digest: string,
    receivedAt: Date,
    claimedUntil: Date,
  ): Promise<bigint | null> {
    const [row] = await this.database.query<{ id: string }>(
      {
        name: 'webhook-events.insert-sample',
        text: `INSERT INTO webhook_event (received_at, source, body, digest, claimed_until)
          VALUES ($1, 'sample', $2, $3, $4)
          ON CONFLICT (digest) WHERE digest IS NOT NULL DO NOTHING RETURNING id`,
      },
      [receivedAt, body, digest, claimedUntil],
    );
    return row ? BigInt(row.id) : null;
  }

  async markProcessed(ids: readonly bigint[], at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'webhook-events.mark-processed',
        text: 'UPDATE webhook_event SET processed_at = $2 WHERE id = ANY ($1::bigint[])',
      },
      [ids.map(String), at],
    );
  }

  /**
   * Takes the oldest events that nobody has; until `claimedUntil` no other call gets them. At most `limit`, and of at most
   * `maxBytes` in all, but one at least.
   *
   * @param suspect those that were begun more than twice without an end; else only the others
   */
  async claim(
    now: Date,
    claimedUntil: Date,
    { limit, maxBytes, suspect }: { limit: number; maxBytes: number; suspect: boolean },
  ): Promise<EventRow[]> {
    const rows = await this.database.query<StoredRow>(
      {
        name: 'webhook-events.claim',
        text: `UPDATE webhook_event e SET claimed_until = $2, attempts = e.attempts + 1
          WHERE e.id IN (
            SELECT s.id FROM (
              SELECT o.id, sum(o.size) OVER (ORDER BY o.id) - o.size AS before FROM (
                SELECT w.id, octet_length(w.body) AS size FROM webhook_event w
                WHERE w.processed_at IS NULL AND (w.claimed_until IS NULL OR w.claimed_until <= $1)
                  AND (w.attempts > 2) = $5
                ORDER BY w.id LIMIT $3 FOR UPDATE SKIP LOCKED) o) s
            WHERE s.before < $4)
          RETURNING ${EVENT}`,
      },
      [now, claimedUntil, limit, maxBytes, suspect],
    );
    return rows.map(toEvent).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** It was left, but not by a process that died over it. */
  async uncount(id: bigint): Promise<void> {
    await this.database.query(
      {
        name: 'webhook-events.uncount',
        text: 'UPDATE webhook_event SET attempts = greatest(attempts - 1, 0) WHERE id = $1 AND processed_at IS NULL',
      },
      [String(id)],
    );
  }

  async find(id: bigint): Promise<EventRow | null> {
    const [row] = await this.database.query<StoredRow>(
      { name: 'webhook-events.find', text: `SELECT ${EVENT} FROM webhook_event e WHERE e.id = $1` },
      [String(id)],
    );
    return row ? toEvent(row) : null;
  }

  /**
   * Forgets what was done before `before`, except samples and what a kept dead letter came from, among the events after
   * `afterId`. Returns where to go on, or null at the end of what is old.
   */
  async deleteDone(before: Date, afterId: bigint, limit: number): Promise<bigint | null> {
    const [row] = await this.database.query<{ last: string | null }>(
      {
        name: 'webhook-events.delete-done',
        text: `WITH old AS MATERIALIZED (
            SELECT e.id, e.processed_at IS NOT NULL AND e.digest IS NULL AS is_done FROM (
              SELECT * FROM webhook_event WHERE id > $2 ORDER BY id LIMIT $3) e
            WHERE e.received_at < $1
          ), gone AS (
            DELETE FROM webhook_event e USING old o
            WHERE e.id = o.id AND o.is_done
              AND NOT EXISTS (SELECT 1 FROM webhook_dead_letter d WHERE d.event_id = o.id AND d.resolved_at IS NULL)
          )
          SELECT max(id) AS last FROM old`,
      },
      [before, String(afterId), limit],
    );
    return row === undefined || row.last === null ? null : BigInt(row.last);
  }

  async countOpen(): Promise<number> {
    const [row] = await this.database.query<{ open: number }>({
      name: 'webhook-events.count-open',
      text: 'SELECT count(*)::int AS open FROM webhook_event WHERE processed_at IS NULL',
    });
    return row?.open ?? 0;
  }
}

function toEvent(row: StoredRow): EventRow {
  const { id, received_at: receivedAt, source, body, attempts } = row;
  return { id: BigInt(id), receivedAt, source, body, attempts };
}
