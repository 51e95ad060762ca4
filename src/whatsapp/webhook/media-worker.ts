import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { ChannelRevisions } from '../../messages/channel-revisions.js';
import { MediaFetchRepository } from './media-fetch.repository.js';
import { MediaFetcher } from './media-fetcher.js';
import { MEDIA_QUEUE, MediaWakeups } from './media-wakeups.js';

const WORK = { concurrency: 4, takeOverAfterMs: 30_000, retryDelayMs: 5_000 };
/** How often what no job woke is looked for, in milliseconds. */
const SWEEP_MS = 60_000;
const SWEEP_PAGE = 500;
/** Meta tells nothing of a message after 30 days. */
const CHANGES_KEPT_MS = 31 * 24 * 3_600_000;

interface FetchJob {
  chatId: string;
  seq: number;
}

/** Does the jobs that fetch files, in a process that does jobs, and finds those that have none. */
@Injectable()
export class MediaWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private cancelSweep: (() => void) | undefined;
  private sweeping: Promise<void> | undefined;

  constructor(
    private readonly queues: JobQueues,
    private readonly fetcher: MediaFetcher,
    private readonly wakeups: MediaWakeups,
    private readonly repository: MediaFetchRepository,
    private readonly revisions: ChannelRevisions,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.queues.works) return;
    await this.queues.work(MEDIA_QUEUE, WORK, async ({ data }) => this.fetcher.fetch(data as FetchJob));
    this.cancelSweep = this.clock.every(SWEEP_MS, () => {
      this.sweeping ??= this.sweep()
        .catch((error: unknown) => {
          this.log.error({ err: error }, 'files that are due could not be looked for');
        })
        .finally(() => (this.sweeping = undefined));
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.cancelSweep?.();
    await this.sweeping;
    await this.wakeups.drained();
  }

  private async sweep(): Promise<void> {
    const now = this.clock.now();
    const due = await this.repository.listDue(now, SWEEP_PAGE);
    for (const { chat_id: chatId, seq, attempts } of due) this.wakeups.wake({ chatId, seq }, attempts);
    await this.revisions.forgetOld(new Date(now.getTime() - CHANGES_KEPT_MS));
  }
}
