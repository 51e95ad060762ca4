import { Injectable } from '@nestjs/common';
import { Batches } from '../../common/batches.js';
import { AppError } from '../../common/errors.js';
import { messageId, type MessageAddress } from '../../common/ids.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues, type NewJob } from '../../infra/queue/job-queues.js';

export const MEDIA_QUEUE = 'whatsapp-media-queue';
/** So long Meta keeps what a customer sent, in milliseconds (2026-05). */
export const MEDIA_LIVES_MS = 7 * 24 * 3_600_000;

const ADDS = { maxSize: 500, maxWaiting: 50_000 };

/** Wakes the worker that fetches files. What it is not told of, the sweep finds. */
@Injectable()
export class MediaWakeups {
  private readonly adds: Batches<NewJob, undefined>;

  constructor(
    private readonly queues: JobQueues,
    private readonly log: Log,
  ) {
    this.adds = new Batches(
      async (jobs) => {
        await this.queues.add(MEDIA_QUEUE, jobs);
        return jobs.map(() => undefined);
      },
      { ...ADDS, onFull: () => new AppError('NOT_READY'), isHopeless: () => true },
    );
  }

  /**
   * Has the file of a message fetched, which is committed.
   *
   * @param attempt how often that was tried before
   */
  wake(address: MessageAddress, attempt = 0): void {
    const { chatId, seq } = address;
    const id = `${messageId(chatId, seq)}.${attempt}`;
    this.adds.add({ id, name: 'fetch', data: { chatId, seq } }).catch((error: unknown) => {
      this.log.warn({ err: error }, 'the worker for files could not be woken: the sweep will');
    });
  }

  /** Resolves once nothing waits to be woken. */
  async drained(): Promise<void> {
    await this.adds.drained();
  }
}
