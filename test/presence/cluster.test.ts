import { Redis } from 'ioredis';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeContacts } from '../support/people.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { TestSocket } from '../support/socket.js';
import { follow, leave, presenceSeen } from './presence-support.js';

let redis: TestRedis;
let operator: Redis;
/** The other instance's way to Redis: cut, it is dead to the rest of the cluster. */
let othersRedis: TestProxy;
let here: TestApp;
let other: TestApp;

beforeAll(async () => {
  redis = await startRedis();
  operator = new Redis(redis.url).on('error', () => undefined);
  othersRedis = await startProxy(redis.url);
  here = await startApp({ redisUrl: redis.url });
  other = await startApp({ redisUrl: othersRedis.url, shareDatabaseWith: here });
});

afterAll(async () => {
  await other.close();
  await here.close();
  await othersRedis.close();
  operator.disconnect();
  await redis.stop();
});

/** Two friends, and a socket of the first on this instance that follows the second. */
async function watched(): Promise<{ ann: TestPerson; ben: TestPerson; watcher: TestSocket }> {
  const [ann, ben] = await Promise.all([here.registerUser(), here.registerUser()]);
  await makeContacts(ann, ben);
  const watcher = await here.connect(ann);
  await follow(watcher, ben);
  return { ann, ben, watcher };
}

const isOnline = ({ online }: { online: boolean }): boolean => online;
const isOffline = ({ online }: { online: boolean }): boolean => !online;

describe('two instances', () => {
  it('know who is on the other, and tell their own subscribers', async () => {
    const { ann, ben, watcher } = await watched();

    const device = await other.connect(ben);
    expect(await watcher.next('presence')).toEqual({ userId: ben.id, online: true, lastSeenAt: null });
    for (const app of [here, other])
      expect(await presenceSeen(ann, ben, app)).toMatchObject({ online: true });

    await leave(other, device);
    const leftAt = here.clock.now().toISOString();
    here.clock.advance(5_000);
    const offline = { userId: ben.id, online: false, lastSeenAt: leftAt };
    expect(await watcher.next('presence', isOffline)).toEqual(offline);
    for (const app of [here, other]) expect(await presenceSeen(ann, ben, app)).toEqual(offline);
  });

  it('tell nothing while a person stays connected to one of them', async () => {
    const { ann, ben, watcher } = await watched();
    const there = await other.connect(ben);
    await watcher.next('presence', isOnline);
    const alsoHere = await here.connect(ben);

    await leave(other, there);
    here.clock.advance(5_000);
    // Somebody else's departure from the same instance, told after Ben's would have been.
    const { ben: cem, watcher: second } = await watched();
    const cemsDevice = await other.connect(cem);
    await second.next('presence', isOnline);
    await leave(other, cemsDevice);
    here.clock.advance(5_000);
    await second.next('presence', isOffline);
    for (const app of [here, other]) {
      expect(await presenceSeen(ann, ben, app)).toMatchObject({ online: true, lastSeenAt: null });
    }
    await watcher.barrier();
    expect(watcher.all('presence').filter(isOffline)).toEqual([]);

    await leave(here, alsoHere);
    const leftAt = here.clock.now().toISOString();
    here.clock.advance(5_000);
    expect(await watcher.next('presence', isOffline)).toEqual({
      userId: ben.id,
      online: false,
      lastSeenAt: leftAt,
    });
  });

  it('let a person move between them within five seconds unnoticed', async () => {
    const { ann, ben, watcher } = await watched();
    const there = await other.connect(ben);
    await watcher.next('presence', isOnline);

    await leave(other, there);
    here.clock.advance(4_000);
    const device = await here.connect(ben);
    here.clock.advance(5_000);
    expect(await presenceSeen(ann, ben, other)).toMatchObject({ online: true });

    await leave(here, device);
    here.clock.advance(5_000);
    await watcher.next('presence', isOffline);
    expect(watcher.all('presence').map(isOnline)).toEqual([true, false]);
  });

  it('follow settings, blocks and contacts changed on the other', async () => {
    const { ann, ben, watcher } = await watched();
    await other.connect(ben);
    await watcher.next('presence', isOnline);
    const bensHttp = other.http(ben.token);

    await bensHttp.put('/api/auth/update-profile', { settings: { lastSeen: 'contacts' } });
    await bensHttp.post('/api/contacts/block', { userId: ann.id });
    expect(await watcher.next('presence', isOffline)).toMatchObject({ lastSeenAt: null });
    await bensHttp.patch(`/api/contacts/unblock/${ann.id}`);
    await watcher.next('presence', isOnline);
    const [contact] = (await bensHttp.get('/api/contacts')).data;
    await bensHttp.delete(`/api/contacts/${contact.id}`);
    await watcher.next('presence', isOffline);
  });
});

describe('an instance that dies', () => {
  it('takes its users offline within 45 s, except those who are elsewhere; back, it brings them back', async () => {
    const { ann, ben, watcher } = await watched();
    const { ben: cem, watcher: cemsWatcher } = await watched();
    await other.connect(ben);
    await other.connect(cem);
    await here.connect(cem);
    await watcher.next('presence', isOnline);
    await cemsWatcher.next('presence', isOnline);
    const lastHeartbeat = here.clock.nowMs();

    await othersRedis.cut();
    here.clock.advance(30_000);
    expect(await presenceSeen(ann, ben)).toMatchObject({ online: true });
    here.clock.advance(15_000);

    const { lastSeenAt } = await watcher.next<{ online: boolean; lastSeenAt: string }>('presence', isOffline);
    const age = lastHeartbeat - Date.parse(lastSeenAt);
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThanOrEqual(10_000);
    expect(await presenceSeen(ann, ben)).toEqual({ userId: ben.id, online: false, lastSeenAt });
    expect(await presenceSeen(cem, cem)).toMatchObject({ online: true, lastSeenAt: null });
    await cemsWatcher.barrier();
    expect(cemsWatcher.all('presence').filter(isOffline)).toEqual([]);

    await othersRedis.restore();
    await watcher.next('presence', isOnline);
    expect(await presenceSeen(ann, ben)).toMatchObject({ online: true });
  });
});

describe('an instance that is stopped', () => {
  it('leaves its users five seconds to come back elsewhere', async () => {
    const third = await startApp({ redisUrl: redis.url, shareDatabaseWith: here });
    const stays = await watched();
    const comes = await watched();
    await third.connect(stays.ben);
    await third.connect(comes.ben);
    await stays.watcher.next('presence', isOnline);
    await comes.watcher.next('presence', isOnline);
    here.clock.advance(1_000);
    const stoppedAt = here.clock.now().toISOString();

    await third.running.close();
    expect(await presenceSeen(stays.ann, stays.ben)).toMatchObject({ online: true });
    await here.connect(comes.ben);
    // At its next heartbeat at the latest, another instance takes over.
    here.clock.advance(5_000);
    here.clock.advance(10_000);

    expect(await stays.watcher.next('presence', isOffline)).toEqual({
      userId: stays.ben.id,
      online: false,
      lastSeenAt: stoppedAt,
    });
    expect(await presenceSeen(comes.ann, comes.ben)).toMatchObject({ online: true });
    expect(comes.watcher.all('presence').filter(isOffline)).toEqual([]);
    await third.close();
  });
});

describe('a Redis that loses everything', () => {
  it('is told again by each instance, at its next change or heartbeat', async () => {
    const { ann, ben, watcher } = await watched();
    const { ann: dan, ben: cem, watcher: cemsWatcher } = await watched();
    await other.connect(ben);
    await watcher.next('presence', isOnline);

    await operator.flushall();
    const device = await other.connect(cem);
    await cemsWatcher.next('presence', isOnline);
    await eventually(() => presenceSeen(ann, ben), isOnline);

    await operator.flushall();
    await leave(other, device);
    here.clock.advance(5_000);
    await cemsWatcher.next('presence', isOffline);
    await eventually(() => presenceSeen(ann, ben), isOnline);

    await operator.flushall();
    expect(await presenceSeen(ann, ben)).toMatchObject({ online: false });
    here.clock.advance(10_000);
    await eventually(() => presenceSeen(ann, ben), isOnline);
    expect(await presenceSeen(dan, cem)).toMatchObject({ online: false });
  });
});

describe('without Redis', () => {
  it('each instance answers from what it knows itself, says so once, and all agree again afterwards', async () => {
    const came = await watched();
    const left = await watched();
    const leaving = await other.connect(left.ben);
    await left.watcher.next('presence', isOnline);
    const alone = (app: TestApp): string[] =>
      app.logs.filter((line) => line.includes('of this instance alone'));
    const before = alone(other).length;

    await redis.kill();
    await other.connect(came.ben);
    await leave(other, leaving);
    const leftAt = here.clock.now().toISOString();
    here.clock.advance(20_000);
    for (const app of [here, other]) {
      expect((await app.http(came.ann.token).get('/api/contacts')).status).toBe(200);
    }
    expect(await presenceSeen(came.ann, came.ben, other)).toMatchObject({ online: true });
    expect(await presenceSeen(left.ann, left.ben, other)).toMatchObject({
      online: false,
      lastSeenAt: leftAt,
    });
    expect(await presenceSeen(came.ann, came.ben, here)).toMatchObject({ online: false });
    expect(alone(other).length).toBe(before + 1);

    await redis.restart();
    await eventually(() => presenceSeen(came.ann, came.ben, here), isOnline);
    expect(await presenceSeen(left.ann, left.ben, here)).toMatchObject({ online: false, lastSeenAt: leftAt });
  });
});
