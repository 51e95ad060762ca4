import type { PostgresConnectionOptions, Queue, Worker } from 'bullmq';
import pg from 'pg';
import type { Role } from '../config/config.js';
import type { Log } from '../observability/log.js';
import { QUEUE_SCHEMA } from './queue-schema.js';

export interface NewJob {
  /** Without `:`, and no number. A job whose id is still queued or running is not added again. */
  id: string;
  /** Which kind of job of this queue it is. */
  name: string;
  /** Plain JSON. It stays in the database until the job is done: nothing secret, nothing that grows stale. */
  data: object;
}

export interface JobToDo {
  id: string;
  name: string;
  data: unknown;
  /** 1 for the first try. */
  attempt: number;
}

export interface WorkOptions {
  /** Jobs of this process that run at the same time. */
  concurrency: number;
  /** How long a job of a process that died waits before another takes it up, at most twice this, in milliseconds. */
  takeOverAfterMs: number;
  /** After the first failure, doubled after each further one, in milliseconds. */
  retryDelayMs: number;
}

/** Thrown by a job that wants to be tried again at a time of its own choosing, within its attempts. */
export class RetryAfter extends Error {
  constructor(
    message: string,
    readonly delayMs: number,
  ) {
    super(message);
    this.name = 'RetryAfter';
  }
}

/** Tries of a job before it is given up. */
export const MAX_ATTEMPTS = 5;
/** Crashes of a worker that a job survives. */
const MAX_TAKE_OVERS = 10;
/**
 * Connections of all queues of this process. A worker keeps one to hear of new jobs; the rest is shared by jobs, which
 * need one for a moment each.
 */
const POOL_MAX_ADDING = 2;
const POOL_MAX_WORKING = 6;

/**
 * Durable jobs: BullMQ on PostgreSQL. A job only wakes its worker; what must not be lost is a row of its own, and a
 * sweep finds what no job woke. Jobs run at least once. Delays and retries are in real time, not the Clock's.
 *
 * Nothing is opened before the first job is added or waited for, so a server without jobs pays nothing.
 */
export class JobQueues {
  private pool: pg.Pool | undefined;
  private readonly queues = new Map<string, Promise<Queue>>();
  private readonly workers: Worker[] = [];
  private stopping: Promise<void> | undefined;

  /** @param directUrl leads past a pooler: LISTEN needs a connection of its own */
  constructor(
    private readonly directUrl: string,
    private readonly role: Role,
    private readonly log: Log,
  ) {}

  /** Whether this process does jobs; one that does not may still add them. */
  get works(): boolean {
    return this.role !== 'api';
  }

  /** Resolves when the jobs are committed. They are removed when they are done, or given up after `MAX_ATTEMPTS`. */
  async add(queueName: string, jobs: readonly NewJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const queue = await this.open(queueName);
    const opts = {
      attempts: MAX_ATTEMPTS,
      backoff: { type: 'custom' },
      removeOnComplete: true,
      removeOnFail: true,
    };
    await queue.addBulk(jobs.map(({ id, name, data }) => ({ name, data, opts: { ...opts, jobId: id } })));
  }

  /**
   * Does the jobs of a queue from now on; in an `api` process, nothing. One that throws is tried again.
   */
  async work(
    queueName: string,
    options: WorkOptions,
    handle: (job: JobToDo) => Promise<void>,
  ): Promise<void> {
    if (!this.works || this.stopping) return;
    const { createPostgresBackend, withBackend } = await import('bullmq');
    const { Worker: PostgresWorker } = withBackend(createPostgresBackend);
    const worker = new PostgresWorker(
      queueName,
      async (job) => {
        await handle({
          id: job.id ?? '',
          name: job.name,
          data: job.data as unknown,
          attempt: job.attemptsMade + 1,
        });
      },
      {
        connection: this.connection(),
        concurrency: options.concurrency,
        lockDuration: options.takeOverAfterMs,
        stalledInterval: options.takeOverAfterMs,
        maxStalledCount: MAX_TAKE_OVERS,
        settings: {
          backoffStrategy: (attempts, _type, error) =>
            error instanceof RetryAfter ? error.delayMs : options.retryDelayMs * 2 ** (attempts - 1),
        },
      },
    );
    worker.on('error', (error) => {
      if (!this.stopping) this.log.warn({ err: error, queue: queueName }, 'a job queue is in trouble');
    });
    worker.on('failed', (job, error) => {
      const givenUp = job === undefined || job.attemptsMade >= MAX_ATTEMPTS;
      const about = { err: error, queue: queueName, job: job?.id, attempt: job?.attemptsMade };
      if (givenUp) this.log.error(about, 'a job was given up');
      else this.log.warn(about, 'a job failed and is tried again');
    });
    this.workers.push(worker as unknown as Worker);
    await worker.waitUntilReady();
  }

  /** Takes no further job, and resolves when those that run are done. */
  async stopWorking(): Promise<void> {
    this.stopping ??= Promise.all(this.workers.map((worker) => worker.close())).then(() => undefined);
    await this.stopping;
  }

  /** Closes every connection. Nothing may be added afterwards. */
  async close(): Promise<void> {
    await this.stopWorking();
    const queues = await Promise.allSettled(this.queues.values());
    await Promise.all(
      queues.map(async (queue) => (queue.status === 'fulfilled' ? queue.value.close() : null)),
    );
    await this.pool?.end();
    this.pool = undefined;
  }

  private async open(queueName: string): Promise<Queue> {
    const opened = this.queues.get(queueName);
    if (opened) return opened;
    const opening = this.openQueue(queueName);
    this.queues.set(queueName, opening);
    opening.catch(() => this.queues.delete(queueName));
    return opening;
  }

  private async openQueue(queueName: string): Promise<Queue> {
    const { createPostgresBackend, withBackend } = await import('bullmq');
    const { Queue: PostgresQueue } = withBackend(createPostgresBackend);
    const queue = new PostgresQueue(queueName, { connection: this.connection() });
    queue.on('error', (error) => {
      if (!this.stopping) this.log.warn({ err: error, queue: queueName }, 'a job queue is in trouble');
    });
    try {
      await queue.waitUntilReady();
    } catch (error) {
      await queue.close();
      throw error;
    }
    return queue as unknown as Queue;
  }

  /** All queues and workers share one pool, so that their connections are counted. */
  private connection(): PostgresConnectionOptions {
    this.pool ??= this.openPool();
    // BullMQ takes any pool that behaves like this one; only the types do not say so.
    return this.pool as unknown as PostgresConnectionOptions;
  }

  private openPool(): pg.Pool {
    const url = new URL(this.directUrl);
    const options = [url.searchParams.get('options'), `-c search_path=${QUEUE_SCHEMA}`];
    url.searchParams.set('options', options.filter((option) => option !== null).join(' '));
    const pool = new pg.Pool({
      connectionString: url.href,
      max: this.works ? POOL_MAX_WORKING : POOL_MAX_ADDING,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      application_name: 'parley-jobs',
    });
    pool.setMaxListeners(0);
    pool.on('error', (error) => {
      if (!this.stopping) this.log.warn({ err: error }, 'an idle connection of the job queues was lost');
    });
    return pool;
  }
}
