import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { isNotReady } from '../infra/http/to-app-error.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import { ReceiptsRepository, type AdvancedRow, type MarkRow } from './receipts.repository.js';

export interface Mark {
  chatId: string;
  userId: string;
  /** Up to which seq, or null for no report of this kind. */
  delivered: number | null;
  read: number | null;
  originSocketId: string | null;
}

export interface Advanced {
  row: AdvancedRow;
  at: Date;
  /** The socket that reported it, when one alone did. */
  originSocketId: string | null;
  /** Whether this caller is the one of those that were merged who tells the listeners. */
  isFirst: boolean;
}

interface Waiter {
  resolve: (advanced: Advanced) => void;
  reject: (error: unknown) => void;
}

interface Merged {
  mark: Mark;
  waiters: Waiter[];
}

/** Marks that come within this time are written together. */
const COLLECT_MS = 20;
const MAX_BATCH = 500;

/**
 * The one writer of receipt marks. Reports of one person about one chat merge into their maximum, and everything
 * that arrives within a few milliseconds is one statement. A promise resolves only after the commit.
 */
@Injectable()
export class ReceiptsWriter {
  private waiting = new Map<string, Merged>();
  private writing = false;
  private timer: NodeJS.Timeout | undefined;
  private idle: (() => void)[] = [];

  constructor(
    private readonly repository: ReceiptsRepository,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  async write(mark: Mark): Promise<Advanced> {
    return new Promise((resolve, reject) => {
      const key = `${mark.chatId}:${mark.userId}`;
      const merged = this.waiting.get(key);
      if (merged) {
        merged.mark = merge(merged.mark, mark);
        merged.waiters.push({ resolve, reject });
      } else {
        this.waiting.set(key, { mark, waiters: [{ resolve, reject }] });
      }
      this.schedule();
    });
  }

  /** Resolves once nothing waits and nothing is in flight; what waits is written at once. */
  async drained(): Promise<void> {
    if (this.waiting.size === 0 && !this.writing) return;
    await new Promise<void>((resolve) => {
      this.idle.push(resolve);
      clearTimeout(this.timer);
      this.timer = undefined;
      void this.flush();
    });
  }

  private schedule(): void {
    if (this.timer || this.writing) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.flush();
    }, COLLECT_MS);
  }

  private async flush(): Promise<void> {
    if (this.writing) return;
    this.writing = true;
    while (this.waiting.size > 0) {
      const batch: Merged[] = [];
      for (const [key, merged] of this.waiting) {
        if (batch.length >= MAX_BATCH) break;
        this.waiting.delete(key);
        batch.push(merged);
      }
      await this.run(batch);
      // What came meanwhile collects for its own few milliseconds, unless someone waits for the end.
      if (this.idle.length === 0) break;
    }
    this.writing = false;
    if (this.waiting.size > 0) this.schedule();
    else for (const resolve of this.idle.splice(0)) resolve();
  }

  private async run(batch: Merged[]): Promise<void> {
    try {
      await this.commit(batch);
    } catch (error) {
      if (batch.length > 1)
        this.log.warn({ err: error, size: batch.length }, 'a batch of marks failed: trying each alone');
      // Without a database there is no use in trying each.
      let unavailable = isNotReady(error) ? error : undefined;
      for (const merged of batch) {
        if (unavailable !== undefined) {
          rejectAll(merged, unavailable);
          continue;
        }
        try {
          await this.commit([merged]);
        } catch (ownError) {
          if (isNotReady(ownError)) unavailable = ownError;
          rejectAll(merged, ownError);
        }
      }
    }
  }

  private async commit(batch: readonly Merged[]): Promise<void> {
    const at = this.clock.now();
    const rows = await this.repository.advance(batch.map(toRow), at);
    this.metrics.receipts.inc(rows.length);
    for (const row of rows) {
      const merged = batch[row.ord - 1];
      merged?.waiters.forEach((waiter, index) => {
        waiter.resolve({ row, at, originSocketId: merged.mark.originSocketId, isFirst: index === 0 });
      });
    }
  }
}

function rejectAll({ waiters }: Merged, error: unknown): void {
  for (const waiter of waiters) waiter.reject(error);
}

function toRow({ mark }: Merged): MarkRow {
  return { chat_id: mark.chatId, user_id: mark.userId, delivered: mark.delivered, read: mark.read };
}

function merge(one: Mark, other: Mark): Mark {
  return {
    ...one,
    delivered: maxOrNull(one.delivered, other.delivered),
    read: maxOrNull(one.read, other.read),
    originSocketId: one.originSocketId === other.originSocketId ? one.originSocketId : null,
  };
}

function maxOrNull(one: number | null, other: number | null): number | null {
  if (one === null) return other;
  return other === null ? one : Math.max(one, other);
}
