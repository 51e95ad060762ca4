import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { FEW, MANY, receive, seedTenant, type SeededTenant } from './agents-world.js';
import { JsonClient } from './json-client.js';
import { Latencies } from './latencies.js';
import { LightSocket } from './light-socket.js';
import { registerPeople, type Person } from './people.js';
import { ServerProcess } from './server-process.js';

/**
 * Measures, on the built server and one request at a time, what an agent of 100,000 conversations waits for against an
 * agent of ten: connecting, lists, search, counts and sync. Ends with 1 when the former waits more than half as long
 * again, and by more than what is lost in the noise.
 */
const RUNS = 200;
const MOST = 1.5;
const NOISE_MS = 1;

interface Agent {
  person: Person;
  tenant: SeededTenant;
  cursor: string | undefined;
}

interface Page {
  chats: unknown[];
  messages: unknown[];
  cursor: string;
  hasMore: boolean;
}

type Work = (agent: Agent) => Promise<unknown>;

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const builder = fileURLToPath(new URL('../deploy/build-if-changed.mjs', import.meta.url));
process.exitCode =
  spawnSync(process.execPath, [builder], { stdio: 'inherit' }).status === 0 ? await run() : 1;

async function run(): Promise<number> {
  const server = new ServerProcess(ROOT);
  try {
    await server.start();
    const database = await server.connectToDatabase();
    const client = new JsonClient(server.url, 1);
    try {
      return await measure(server.url, client, database);
    } finally {
      client.close();
      await database.end();
    }
  } finally {
    await server.stop();
  }
}

async function measure(url: string, client: JsonClient, database: pg.Client): Promise<number> {
  const [one, other] = (await registerPeople(client, 2)) as [Person, Person];
  const many: Agent = { person: one, tenant: await seedTenant(database, one.id, MANY), cursor: undefined };
  const few: Agent = { person: other, tenant: await seedTenant(database, other.id, FEW), cursor: undefined };

  const get =
    (path: string): Work =>
    ({ person }) =>
      client.ask('GET', path, person.token);
  const works: [string, Work][] = [
    ['connecting', async ({ person }) => (await LightSocket.connect(url, person.token)).close()],
    ['GET /api/chats, 10 of them', get('/api/chats?limit=10')],
    ['GET /api/conversations, 10 of them', get('/api/conversations?limit=10')],
    ['GET /api/messages, 10 of them', get('/api/messages?limit=10')],
    ['GET /api/messages?query=, a common word', get('/api/messages?limit=10&query=parcel')],
    ['GET /api/messages?query=, a rare word', get('/api/messages?limit=10&query=nothing')],
    ['GET /api/notifications/count', get('/api/notifications/count')],
    ['GET /api/notifications', get('/api/notifications')],
    ['first page of a first sync, 10 items', (agent) => sync(client, agent, undefined, 10)],
  ];
  let missed = 0;
  for (const [name, work] of works) missed += await compare(name, work, few, many);

  for (const agent of [few, many]) await syncAll(client, agent);
  missed += await compare('empty sync', (agent) => syncOnward(client, agent, 0), few, many);
  const write = async (agent: Agent): Promise<void> => receive(database, agent.tenant);
  missed += await compare(
    'sync after one message',
    (agent) => syncOnward(client, agent, 1),
    few,
    many,
    write,
  );
  return missed === 0 ? 0 : 1;
}

/** Both take turns, so that what else happens on the machine happens to both. Returns 1 if the many are too slow. */
async function compare(
  name: string,
  work: Work,
  few: Agent,
  many: Agent,
  prepare: (agent: Agent) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const [ofFew, ofMany] = [new Latencies(), new Latencies()];
  for (let i = 0; i < RUNS; i++) {
    for (const [agent, latencies] of [[few, ofFew] as const, [many, ofMany] as const]) {
      await prepare(agent);
      const startedAt = performance.now();
      await work(agent);
      latencies.add(performance.now() - startedAt);
    }
  }
  const [before, after] = [ofFew.percentiles(), ofMany.percentiles()];
  const isSlow = after.p50 > before.p50 * MOST && after.p50 - before.p50 > NOISE_MS;
  print(
    `${isSlow ? 'MISS' : 'PASS'}  ${name}: ${FEW} conversations ${before.p50.toFixed(2)} ms ` +
      `(p99 ${before.p99.toFixed(1)}), ${MANY} ${after.p50.toFixed(2)} ms (p99 ${after.p99.toFixed(1)})`,
  );
  return isSlow ? 1 : 0;
}

/** A whole first sync; the cursor is kept. */
async function syncAll(client: JsonClient, agent: Agent): Promise<void> {
  const startedAt = performance.now();
  let chats = 0;
  let page: Page | undefined;
  do {
    page = await sync(client, agent, page?.cursor, 2_000);
    chats += page.chats.length;
  } while (page.hasMore);
  agent.cursor = page.cursor;
  print(`      first sync of ${chats} conversations: ${(performance.now() - startedAt).toFixed(0)} ms`);
}

async function syncOnward(client: JsonClient, agent: Agent, messages: number): Promise<void> {
  const page = await sync(client, agent, agent.cursor, 500);
  if (page.messages.length < messages) throw new Error('a sync missed a message');
  agent.cursor = page.cursor;
}

async function sync(
  client: JsonClient,
  { person }: Agent,
  cursor: string | undefined,
  limit: number,
): Promise<Page> {
  return client.ask<Page>('POST', '/api/sync', person.token, {
    limit,
    ...(cursor !== undefined && { cursor }),
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
