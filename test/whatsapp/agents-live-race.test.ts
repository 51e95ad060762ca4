import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { TestSocket } from '../support/socket.js';
import { fire, makeShop } from './support/agents.js';
import { hire, type TestTenant } from './support/channel.js';
import { channelOf, makeConversation } from './support/conversations.js';

const MESSAGES = 1_000;
const WRITERS = 12;
const CONVERSATIONS = 4;
const ROUNDS = 2;

interface Written {
  id: string;
  /** The tenant's `agents_seq` at the commit. */
  agentsSeq: number;
  /** When it was begun and answered, in the order of everything the test has seen happen. */
  begun: number;
  answered: number;
}

/** Writes messages of customers through all instances at once. */
async function flood(
  instances: readonly TestApp[],
  shop: TestTenant,
  chatIds: readonly string[],
  tick: () => number,
  onProgress: (done: number) => void,
): Promise<Written[]> {
  const written: Written[] = [];
  let begun = 0;
  const work = async (writer: number): Promise<void> => {
    const app = instances[writer % instances.length];
    while (app && begun < MESSAGES) {
      const number = begun++;
      const at = tick();
      const outcome = await channelOf(app).write({
        chatId: chatIds[number % chatIds.length] ?? '',
        tenantId: shop.id,
        phoneNumberId: shop.phoneNumberId,
        senderId: null,
        type: 'TEXT',
        text: `message ${number}`,
        status: 'SENT',
        direction: 'IN',
        wamid: `wamid.${shop.id}.${number}`,
        from: '15550001',
        to: null,
        sentAt: null,
        payload: {},
      });
      if (outcome.outcome !== 'CREATED') throw new Error(outcome.outcome);
      written.push({ id: outcome.message.id, agentsSeq: outcome.agentsSeq, begun: at, answered: tick() });
      onProgress(written.length);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => work(writer)));
  return written;
}

function toldTo(socket: TestSocket): string[] {
  return socket
    .all<{ message: { id: string } }>('new-message')
    .map((event) => event.message.id)
    .sort();
}

/** Waits until a socket has been told of a message, which may have been on its way over Redis. */
async function heard(socket: TestSocket, id: string): Promise<void> {
  if (!toldTo(socket).includes(id)) {
    await socket.next<{ message: { id: string } }>('new-message', (event) => event.message.id === id);
  }
}

/**
 * While customers write, Zoe is fired at a third of the way and hired again at two thirds. She must have been told of
 * exactly what was committed while she was an agent; Ann, who always is one, of everything.
 */
async function race(instances: readonly [TestApp, ...TestApp[]]): Promise<void> {
  const [first] = instances;
  const ann = await first.registerUser({ name: 'Ann' });
  const zoe: TestPerson = await first.registerUser({ name: 'Zoe' });
  const shop = await makeShop(first, [ann, zoe]);
  const chatIds: string[] = [];
  for (let i = 0; i < CONVERSATIONS; i++) chatIds.push(await makeConversation(first, shop));
  const zoes = await Promise.all(instances.map((app) => app.connect(zoe)));
  const anns = await Promise.all(instances.map((app) => app.connect(ann)));
  const there = instances[1] ?? first;

  let now = 0;
  const tick = (): number => ++now;
  const times = { fireBegun: 0, fired: 0, hireBegun: 0, hired: 0 };
  let changes: Promise<void> | undefined;
  const written = await flood(instances, shop, chatIds, tick, (done) => {
    if (done >= MESSAGES / 3 && !changes) {
      times.fireBegun = tick();
      changes = fire(there, shop, zoe).then(() => {
        times.fired = tick();
      });
    }
    if (done >= (2 * MESSAGES) / 3 && times.hireBegun === 0) {
      times.hireBegun = tick();
      changes = changes?.then(async () => {
        await hire(first, shop, zoe);
        times.hired = tick();
      });
    }
  });
  await changes;
  const [firedSeq, hiredSeq] = [3, 4];
  const theirs = written.filter(({ agentsSeq }) => agentsSeq < firedSeq || agentsSeq >= hiredSeq);
  for (const { agentsSeq, begun, answered } of written) {
    if (answered < times.fireBegun) expect(agentsSeq).toBeLessThan(firedSeq);
    if (begun > times.fired && times.fired > 0) expect(agentsSeq).toBeGreaterThanOrEqual(firedSeq);
    if (answered < times.hireBegun) expect(agentsSeq).toBeLessThan(hiredSeq);
    if (begun > times.hired && times.hired > 0) expect(agentsSeq).toBe(hiredSeq);
  }
  expect(written).toHaveLength(MESSAGES);
  expect(theirs.length).toBeGreaterThan(0);
  expect(theirs.length).toBeLessThan(MESSAGES);

  const all = written.map(({ id }) => id).sort();
  for (const socket of anns) {
    for (const id of all) await heard(socket, id);
    expect(toldTo(socket)).toEqual(all);
  }
  const exact = theirs.map(({ id }) => id).sort();
  for (const socket of zoes) {
    for (const id of exact) await heard(socket, id);
    await socket.barrier();
    expect(toldTo(socket)).toEqual(exact);
  }
  for (const socket of [...zoes, ...anns]) socket.disconnect();
}

describe('1,000 messages of customers racing a firing and a hiring', () => {
  describe('on one instance', () => {
    let app: TestApp;
    beforeAll(async () => {
      app = await startApp();
    });
    afterAll(() => app.close());

    it('the one concerned is told of exactly what is theirs', async () => {
      for (let round = 0; round < ROUNDS; round++) await race([app]);
    }, 120_000);
  });

  describe('on two instances', () => {
    let redis: TestRedis;
    let here: TestApp;
    let there: TestApp;
    beforeAll(async () => {
      redis = await startRedis();
      here = await startApp({ redisUrl: redis.url });
      there = await startApp({ redisUrl: redis.url, shareDatabaseWith: here });
    });
    afterAll(async () => {
      await there.close();
      await here.close();
      await redis.stop();
    });

    it('the one concerned is told of exactly what is theirs, on each', async () => {
      for (let round = 0; round < ROUNDS; round++) await race([here, there]);
    }, 120_000);
  });
});
