import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { isNotReady } from '../../infra/http/to-app-error.js';
import { Log } from '../../infra/observability/log.js';
import { TenantChanged } from '../tenants/tenants.events.js';
import { DeadLettersRepository } from './dead-letters.repository.js';
import { PendingStatusesRepository } from './pending-statuses.repository.js';
import { WebhookEventsRepository, type EventRow } from './webhook-events.repository.js';
import { WebhookProcessor, type TakenEvent } from './webhook-processor.js';

/** How long a process that took an event has for it before another does it, in milliseconds. */
export const CLAIM_MS = 60_000;
/** How often what was left over is looked for, in milliseconds. */
const PERIOD_MS = 10_000;
const CLAIM_BATCH = 64;
/** Of the bodies that are done at once: what they tell is in memory, and waits for the same few connections. */
const CLAIM_BYTES = 2 * 1024 * 1024;
/** An event that ends its process every time must not do so for ever. */
const MAX_ATTEMPTS = 10;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** As long as Meta itself sends again what was not taken. */
const KEEP_EVENTS_MS = 7 * DAY_MS;
const KEEP_RESOLVED_MS = 30 * DAY_MS;
const KEEP_DEAD_LETTERS_MS = 90 * DAY_MS;
/** Meta gives a message up after 30 days: nothing is told of it afterwards. */
const KEEP_PENDING_STATUSES_MS = 31 * DAY_MS;
const DELETE_BATCH = 1000;

/**
 * Does what was left over: events of a process that died or could not reach the database, events beyond what may be
 * held in memory, and those of a number that nobody had when they came. An event is claimed before it is done, so that
 * of several processes one does it. Once an hour it forgets what is old.
 */
@Injectable()
export class WebhookSweep implements OnApplicationBootstrap, OnModuleDestroy {
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private readonly cancels: (() => void)[] = [];
  private forgetting: Promise<void> | undefined;

  constructor(
    private readonly events: WebhookEventsRepository,
    private readonly letters: DeadLettersRepository,
    private readonly pending: PendingStatusesRepository,
    private readonly processor: WebhookProcessor,
    private readonly bus: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    let forgottenAt = this.clock.nowMs();
    this.cancels.push(
      this.clock.every(PERIOD_MS, () => {
        this.wake();
        if (this.forgetting || this.clock.nowMs() - forgottenAt < HOUR_MS) return;
        forgottenAt = this.clock.nowMs();
        this.forgetting = this.forgetOld()
          .catch((error: unknown) => {
            this.log.error({ err: error }, 'old webhooks could not be deleted: the next hour tries again');
          })
          .finally(() => {
            this.forgetting = undefined;
          });
      }),
    );
    this.bus.on(TenantChanged, () => {
      this.wake();
    });
    this.wake();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    for (const cancel of this.cancels) cancel();
    await Promise.all([this.running, this.forgetting]);
    await this.processor.drained();
  }

  /** Looks for what was left over, now or once the present look is over. */
  wake(): void {
    this.again = true;
    if (this.stopped) return;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
      if (this.again && !this.stopped) this.wake();
    });
  }

  private async run(): Promise<void> {
    this.again = false;
    try {
      await this.letters.reopenKnownNumbers();
      while (!this.stopped) {
        const claimed = await this.claim();
        if (claimed.length === 0) return;
        await Promise.all(claimed.map(async (event) => this.takeUp(event)));
      }
    } catch (error) {
      if (isNotReady(error)) this.log.warn({ err: error }, 'left webhooks could not be looked for');
      else this.log.error({ err: error }, 'left webhooks could not be done: the next sweep tries again');
    }
  }

  /** One that may end its process is done alone: it must not use up the tries of others. */
  private async claim(): Promise<EventRow[]> {
    const now = this.clock.now();
    const until = new Date(now.getTime() + CLAIM_MS);
    const usual = { limit: CLAIM_BATCH, maxBytes: CLAIM_BYTES, suspect: false };
    const claimed = await this.events.claim(now, until, usual);
    return claimed.length > 0
      ? claimed
      : this.events.claim(now, until, { ...usual, limit: 1, suspect: true });
  }

  private async takeUp(row: EventRow): Promise<void> {
    const event = toTaken(row);
    if (row.attempts > MAX_ATTEMPTS) await this.processor.giveUp(event);
    else await this.processor.process(event);
  }

  private async forgetOld(): Promise<void> {
    const now = this.clock.nowMs();
    const ago = (ms: number): Date => new Date(now - ms);
    while (
      !this.stopped &&
      (await this.letters.deleteOld(ago(KEEP_RESOLVED_MS), ago(KEEP_DEAD_LETTERS_MS), DELETE_BATCH)) ===
        DELETE_BATCH
    );
    for (let last: bigint | null = 0n; last !== null && !this.stopped;) {
      last = await this.events.deleteDone(ago(KEEP_EVENTS_MS), last, DELETE_BATCH);
    }
    await this.pending.deleteOld(ago(KEEP_PENDING_STATUSES_MS));
  }
}

/** An event as it is done again: its body was a JSON object when it was taken. */
export function toTaken({ id, source, receivedAt, body }: EventRow): TakenEvent {
  return { id, source, receivedAt, body: JSON.parse(body.toString()) as unknown, isRepeated: true };
}
