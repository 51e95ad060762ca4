import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedDatabase } from '../../src/infra/database/embedded/embedded-database.js';
import { migrate } from '../../src/infra/database/migrate.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { makeFolder } from '../support/folder.js';
import { expectRebuilt, SyncStore } from '../support/sync-store.js';
import { makeConversation, makeTenant, setAgent, type BareTenant } from './support/conversations.js';

const WRITERS = 24;
const CHATS = 8;
const HELD_MS = 2_000;

let app: TestApp;
let folder: string;
let database: Awaited<ReturnType<typeof startEmbeddedDatabase>>;
const clients: pg.Client[] = [];

// A database server of its own: so many connections are more than the shared one has to spare.
beforeAll(async () => {
  folder = await makeFolder('agent-writers');
  database = await startEmbeddedDatabase(join(folder, 'data'), () => undefined);
  await migrate(database.url, () => undefined);
  app = await startApp({ databaseVia: () => Promise.resolve(database.url) });
  // What the tests themselves write goes to the same server.
  app.databaseUrl = database.url;
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

/** What crosses the channel as the server writes it. Returns the message's id. */
async function append(client: pg.Client, tenant: BareTenant, chatId: string, at: Date): Promise<string> {
  const side = {
    tenant_id: tenant.id,
    phone_number_id: tenant.phoneNumberId,
    direction: pick(['IN', 'OUT']),
    status: 'SENT',
    wamid: `wamid.${randomUUID()}`,
    payload: {},
    marks: pick(['ALL', 'FOLLOW', null]),
  };
  const input = { chat_id: chatId, key: `s:${randomUUID()}`, type: 'TEXT', text: 'text', side };
  const { rows } = await client.query<{ outcome: string; seq: number }>(
    'SELECT outcome, seq FROM append_channel_messages($1::json, $2)',
    [JSON.stringify([input]), at],
  );
  expect(rows[0]?.outcome).toBe('CREATED');
  return `${chatId}.${rows[0]?.seq}`;
}

const AT_RANDOM = 'seq = (SELECT 1 + floor(random() * last_seq)::int FROM chat WHERE id = $1)';

/** What else the server writes that an agent's device must learn of. */
const OTHER_WRITES = [
  (chatId: string) => ({
    text: `SELECT apply_statuses(json_agg(json_build_object('wamid', w.wamid, 'status', s.status, 'at', now(),
        'item', '{}'::json)), now())
      FROM (SELECT wamid FROM whatsapp_message WHERE chat_id = $1 ORDER BY random() LIMIT 3) w
      CROSS JOIN (SELECT (ARRAY['sent', 'delivered', 'read', 'failed'])[1 + floor(random() * 4)::int] AS status) s`,
    values: [chatId],
  }),
  (chatId: string) => ({
    text: 'UPDATE conversation SET read_seq = last_seq WHERE chat_id = $1',
    values: [chatId],
  }),
  (chatId: string) => ({
    text: `UPDATE customer SET name = $2 FROM conversation k WHERE k.chat_id = $1 AND customer.id = k.customer_id`,
    values: [chatId, `Customer ${Math.floor(Math.random() * 1000)}`],
  }),
  (chatId: string) => ({
    text: `WITH touched AS (UPDATE chat SET changed_tx = pg_current_xact_id() WHERE id = $1)
      UPDATE message SET text = 'edited', rev = rev + 1, changed_tx = pg_current_xact_id()
      WHERE chat_id = $1 AND ${AT_RANDOM}`,
    values: [chatId],
  }),
  (chatId: string, ann: TestPerson) => ({
    text: `INSERT INTO agent_chat (user_id, chat_id, pinned) VALUES ($2, $1, true)
      ON CONFLICT (user_id, chat_id) DO UPDATE SET pinned = random() < 0.5`,
    values: [chatId, ann.id],
  }),
];

/** A transaction that has its id before it waits, and commits when it happens to. */
async function writeOnce(client: pg.Client, tenant: BareTenant, ann: TestPerson, chatId: string) {
  await client.query('BEGIN');
  await client.query('SELECT pg_current_xact_id()');
  const at = new Date();
  await client.query('SELECT pg_sleep(random() * 0.02)');
  const isOther = Math.random() < 0.5;
  if (isOther) {
    await client.query('SELECT FROM chat WHERE id = $1 FOR NO KEY UPDATE', [chatId]);
    await client.query(pick(OTHER_WRITES)(chatId, ann));
  }
  const messageId = isOther ? null : await append(client, tenant, chatId, at);
  await client.query('SELECT pg_sleep(random() * 0.01)');
  await client.query('COMMIT');
  return messageId;
}

it('skips nothing of a tenant, however transactions overlap and agents come and go', async () => {
  const [ann, ben] = (await Promise.all(['Ann', 'Ben'].map((name) => app.registerUser({ name })))) as [
    TestPerson,
    TestPerson,
  ];
  const tenant = await makeTenant(app, [ann]);
  const setUp = await connect();
  const chatIds: string[] = [];
  for (let i = 0; i < CHATS + 1; i++) {
    const chatId = await makeConversation(app, tenant, { name: `Customer ${i}` });
    await append(setUp, tenant, chatId, new Date());
    chatIds.push(chatId);
  }
  const quiet = chatIds.pop()!;
  const [stays, comesAndGoes] = [new SyncStore(ann.http), new SyncStore(ben.http)];
  const devices = [stays, comesAndGoes];
  for (const device of devices) await device.sync();

  const holder = await connect();
  await holder.query('BEGIN');
  const committed = [await append(holder, tenant, quiet, new Date())];
  const endsAt = performance.now() + HELD_MS;
  const writers = { areDone: false };
  const reading = Promise.all(
    devices.map(async (device) => {
      let reads = 0;
      for (; !writers.areDone; reads++) await device.sync(50);
      return reads;
    }),
  );
  const writing = Array.from({ length: WRITERS }, async (_, i) => {
    const client = await connect();
    while (performance.now() < endsAt) {
      const messageId = await writeOnce(client, tenant, ann, chatIds[i % CHATS]!);
      if (messageId !== null) committed.push(messageId);
    }
  });
  await Promise.all(writing);
  await holder.query('COMMIT');
  for (const works of [true, false, true]) {
    await setAgent(app, tenant, ben, works);
    for (const chatId of chatIds) committed.push(await append(setUp, tenant, chatId, new Date()));
  }
  writers.areDone = true;
  for (const reads of await reading) expect(reads).toBeGreaterThan(2);

  expect(committed.length).toBeGreaterThan(WRITERS);
  await stays.sync();
  expect(committed.filter((id) => !stays.messages.has(id))).toEqual([]);
  await expectRebuilt(stays, ann.http);

  await comesAndGoes.sync();
  const newest = (all: SyncStore): string[] =>
    chatIds.flatMap((chatId) =>
      all
        .messagesOf(chatId)
        .slice(0, 50)
        .map(({ id, status }) => `${id} ${status}`),
    );
  expect(newest(comesAndGoes)).toEqual(newest(stays));
}, 60_000);
