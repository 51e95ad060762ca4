import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedDatabase } from '../../src/infra/database/embedded/embedded-database.js';
import { migrate } from '../../src/infra/database/migrate.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { makeFolder } from '../support/folder.js';
import { makePrivateChat } from '../support/people.js';
import { expectRebuilt, SyncStore } from '../support/sync-store.js';

const WRITERS = 64;
const CHATS = 8;
const HELD_MS = 2_000;

/** Somebody who follows an account by asking again and again, and says at the end which messages they have. */
interface Reader {
  read(): Promise<void>;
  has(messageId: string): boolean;
}

let app: TestApp;
let folder: string;
let database: Awaited<ReturnType<typeof startEmbeddedDatabase>>;
const clients: pg.Client[] = [];

// A database server of its own: 64 connections are more than the shared one has to spare.
beforeAll(async () => {
  folder = await makeFolder('writers');
  database = await startEmbeddedDatabase(join(folder, 'data'), () => undefined);
  await migrate(database.url, () => undefined);
  app = await startApp({ databaseVia: () => Promise.resolve(database.url) });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await app.close();
  await database.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  clients.push(client);
  return client;
}

const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;

/** One send as the server does it, its time taken when it begins. Returns the message's id. */
async function send(client: pg.Client, sender: TestPerson, chatId: string, at: Date): Promise<string> {
  const input = {
    chat_id: chatId,
    sender_id: sender.id,
    key: `s:${randomUUID()}`,
    type: 'TEXT',
    text: 'text',
  };
  const { rows } = await client.query<{ outcome: string; seq: number }>(
    'SELECT outcome, seq FROM send_messages($1::json, $2, NULL, false, false)',
    [JSON.stringify([input]), at],
  );
  expect(rows[0]?.outcome).toBe('CREATED');
  return `${chatId}.${rows[0]?.seq}`;
}

/** What else the server writes that a device must learn of. */
const OTHER_WRITES = [
  (chatId: string) => ({
    text: `WITH touched AS (UPDATE chat SET changed_tx = pg_current_xact_id() WHERE id = $1)
      UPDATE message SET text = 'edited', rev = rev + 1, changed_tx = pg_current_xact_id()
      WHERE chat_id = $1 AND seq = (SELECT 1 + floor(random() * last_seq)::int FROM chat WHERE id = $1)`,
    values: [chatId],
  }),
  (chatId: string, ann: TestPerson) => ({
    text: `INSERT INTO message_flag (user_id, chat_id, seq, starred_at)
      SELECT $2, id, 1 + floor(random() * last_seq)::int, now() FROM chat WHERE id = $1
      ON CONFLICT (user_id, chat_id, seq) DO UPDATE SET starred_at = now(), changed_tx = pg_current_xact_id()`,
    values: [chatId, ann.id],
  }),
  (chatId: string, ann: TestPerson, ben: TestPerson) => ({
    text: 'SELECT advance_marks($1::json, now())',
    values: [JSON.stringify([{ chat_id: chatId, user_id: pick([ann, ben]).id, read: 1_000_000 }])],
  }),
  (chatId: string, ann: TestPerson) => ({
    text: 'UPDATE member SET pinned = random() < 0.5 WHERE chat_id = $1 AND user_id = $2',
    values: [chatId, ann.id],
  }),
];

/** A transaction that has its id before it waits, and commits when it happens to. */
async function writeOnce(client: pg.Client, ann: TestPerson, ben: TestPerson, chatId: string) {
  await client.query('BEGIN');
  await client.query('SELECT pg_current_xact_id()');
  const at = new Date();
  await client.query('SELECT pg_sleep(random() * 0.02)');
  const other = Math.random() < 0.3;
  const messageId = other ? null : await send(client, pick([ann, ben]), chatId, at);
  if (other) {
    await client.query('SELECT FROM chat WHERE id = $1 FOR NO KEY UPDATE', [chatId]);
    await client.query(pick(OTHER_WRITES)(chatId, ann, ben));
  }
  await client.query('SELECT pg_sleep(random() * 0.01)');
  await client.query('COMMIT');
  return messageId;
}

/**
 * One transaction stays open for two seconds while 64 writers commit around it, and a reader asks all the time.
 * Returns the messages that were committed and that the reader, having asked once more, does not have.
 */
async function missedAmongWriters(makeReader: (ann: TestPerson) => Promise<Reader> | Reader) {
  const [ann, ben] = await Promise.all([
    app.registerUser({ name: 'Ann' }),
    app.registerUser({ name: 'Ben' }),
  ]);
  const chatIds = [await makePrivateChat(ann, ben)];
  for (let i = 1; i < CHATS; i++) {
    const group = { type: 'GROUP', name: `Group ${i}`, participantIds: [ben.id] };
    chatIds.push((await ann.http.post('/api/chats', group)).data.id as string);
  }
  const quiet = (
    await ann.http.post('/api/chats', { type: 'GROUP', name: 'Quiet', participantIds: [ben.id] })
  ).data.id as string;
  for (const chatId of chatIds) await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'first' });
  const reader = await makeReader(ann);
  await reader.read();

  const holder = await connect();
  await holder.query('BEGIN');
  const committed = [await send(holder, ben, quiet, new Date())];
  const endsAt = performance.now() + HELD_MS;
  const writers = { areDone: false };
  const reading = (async () => {
    let reads = 0;
    for (; !writers.areDone; reads++) await reader.read();
    return reads;
  })();
  const writing = Array.from({ length: WRITERS }, async (_, i) => {
    const client = await connect();
    while (performance.now() < endsAt) {
      const messageId = await writeOnce(client, ann, ben, chatIds[i % CHATS]!);
      if (messageId !== null) committed.push(messageId);
    }
    await client.end();
    clients.splice(clients.indexOf(client), 1);
  });
  await Promise.all(writing);
  await holder.query('COMMIT');
  writers.areDone = true;
  const reads = await reading;
  await reader.read();
  return { ann, committed, reads, missed: committed.filter((id) => !reader.has(id)) };
}

it('skips nothing, however transactions overlap', async () => {
  let store: SyncStore | undefined;
  const { ann, committed, reads, missed } = await missedAmongWriters((person) => {
    const device = new SyncStore(person.http);
    store = device;
    return {
      read: async () => {
        await device.sync(300);
      },
      has: (id) => device.messages.has(id),
    };
  });
  expect(committed.length).toBeGreaterThan(WRITERS);
  expect(reads).toBeGreaterThan(2);
  expect(missed).toEqual([]);
  await expectRebuilt(store!, ann.http);
}, 60_000);

it('could tell a cursor that skips: one that is a time misses messages', async () => {
  const { committed, missed } = await missedAmongWriters(async (ann) => {
    const client = await connect();
    const seen = new Set<string>();
    let cursor = new Date(0);
    return {
      read: async () => {
        const { rows } = await client.query<{ id: string; at: Date }>(
          `SELECT m.chat_id || '.' || m.seq AS id, greatest(m.created_at, m.edited_at) AS at
           FROM message m JOIN member r ON r.chat_id = m.chat_id AND r.user_id = $1
           WHERE greatest(m.created_at, m.edited_at) >= $2`,
          [ann.id, cursor],
        );
        for (const { id, at } of rows) {
          seen.add(id);
          if (at > cursor) cursor = at;
        }
      },
      has: (id) => seen.has(id),
    };
  });
  expect(committed.length).toBeGreaterThan(WRITERS);
  // The held one at least.
  expect(missed).toContain(committed[0]);
}, 60_000);
