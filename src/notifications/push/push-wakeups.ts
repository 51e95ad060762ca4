import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { MessageCreated } from '../../messages/messages.events.js';
import { PresenceService } from '../../presence/presence.service.js';
import { PUSHED_WITHIN_MS } from './push.service.js';
import { chatJobs, PUSH_QUEUE } from './push-jobs.js';
import { PushProviders } from './push-providers.js';
import { PushRepository, type DueMemberRow } from './push.repository.js';

/** Messages of one chat within this time share a push, in milliseconds. */
export const DEBOUNCE_MS = 1_000;
/** Who has just left still counts as connected (5 s): they are looked at once more after this, in milliseconds. */
export const SECOND_LOOK_MS = 10_000;
export const SWEEP_MS = 60_000;
const SWEEP_PAGE = 1_000;

/**
 * Wakes the worker for chats in which somebody with a push device is away.
 *
 * Sending pays one entry in a set; once a second one statement asks for all chats that had messages. Without a
 * configured provider nothing happens at all. What is lost with this process, and who leaves later than the second
 * look, is found by the sweep of any worker; sweeps of several make the same jobs.
 */
@Injectable()
export class PushWakeups implements OnModuleInit, BeforeApplicationShutdown {
  private fresh = new Set<string>();
  private cancelFlush: (() => void) | undefined;
  private readonly secondLooks = new Set<() => void>();
  private cancelSweep: (() => void) | undefined;
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(
    private readonly events: EventBus,
    private readonly providers: PushProviders,
    private readonly repository: PushRepository,
    private readonly presence: PresenceService,
    private readonly queues: JobQueues,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    if (!this.providers.any) return;
    this.events.on(MessageCreated, ({ message }) => {
      if (message.type !== 'SYSTEM') this.note(message.chatId);
    });
    if (this.queues.works) {
      this.cancelSweep = this.clock.every(SWEEP_MS, () => {
        this.run(() => this.sweep());
      });
    }
  }

  /** What was noted and not yet looked at becomes jobs now. */
  async beforeApplicationShutdown(): Promise<void> {
    this.cancelSweep?.();
    this.stopped = true;
    for (const cancel of this.secondLooks) cancel();
    if (this.cancelFlush) this.flush();
    await Promise.all(this.running);
  }

  private note(chatId: string): void {
    if (this.stopped) return;
    this.fresh.add(chatId);
    this.cancelFlush ??= this.clock.after(DEBOUNCE_MS, () => {
      this.flush();
    });
  }

  private flush(): void {
    this.cancelFlush?.();
    this.cancelFlush = undefined;
    const chatIds = [...this.fresh];
    this.fresh = new Set();
    this.run(() => this.wake(chatIds, true));
  }

  private async wake(chatIds: readonly string[], lookAgain: boolean): Promise<void> {
    const due = await this.repository.listDueOf(chatIds);
    const away = await this.addJobs(due);
    const missed = new Set(due.filter((row) => !away.has(row)).map((row) => row.chat_id));
    if (!lookAgain || this.stopped || missed.size === 0) return;
    const cancel = this.clock.after(SECOND_LOOK_MS, () => {
      this.secondLooks.delete(cancel);
      this.run(() => this.wake([...missed], false));
    });
    this.secondLooks.add(cancel);
  }

  private async sweep(): Promise<void> {
    const since = new Date(this.clock.nowMs() - PUSHED_WITHIN_MS);
    let page: DueMemberRow[] = [];
    do {
      page = await this.repository.listAllDue(since, page.at(-1) ?? null, SWEEP_PAGE);
      await this.addJobs(page);
    } while (page.length === SWEEP_PAGE);
  }

  /** Adds a job for each chat of which somebody who is due is away. @returns the rows of those */
  private async addJobs(due: readonly DueMemberRow[]): Promise<Set<DueMemberRow>> {
    if (due.length === 0) return new Set();
    const online = await this.presence.isOnline([...new Set(due.map((row) => row.user_id))]);
    const away = due.filter((row) => online.get(row.user_id) !== true);
    await this.queues.add(PUSH_QUEUE, chatJobs(away));
    return new Set(away);
  }

  /** What fails here is made good by the sweep. */
  private run(work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => {
        this.log.error({ err: error }, 'whom to push could not be found out');
      })
      .finally(() => this.running.delete(done));
    this.running.add(done);
  }
}
