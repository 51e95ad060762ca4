import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Log } from '../../infra/observability/log.js';
import { JobQueues, type NewJob } from '../../infra/queue/job-queues.js';
import { SEND_QUEUE } from './send-jobs.js';
import { pass } from './send-points.js';

/** Adds jobs to the queue of sends, after the commit of what they are about. */
@Injectable()
export class SendQueue implements BeforeApplicationShutdown {
  private readonly adding = new Set<Promise<void>>();

  constructor(
    private readonly queues: JobQueues,
    private readonly log: Log,
  ) {}

  /** Nobody waits for it: what cannot be added now, the sweep finds. */
  add(jobs: readonly NewJob[]): void {
    if (jobs.length === 0) return;
    const done = this.queues
      .add(SEND_QUEUE, jobs)
      .then(() => {
        pass('enqueued');
      })
      .catch((error: unknown) => {
        this.log.warn({ err: error }, 'a job to send could not be added');
      })
      .finally(() => this.adding.delete(done));
    this.adding.add(done);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.adding);
  }
}
