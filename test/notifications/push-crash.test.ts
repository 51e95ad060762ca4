import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { FakeWebPush } from '../fakes/webpush.js';
import { SECRETS, startApp, type TestApp, type TestPerson } from '../support/app.js';
import { BuiltServer } from '../support/built-server.js';
import { call } from '../support/call.js';
import { makeFolder } from '../support/folder.js';
import { makePair } from '../support/people.js';
import { buildProject } from '../support/project.js';
import { addDevice, jobsAreDone, pushedSeq, send } from './push-support.js';

/**
 * What is killed, and where, between the commit of a message and its push. Nothing is lost. A push comes twice only
 * when its service had it before the kill and nobody could write that down; then both have one topic, and the device
 * shows one.
 */
const SWEEP_MS = 60_000;
/** A job of a dead process is taken up after two looks of ten seconds each, and the time until the first. */
const TAKE_OVER_MS = 40_000;

let webpush: FakeWebPush;
let api: TestApp;
let worker: TestApp | undefined;

beforeAll(async () => {
  await buildProject();
  webpush = await FakeWebPush.start();
  api = await startApp({ env: { ...webpush.env, ROLE: 'api' } });
}, 180_000);

afterEach(async () => {
  await worker?.close();
  worker = undefined;
});

afterAll(async () => {
  await api.close();
  await webpush.stop();
});

/** Ann has a browser that is not connected; Ben can write to her. */
async function makeScene(): Promise<{ ann: TestPerson; ben: TestPerson; chatId: string; browser: string }> {
  const { ann, ben, chatId } = await makePair(api);
  const { id: browser, ...subscription } = webpush.subscribe();
  await addDevice(api, ann, 'browser', { provider: 'webpush', subscription });
  return { ann, ben, chatId, browser };
}

function startWorker(): Promise<TestApp> {
  return startApp({ shareDatabaseWith: api, env: { ...webpush.env, ROLE: 'worker' } });
}

/** A process of its own, which can be killed. */
async function startProcess(role: 'all' | 'worker'): Promise<BuiltServer> {
  return BuiltServer.start({
    dataDir: await makeFolder('killed'),
    port: await findFreePort(),
    env: { ...SECRETS, ...webpush.env, ROLE: role, DATABASE_URL: api.databaseUrl, RATE_LIMITS: 'off' },
  });
}

async function waitFor(isSo: () => boolean, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('it did not happen in time');
    await sleep(20);
  }
}

async function jobNames(): Promise<string[]> {
  const rows = await api.sql<{ name: string }>(
    `SELECT name FROM bullmq.job WHERE queue = 'push-queue' ORDER BY name`,
  );
  return rows.map((row) => row.name);
}

it('pushes what a server committed that was killed before it added the job', async () => {
  const { ann, ben, chatId, browser } = await makeScene();
  const killed = await startProcess('all');
  await call(killed.url, 'POST', `/api/chats/${chatId}/messages`, ben.token, { text: 'just in time' });
  await killed.kill();
  expect(await jobNames()).toEqual([]);
  expect(await pushedSeq(api, ann, chatId)).toBe(0);

  worker = await startWorker();
  api.clock.advance(SWEEP_MS);
  await waitFor(() => webpush.to(browser).length > 0, 10_000);
  await jobsAreDone(api);
  api.clock.advance(SWEEP_MS);
  await jobsAreDone(api);
  expect(webpush.to(browser).map((push) => push.payload.body)).toEqual(['just in time']);
}, 60_000);

it('pushes what was added while there was no worker, once', async () => {
  const { ben, chatId, browser } = await makeScene();
  await send(ben, chatId, 'waiting');
  api.clock.advance(1_000);
  for (let i = 0; (await jobNames()).length === 0 && i < 500; i++) await sleep(10);
  expect(await jobNames()).toEqual(['chat']);
  worker = await startWorker();
  await waitFor(() => webpush.to(browser).length > 0, 10_000);
  await jobsAreDone(api);
  expect(webpush.requests.filter((id) => id === browser)).toHaveLength(1);
}, 60_000);

it('pushes what a worker had begun to send when it was killed', async () => {
  const { ben, chatId, browser } = await makeScene();
  webpush.refuse(browser, { status: 0, hangs: true });
  const killed = await startProcess('worker');
  await send(ben, chatId, 'again');
  api.clock.advance(1_000);
  await waitFor(() => webpush.requests.includes(browser), 20_000);
  await killed.kill();
  expect(await jobNames()).toEqual(['device']);

  worker = await startWorker();
  await waitFor(() => webpush.to(browser).length > 0, TAKE_OVER_MS);
  await jobsAreDone(api);
  expect(webpush.to(browser).map((push) => push.payload.body)).toEqual(['again']);
}, 120_000);

it('repeats a push, under the same topic, rather than lose it when it cannot be noted', async () => {
  const { ann, ben, chatId, browser } = await makeScene();
  await api.sql(`
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed here'; END $$;
    CREATE TRIGGER fails BEFORE UPDATE OF pushed_seq ON member FOR EACH ROW EXECUTE FUNCTION fail()`);
  worker = await startWorker();
  await send(ben, chatId, 'twice at most');
  api.clock.advance(1_000);
  await waitFor(() => webpush.to(browser).length > 0, 10_000);
  await api.sql('DROP TRIGGER fails ON member; DROP FUNCTION fail()');
  await waitFor(() => webpush.to(browser).length > 1, 20_000);
  await jobsAreDone(api);
  expect(await pushedSeq(api, ann, chatId)).toBe(1);
  const pushes = webpush.to(browser);
  expect(pushes.length).toBeLessThanOrEqual(4);
  expect(new Set(pushes.map((push) => push.headers.topic)).size).toBe(1);
  expect(new Set(pushes.map((push) => push.payload.seq))).toEqual(new Set([1]));
}, 60_000);
