import { startApp, type TestApp } from '../support/app.js';
import { makePair } from '../support/people.js';
import { startRedis, type TestRedis } from '../support/redis.js';

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

describe('two instances', () => {
  it('deliver one another’s messages in order, and every seq once', async () => {
    const { ann, ben, chatId } = await makePair(here);
    const [annHere, annThere, benHere, benThere] = [
      await here.connect(ann),
      await there.connect(ann),
      await here.connect(ben),
      await there.connect(ben),
    ];
    await Promise.all(
      [annHere, annThere, benHere, benThere].flatMap((socket) =>
        Array.from({ length: 25 }, (_, i) => socket.ok('send-message', { chatId, text: String(i) })),
      ),
    );
    const { data } = await there.http(ben.token).get(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`);
    expect(data.map((message: { seq: number }) => message.seq)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    for (const socket of [annHere, annThere, benHere, benThere]) {
      const own = 25;
      while (socket.all('new-message').length < 100 - own) await socket.next('new-message');
      const seqs = socket.all('new-message').map((event) => event.message.seq as number);
      expect(new Set(seqs).size).toBe(75);
    }
    for (const socket of [annHere, annThere, benHere, benThere]) socket.disconnect();
  });

  it('store one message for a clientId that reaches both at once', async () => {
    const { ann, chatId } = await makePair(here);
    const annThere = there.http(ann.token);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? annThere : ann.http).post(`/api/chats/${chatId}/messages`, { text: 'a', clientId: 'k' }),
      ),
    );
    expect(new Set(answers.map((answer) => answer.data.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
  });

  it('carry typing across', async () => {
    const { ann, ben, chatId } = await makePair(here);
    const [typist, reader] = [await here.connect(ann), await there.connect(ben)];
    await reader.ok('join-chat', { chatId });
    await typist.ok('typing', { chatId, isTyping: true });
    expect(await reader.next('user-typing')).toEqual({ chatId, userId: ann.id, isTyping: true });
  });

  it('show a changed profile everywhere at once, also where it was cached', async () => {
    const { ann, ben, chatId } = await makePair(here);
    const benThere = there.http(ben.token);
    expect((await benThere.get(`/api/chats/${chatId}`)).data.name).toBe('Ann');
    for (const name of ['Anna', 'Annika', 'Anneliese']) {
      await ann.http.put('/api/auth/update-profile', { name });
      // The signal of the change travels on a connection of its own and may come a moment after the answer.
      await expect(nameSoon(() => benThere.get(`/api/chats/${chatId}`), name)).resolves.toBe(name);
    }
  });

  it('end a session everywhere within a second', async () => {
    const { ann } = await makePair(here);
    const annThere = there.http(ann.token);
    expect((await annThere.get('/api/auth/profile')).status).toBe(200);
    const socket = await there.connect(ann);
    const before = performance.now();
    await ann.http.post('/api/auth/logout');
    expect(await socket.next('session-revoked')).toEqual({ reason: 'logout' });
    expect(await annThere.get('/api/auth/profile')).toMatchObject({ status: 401, code: 'SESSION_REVOKED' });
    expect(performance.now() - before).toBeLessThan(1000);
  });
});

describe('without Redis', () => {
  it('two instances on one database still end a session everywhere within a second', async () => {
    const first = await startApp();
    const second = await startApp({ shareDatabaseWith: first });
    try {
      const ann = await first.registerUser();
      const socket = await second.connect(ann);
      const before = performance.now();
      await ann.http.post('/api/auth/logout');
      expect(await socket.next('session-revoked')).toEqual({ reason: 'logout' });
      expect(await second.http(ann.token).get('/api/auth/profile')).toMatchObject({ status: 401 });
      expect(performance.now() - before).toBeLessThan(1000);
    } finally {
      await second.close();
      await first.close();
    }
  });

  it('losing it loses no message and no revocation, and its return says resync', async () => {
    const { ann, ben, chatId } = await makePair(here);
    const [annHere, benHere, benThere] = [
      await here.connect(ann),
      await here.connect(ben),
      await there.connect(ben),
    ];
    await redis.kill();
    expect(await annHere.ok('send-message', { chatId, text: 'without' })).toMatchObject({ seq: 1 });
    expect(await benHere.next('new-message')).toMatchObject({ message: { text: 'without' } });
    expect((await there.http(ben.token).get(`/api/chats/${chatId}/messages`)).data).toHaveLength(1);
    await redis.restart();
    await benThere.next('resync');
    await annHere.ok('send-message', { chatId, text: 'again' });
    const isNew = (event: { message: { text: string } }): boolean => event.message.text === 'again';
    expect(await benThere.next('new-message', isNew)).toMatchObject({ chatId, message: { seq: 2 } });
  });
});

/** The name once it is `wanted`, asking again while the answer is on its way; @throws when it does not come. */
async function nameSoon(ask: () => Promise<{ data: { name: string } }>, wanted: string): Promise<string> {
  const deadline = performance.now() + 1000;
  for (;;) {
    const { data } = await ask();
    if (data.name === wanted || performance.now() > deadline) return data.name;
  }
}
