import { FakeWebPush } from '../fakes/webpush.js';
import { startApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makePair } from '../support/people.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { addDevice, jobsAreDone, pushedSeq, send } from './push-support.js';

/** An `api` process for the clients and a `worker` for the jobs, as in production. */
let webpush: FakeWebPush;
let redis: TestRedis;
let api: TestApp;
let worker: TestApp;

beforeAll(async () => {
  [webpush, redis] = await Promise.all([FakeWebPush.start(), startRedis()]);
  api = await startApp({ redisUrl: redis.url, env: { ...webpush.env, ROLE: 'api' } });
  worker = await startApp({
    redisUrl: redis.url,
    shareDatabaseWith: api,
    env: { ...webpush.env, ROLE: 'worker' },
  });
});

afterAll(async () => {
  await worker.close();
  await api.close();
  await Promise.all([webpush.stop(), redis.stop()]);
});

it('pushes from the worker what was sent to the api', async () => {
  const { ann, ben, chatId } = await makePair(api);
  const { id: browser, ...subscription } = webpush.subscribe();
  await addDevice(api, ann, 'browser', { provider: 'webpush', subscription });
  const { seq } = await send(ben, chatId, 'hello');
  api.clock.advance(1_000);
  await eventually(
    () => pushedSeq(api, ann, chatId),
    (pushed) => pushed === seq,
  );
  await jobsAreDone(api);
  expect(webpush.to(browser).map((push) => push.payload.body)).toEqual(['hello']);
});

it('knows in the worker who is connected to the api', async () => {
  const { ann, ben, chatId } = await makePair(api);
  const { id: browser, ...subscription } = webpush.subscribe();
  await addDevice(api, ann, 'browser', { provider: 'webpush', subscription });
  const socket = await api.connect(ann);
  await send(ben, chatId, 'look here');
  await socket.next('new-message');
  // The sweep of the worker finds the message undelivered, minute after minute, and Ann connected.
  for (let minute = 0; minute < 3; minute++) {
    api.clock.advance(60_000);
    await jobsAreDone(api);
  }
  expect(webpush.requests).not.toContain(browser);
  expect(await pushedSeq(api, ann, chatId)).toBe(0);

  socket.disconnect();
  await eventually(
    async () => {
      api.clock.advance(60_000);
      return pushedSeq(api, ann, chatId);
    },
    (pushed) => pushed === 1,
  );
  await jobsAreDone(api);
  expect(webpush.to(browser)).toHaveLength(1);
});

it.each([
  ['GET', '/api/devices'],
  ['POST', '/api/auth/login'],
  ['GET', '/api/auth/sessions'],
])('serves nothing of what it loads for its jobs: %s %s', async (method, path) => {
  const { ann } = await makePair(api);
  const http = worker.http(ann.token);
  const answer = await (method === 'GET'
    ? http.get(path, { undocumented: true })
    : http.post(path, { email: ann.email, password: ann.password }, { undocumented: true }));
  expect(answer).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND' });
});
