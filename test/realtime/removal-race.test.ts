import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { makeGroup } from '../support/people.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { TestSocket } from '../support/socket.js';

const SENDS = 1_000;
const SENDERS = 5;
const ROUNDS = 2;

interface Told {
  message: { seq: number; type: string; text: string };
}

/** Sends `SENDS` messages from all sockets at once, each socket a few at a time. Resolves when all are answered. */
async function flood(chatId: string, sockets: readonly TestSocket[], onProgress: (done: number) => void) {
  let begun = 0;
  let done = 0;
  const work = async (socket: TestSocket): Promise<void> => {
    while (begun < SENDS) {
      begun++;
      await socket.ok('send-message', { chatId, text: `message ${begun}` });
      onProgress(++done);
    }
  };
  await Promise.all(sockets.flatMap((socket) => Array.from({ length: 4 }, () => work(socket))));
}

/** In order of seq: packets of two instances may overtake one another. A repeated one stays repeated. */
function seqsOf(socket: TestSocket, chatId: string): number[] {
  return socket
    .all<Told & { chatId: string }>('new-message')
    .filter((event) => event.chatId === chatId)
    .map((event) => event.message.seq)
    .sort((a, b) => a - b);
}

/** The seqs of the SYSTEM messages that say who was removed and added, in turn. */
async function changesOf(app: TestApp, chatId: string): Promise<number[]> {
  const rows = await app.sql<{ seq: number }>(
    "SELECT seq FROM message WHERE chat_id = $1 AND type = 'SYSTEM' ORDER BY seq",
    [chatId],
  );
  return rows.map((row) => row.seq);
}

async function lastSeqOf(app: TestApp, chatId: string): Promise<number> {
  const [row] = await app.sql<{ last_seq: number }>('SELECT last_seq FROM chat WHERE id = $1', [chatId]);
  return row?.last_seq ?? 0;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

/** Waits until a socket has been told of a message, which may have been on its way over Redis. */
async function heard(socket: TestSocket, chatId: string, seq: number): Promise<void> {
  if (seqsOf(socket, chatId).includes(seq)) return;
  await socket.next<Told & { chatId: string }>(
    'new-message',
    (event) => event.chatId === chatId && event.message.seq === seq,
  );
}

/**
 * While everybody sends, Ann removes Zoe at a third of the way and brings her back at two thirds. Zoe must have been told
 * of exactly what lies before her removal's SYSTEM message and from that of her coming back on, a member of everything.
 */
async function race(instances: readonly [TestApp, ...TestApp[]]): Promise<void> {
  const [first] = instances;
  const at = (index: number): TestApp => instances[index % instances.length] ?? first;
  const ann = await first.registerUser({ name: 'Ann' });
  const senders: TestPerson[] = [];
  for (let i = 0; i < SENDERS; i++) senders.push(await first.registerUser());
  const zoe = await first.registerUser({ name: 'Zoe' });
  const chatId = await makeGroup(ann, [...senders, zoe]);
  const senderSockets = await Promise.all(senders.map((sender, index) => at(index).connect(sender)));
  const zoes = await Promise.all(instances.map((app) => app.connect(zoe)));
  const watchers = await Promise.all(instances.map((app) => app.connect(ann)));

  const changes: Promise<unknown>[] = [];
  let removed = false;
  let added = false;
  const annThere = at(1).http(ann.token);
  await flood(chatId, senderSockets, (done) => {
    if (!removed && done >= SENDS / 3) {
      removed = true;
      changes.push(annThere.delete(`/api/chats/${chatId}/members/${zoe.id}`));
    }
    if (!added && done >= (2 * SENDS) / 3) {
      added = true;
      changes.push(
        Promise.all(changes).then(() => ann.http.post(`/api/chats/${chatId}/members`, { userIds: [zoe.id] })),
      );
    }
  });
  for (const answer of (await Promise.all(changes)) as { status: number }[]) {
    expect(answer.status).toBeLessThan(300);
  }
  // Something told to all that nothing can overtake: what was to come has come before it.
  await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'the end' });

  const [removal = 0, joining = 0] = await changesOf(first, chatId);
  const lastSeq = await lastSeqOf(first, chatId);
  expect(lastSeq).toBe(SENDS + 3);
  for (const socket of [...zoes, ...watchers]) await heard(socket, chatId, lastSeq);
  for (const socket of watchers) expect(seqsOf(socket, chatId)).toEqual(range(1, lastSeq));
  for (const socket of zoes) {
    expect(seqsOf(socket, chatId)).toEqual([...range(1, removal - 1), ...range(joining, lastSeq)]);
  }
  for (const socket of [...senderSockets, ...zoes, ...watchers]) socket.disconnect();
}

describe('1,000 sends racing a removal and a return', () => {
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
