import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { MessageCreated, MessageStatusChanged } from '../../messages/messages.events.js';
import { HookDeliveriesRepository } from './hook-deliveries.repository.js';
import { HooksRepository } from './hooks.repository.js';

export const HOOK_QUEUE = 'whatsapp-hook-queue';

/** Tells a tenant's system everything that is due. */
export interface HookJob {
  tenantId: string;
}

/** What happens within this time is looked at together, in milliseconds. */
export const FEED_AFTER_MS = 200;
/** When to look again at what a slower transaction still holds up, in milliseconds. */
export const LOOK_AGAIN_MS = 500;
export const HOOK_SWEEP_MS = 60_000;
/** Deliveries are shown and may be replayed for this long, in milliseconds. */
export const DELIVERIES_KEPT_MS = 7 * 24 * 3600_000;
/** Messages of one statement. */
const FEED_PAGE = 500;
const PRUNE_PAGE = 5_000;

/**
 * Makes deliveries of what happens in the conversations of tenants with a webhook, and jobs of what is due.
 *
 * A message or a status pays one entry in a set; the deliveries are read from the messages themselves, behind a cursor in
 * the database, so nothing is lost with a process: what no event woke is found by the sweep of any worker.
 */
@Injectable()
export class HookWakeups implements OnModuleInit, BeforeApplicationShutdown {
  private fresh = new Set<string>();
  private cancelFlush: (() => void) | undefined;
  private cancelSweep: (() => void) | undefined;
  private readonly running = new Set<Promise<void>>();
  private readonly timers = new Set<() => void>();
  private sweeping = false;
  private stopped = false;

  constructor(
    private readonly events: EventBus,
    private readonly hooks: HooksRepository,
    private readonly deliveries: HookDeliveriesRepository,
    private readonly queues: JobQueues,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.events.on(MessageCreated, ({ chatType, audienceId }) => {
      if (chatType === 'WHATSAPP') this.note(audienceId);
    });
    this.events.on(MessageStatusChanged, ({ audienceId }) => {
      this.note(audienceId);
    });
    if (this.queues.works) {
      this.cancelSweep = this.clock.every(HOOK_SWEEP_MS, () => {
        if (this.sweeping) return;
        this.sweeping = true;
        this.run(() => this.sweep().finally(() => (this.sweeping = false)));
      });
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    this.cancelSweep?.();
    this.cancelFlush?.();
    for (const cancel of this.timers) cancel();
    await Promise.all(this.running);
  }

  /** @param reason is the same for those who ask for the same, and new for whatever has become due since */
  async wake(tenantId: string, reason: string): Promise<void> {
    const data: HookJob = { tenantId };
    await this.queues.add(HOOK_QUEUE, [{ id: `${tenantId}.${reason}`, name: 'deliver', data }]);
  }

  /** Like `wake`, at a time; what is lost with this process is found by the sweep. */
  wakeAt(tenantId: string, reason: string, at: Date): void {
    if (this.stopped) return;
    const cancel = this.clock.after(Math.max(0, at.getTime() - this.clock.nowMs()), () => {
      this.timers.delete(cancel);
      this.run(() => this.wake(tenantId, reason));
    });
    this.timers.add(cancel);
  }

  private note(tenantId: string, afterMs = FEED_AFTER_MS): void {
    if (this.stopped) return;
    this.fresh.add(tenantId);
    this.cancelFlush ??= this.clock.after(afterMs, () => {
      this.cancelFlush = undefined;
      const tenantIds = [...this.fresh];
      this.fresh = new Set();
      this.run(async () => {
        await this.feedAll(await this.hooks.listTenants(tenantIds));
      });
    });
  }

  private async feedAll(tenantIds: readonly string[]): Promise<void> {
    for (const tenantId of tenantIds) {
      if (await this.feed(tenantId)) this.note(tenantId, LOOK_AGAIN_MS);
    }
  }

  /** @returns whether there is something that could not be read yet */
  private async feed(tenantId: string): Promise<boolean> {
    for (;;) {
      const { fed, read, more } = await this.hooks.feed(tenantId, FEED_PAGE, this.clock.now());
      const last = fed.at(-1);
      if (last !== undefined) await this.wake(tenantId, last);
      if (read < FEED_PAGE || this.stopped) return more;
    }
  }

  private async sweep(): Promise<void> {
    await this.feedAll(await this.hooks.listTenants(null));
    for (const { tenant_id: tenantId, delivery_id: id, attempts } of await this.deliveries.listDue(
      this.clock.now(),
    )) {
      await this.wake(tenantId, `${id}.${attempts}`);
    }
    const before = new Date(this.clock.nowMs() - DELIVERIES_KEPT_MS);
    while ((await this.deliveries.removeOlder(before, PRUNE_PAGE)) === PRUNE_PAGE);
  }

  private run(work: () => Promise<void>): void {
    if (this.stopped) return;
    const done = work()
      .catch((error: unknown) => {
        this.log.error({ err: error }, 'what tenants are to be told could not be found out');
      })
      .finally(() => this.running.delete(done));
    this.running.add(done);
  }
}
