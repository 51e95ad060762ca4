import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { Batches } from '../../common/batches.js';
import { Clock } from '../../common/clock.js';
import { storable, storableText } from '../../common/storable.js';
import { sqlState } from '../../infra/database/database.js';
import { isNotReady } from '../../infra/http/to-app-error.js';
import { Log } from '../../infra/observability/log.js';
import { DeadLettersRepository, type NewDeadLetterRow } from './dead-letters.repository.js';
import { ItemApplier } from './item-applier.js';
import { ItemRefused, type RefusalReason } from './item-refused.js';
import { WebhookEventsRepository } from './webhook-events.repository.js';
import { readWebhook, type BadItem, type WebhookItem, type WebhookSource } from './webhook-items.js';
import { WebhookMetrics } from './webhook-metrics.js';

/** A committed webhook, read. */
export interface TakenEvent {
  id: bigint;
  body: unknown;
  source: WebhookSource;
  receivedAt: Date;
  /** It was taken up before: what had become a dead letter of it may go well now. */
  isRepeated: boolean;
}

interface Parts {
  items: readonly WebhookItem[];
  bad: readonly BadItem[];
}

interface Outcome {
  /** Where in the body those stand that went well, and those that did not. */
  applied: string[];
  refused: string[];
  /** Why some could not be applied now. */
  open: unknown;
}

/** A deadlock, and what else another transaction alone is to blame for. */
const PASSING: readonly string[] = ['40P01', '40001', '55P03'];

const MARKS = { maxSize: 1000, maxWaiting: 100_000, spacingMs: 50 };

/**
 * Applies all that an event tells, each part on its own: what cannot be applied becomes a dead letter and costs its
 * neighbours nothing. The event is marked as done when every part was applied or is kept; when the database cannot be
 * reached it stays open, and is done again from its beginning, which changes nothing that was applied before.
 */
@Injectable()
export class WebhookProcessor {
  private readonly marks: Batches<bigint, bigint>;
  private running = 0;
  private idle: (() => void)[] = [];

  constructor(
    private readonly applier: ItemApplier,
    private readonly events: WebhookEventsRepository,
    private readonly letters: DeadLettersRepository,
    private readonly metrics: WebhookMetrics,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.marks = new Batches(
      async (ids) => {
        await this.events.markProcessed(ids, this.clock.now());
        return ids;
      },
      { ...MARKS, onFull: () => new AppError('NOT_READY'), isHopeless: isNotReady },
    );
  }

  /** Resolves when the event is done, or left open. Never rejects. */
  async process(event: TakenEvent): Promise<void> {
    this.running++;
    try {
      if (await this.applyAll(event)) {
        await this.marks.add(event.id);
        this.metrics.lag.observe(Math.max(0, this.clock.nowMs() - event.receivedAt.getTime()) / 1000);
      } else if (event.isRepeated) {
        await this.events.uncount(event.id);
      }
    } catch (error) {
      this.log.error({ err: error, event: String(event.id) }, 'a webhook stays open: it is done again later');
    } finally {
      this.running--;
      if (this.running === 0) for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** Gives an event up that was begun too often, as a whole. */
  async giveUp({ id, body, source }: TakenEvent): Promise<void> {
    const whole = { path: '', field: null, phoneNumberId: null, raw: body };
    const letter = toLetter(id, source, whole, 'FAILED', 'begun too often without an end');
    await this.letters.insertAll([letter], this.clock.now());
    await this.marks.add(id);
  }

  /** Resolves once nothing is being applied. */
  async drained(): Promise<void> {
    if (this.running > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /**
   * Applies once more what stands at one place of an event, or all of it for an empty `path`, and resolves its dead
   * letter if that goes well; else the dead letter says why it did not.
   *
   * @throws AppError NOT_RETRYABLE when nothing stands there, NOT_READY when the database is away
   */
  async retry(event: TakenEvent, path: string): Promise<void> {
    const { items, bad } = readWebhook(event.body);
    const stands = (part: { path: string }): boolean => path === '' || part.path === path;
    const parts = { items: items.filter(stands), bad: bad.filter(stands) };
    if (parts.items.length + parts.bad.length === 0) throw new AppError('NOT_RETRYABLE');
    const { refused, open } = await this.apply(event, parts);
    if (open !== undefined) throw new AppError('NOT_READY', { cause: open });
    if (!refused.includes(path)) await this.letters.resolve(event.id, [path], this.clock.now());
  }

  /** Whether all of it was applied or is kept. */
  private async applyAll(event: TakenEvent): Promise<boolean> {
    const { applied, open } = await this.apply(event, readWebhook(event.body));
    if (event.isRepeated && applied.length > 0) {
      await this.letters.resolve(event.id, applied, this.clock.now());
    }
    if (open === undefined) return true;
    this.log.warn({ err: open, event: String(event.id) }, 'a webhook could not be applied now');
    return false;
  }

  private async apply(event: TakenEvent, { items, bad }: Parts): Promise<Outcome> {
    const { id, source, receivedAt } = event;
    const letters = bad.map((part) => toLetter(id, source, part, 'BAD_ITEM', part.detail));
    const context = { eventId: id, source, receivedAt };
    const results = await Promise.allSettled(items.map((item) => this.applier.apply(item, context)));
    const applied: string[] = [];
    let open: unknown;
    for (const [index, result] of results.entries()) {
      const item = items[index];
      if (!item) continue;
      if (result.status === 'fulfilled') applied.push(item.path);
      else if (isNotReady(result.reason) || PASSING.includes(sqlState(result.reason) ?? ''))
        open = result.reason;
      else letters.push(this.refuse(event, item, result.reason));
    }
    if (letters.length > 0) await this.letters.insertAll(oneAPlace(letters), this.clock.now());
    if (applied.length > 0) this.metrics.items.inc({ outcome: 'applied' }, applied.length);
    for (const { reason } of letters) this.metrics.items.inc({ outcome: reason.toLowerCase() });
    return { applied, refused: letters.map(({ path }) => path), open };
  }

  private refuse(event: TakenEvent, item: WebhookItem, reason: unknown): NewDeadLetterRow {
    if (reason instanceof ItemRefused) {
      return toLetter(event.id, event.source, item, reason.reason, reason.detail);
    }
    this.log.error({ err: reason, event: String(event.id), path: item.path }, 'a part of a webhook failed');
    return toLetter(event.id, event.source, item, 'FAILED', 'an error of the server: its log says which');
  }
}

function toLetter(
  eventId: bigint,
  source: WebhookSource,
  part: Pick<BadItem, 'path' | 'field' | 'phoneNumberId' | 'raw'>,
  reason: RefusalReason,
  detail: string,
): NewDeadLetterRow {
  return {
    id: randomUUID(),
    event_id: String(eventId),
    phone_number_id: part.phoneNumberId === null ? null : storableText(part.phoneNumberId),
    field: part.field === null ? null : storableText(part.field),
    path: storableText(part.path),
    reason,
    detail: storableText(detail),
    item: itemText(part.raw),
    source,
  };
}

/** What is nested deeper than can be written is in the event alone. */
function itemText(raw: unknown): string {
  try {
    return JSON.stringify(storable(raw ?? null));
  } catch {
    return 'null';
  }
}

function oneAPlace(letters: readonly NewDeadLetterRow[]): NewDeadLetterRow[] {
  return [...new Map(letters.map((letter) => [letter.path, letter])).values()];
}
