import { PUSH_QUEUE } from '../../src/notifications/push/push-jobs.js';
import { LATEST_SCHEMA_VERSION } from 'bullmq';
import pg from 'pg';
import { JobQueues, RetryAfter, type JobToDo } from '../../src/infra/queue/job-queues.js';
import { QUEUE_SCHEMA_VERSION } from '../../src/infra/queue/queue-schema.js';
import { Log } from '../../src/infra/observability/log.js';
import { cloneTemplate, startApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const WORK = { concurrency: 4, takeOverAfterMs: 1_000, retryDelayMs: 50 };

let databaseUrl: string;
let client: pg.Client;
const opened: JobQueues[] = [];
const lines: string[] = [];

beforeAll(async () => {
  databaseUrl = await cloneTemplate();
  client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((queues) => queues.close()));
  lines.length = 0;
});

afterAll(() => client.end());

function open(role: 'all' | 'api' | 'worker', url = databaseUrl): JobQueues {
  const queues = new JobQueues(
    url,
    role,
    new Log('debug', { write: (line: string) => void lines.push(line) }),
  );
  opened.push(queues);
  return queues;
}

/** The jobs that a handler has been given, and a handler that remembers them. */
function recorder(): { jobs: JobToDo[]; handle: (job: JobToDo) => Promise<void> } {
  const jobs: JobToDo[] = [];
  return {
    jobs,
    handle: (job) => {
      jobs.push(job);
      return Promise.resolve();
    },
  };
}

/** Asked in a later turn of the event loop. */
function countOf(list: readonly unknown[]): Promise<number> {
  return new Promise((resolve) => {
    setImmediate(() => {
      resolve(list.length);
    });
  });
}

async function rowsOf(queue: string): Promise<{ id: string; state: string }[]> {
  return (
    await client.query<{ id: string; state: string }>('SELECT id, state FROM bullmq.job WHERE queue = $1', [
      queue,
    ])
  ).rows;
}

async function connections(database = databaseUrl): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()`,
    [new URL(database).pathname.slice(1)],
  );
  return rows[0]!.count;
}

it('knows the version of the tables that the installed BullMQ works on', () => {
  expect(QUEUE_SCHEMA_VERSION).toBe(LATEST_SCHEMA_VERSION);
});

it('does a job that another process has added, once, and leaves nothing behind', async () => {
  await open('api').add('q1', [{ id: 'one', name: 'greet', data: { text: 'hello' } }]);
  expect(await rowsOf('q1')).toEqual([{ id: 'one', state: 'waiting' }]);

  const { jobs, handle } = recorder();
  await open('worker').work('q1', WORK, handle);
  await eventually(
    () => rowsOf('q1'),
    (rows) => rows.length === 0,
  );
  expect(jobs).toEqual([{ id: 'one', name: 'greet', data: { text: 'hello' }, attempt: 1 }]);
});

it('keeps an added job through the end of the process that added it', async () => {
  const adding = open('all');
  await adding.add('q2', [{ id: 'kept', name: 'x', data: {} }]);
  await adding.close();
  const { jobs, handle } = recorder();
  await open('worker').work('q2', WORK, handle);
  await eventually(
    () => countOf(jobs),
    (count) => count === 1,
  );
});

it('adds a job that waits already no second time, also with others', async () => {
  const queues = open('api');
  const job = (id: string) => ({ id, name: 'x', data: {} });
  await Promise.all([queues.add('q3', [job('a')]), queues.add('q3', [job('a'), job('b')])]);
  await queues.add('q3', [job('a'), job('c')]);
  expect((await rowsOf('q3')).map((row) => row.id).sort()).toEqual(['a', 'b', 'c']);
});

it('does no job in an api process', async () => {
  const api = open('api');
  const { jobs, handle } = recorder();
  await api.work('q4', WORK, handle);
  await api.add('q4', [{ id: 'waits', name: 'x', data: {} }]);
  expect(await rowsOf('q4')).toEqual([{ id: 'waits', state: 'waiting' }]);
  expect(jobs).toEqual([]);
});

it('tries a failing job five times, and one that names a time then', async () => {
  const attempts: number[] = [];
  const times: number[] = [];
  const queues = open('all');
  await queues.work('q5', { ...WORK, retryDelayMs: 10 }, (job) => {
    times.push(performance.now());
    attempts.push(job.attempt);
    throw job.attempt === 1 ? new RetryAfter('later', 400) : new Error('broken');
  });
  await queues.add('q5', [{ id: 'bad', name: 'x', data: {} }]);
  await eventually(
    () => rowsOf('q5'),
    (rows) => rows.length === 0,
  );
  expect(attempts).toEqual([1, 2, 3, 4, 5]);
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(390);
  await eventually(
    async () => countOf(lines.filter((line) => line.includes('a job was given up'))),
    (count) => count === 1,
  );
});

it('waits for the job that runs when it stops, and takes no further one', async () => {
  const queues = open('worker');
  let finish = (): void => undefined;
  const began = new Promise<void>((resolveBegan) => {
    void queues.work('q6', { ...WORK, concurrency: 1 }, () => {
      resolveBegan();
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
  });
  await open('api').add(
    'q6',
    ['first', 'second'].map((id) => ({ id, name: 'x', data: {} })),
  );
  await began;
  let stopped = false;
  const stopping = queues.stopWorking().then(() => {
    stopped = true;
  });
  expect((await rowsOf('q6')).map((row) => row.state).sort()).toEqual(['active', 'waiting']);
  expect(stopped).toBe(false);
  finish();
  await stopping;
  expect(await rowsOf('q6')).toEqual([{ id: 'second', state: 'waiting' }]);
});

it('lets another process take up the job of one that died', async () => {
  const dead = open('worker');
  let end = (): void => undefined;
  const taken = new Promise<void>((resolveTaken) => {
    // With its one place taken it cannot take the job a second time itself.
    void dead.work('q7', { ...WORK, concurrency: 1, takeOverAfterMs: 60_000 }, () => {
      resolveTaken();
      return new Promise((resolve) => {
        end = resolve;
      });
    });
  });
  await open('api').add('q7', [{ id: 'orphan', name: 'x', data: {} }]);
  await taken;
  // As if it had been killed a minute ago: nobody extends its lock any more.
  await client.query(`UPDATE bullmq.job SET locked_until_ms = 1 WHERE queue = 'q7'`);
  const { jobs, handle } = recorder();
  await open('worker').work('q7', WORK, handle);
  await eventually(
    () => countOf(jobs),
    (count) => count === 1,
  );
  // The job is no longer the first one's to finish.
  end();
  await dead.close();
  expect(await rowsOf('q7')).toEqual([]);
});

it('needs two connections to add, six to work, and none before the first job or after its end', async () => {
  const url = await cloneTemplate();
  const api = open('api', url);
  const worker = open('worker', url);
  expect(await connections(url)).toBe(0);
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => api.add(`q${i % 3}`, [{ id: `job ${i}`, name: 'x', data: {} }])),
  );
  expect(await connections(url)).toBeLessThanOrEqual(2);
  const { jobs, handle } = recorder();
  await Promise.all([0, 1, 2].map((i) => worker.work(`q${i}`, { ...WORK, concurrency: 20 }, handle)));
  await eventually(
    () => countOf(jobs),
    (count) => count === 20,
  );
  expect(await connections(url)).toBeLessThanOrEqual(8);
  await Promise.all([api.close(), worker.close()]);
  await eventually(
    () => connections(url),
    (count) => count === 0,
  );
});

it('does no jobs of pushes without a push provider', async () => {
  const app = await startApp();
  const { rows } = await client.query<{ application_name: string }>(
    'SELECT application_name FROM pg_stat_activity WHERE datname = $1',
    [new URL(app.databaseUrl).pathname.slice(1)],
  );
  const names = rows.map((row) => row.application_name);
  expect(names).toContain('whatsapp-send-queue');
  expect(names).not.toContain(PUSH_QUEUE);
  await app.close();
});
