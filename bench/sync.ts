import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { JsonClient } from './json-client.js';
import { registerPeople, type Person } from './people.js';
import { readCpuTimes } from './proc.js';
import { ServerProcess } from './server-process.js';
import { addMessages, HEAVY_CHATS, ORDINARY_CHATS, seedWorld } from './sync-world.js';

/**
 * Measures `POST /api/sync` of the built server, one request at a time: how long a first sync of 2,000 chats takes over
 * all its pages, and what processor time of the server and of PostgreSQL a sync costs that has nothing to tell. Ends
 * with 1 when a budget is missed.
 */
const FIRST_SYNC_MS = 500;
const EMPTY_SYNC_CPU_MS = 2;
const FIRST_SYNCS = 7;
const EMPTY_SYNCS = 2_000;
const PAGE = 2_000;

interface Page {
  chats: unknown[];
  messages: unknown[];
  cursor: string;
  hasMore: boolean;
}

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
      return await measure(server, client, database);
    } finally {
      client.close();
      await database.end();
    }
  } finally {
    await server.stop();
  }
}

async function measure(server: ServerProcess, client: JsonClient, database: pg.Client): Promise<number> {
  const [heavy, ordinary] = (await registerPeople(client, 2)) as [Person, Person];
  const postmaster = await server.findPostmasterPid();
  const cpu = (): number => {
    const times = readCpuTimes(server.pid, postmaster);
    return times.server + times.postgres;
  };
  await seedWorld(database, heavy.id, ordinary.id, 3);

  let missed = 0;
  const report = (what: string, figure: number, budget: number, unit: string): void => {
    if (figure > budget) missed++;
    print(`${figure <= budget ? 'PASS' : 'MISS'}  ${what}: ${figure.toFixed(2)} ${unit} (budget ${budget})`);
  };

  const few = await firstSync(client, heavy, cpu);
  report(`first sync, ${HEAVY_CHATS} chats with 3 messages each`, few.ms, FIRST_SYNC_MS, 'ms');
  print(`      of that ${few.cpuMs.toFixed(0)} ms CPU of server and PostgreSQL`);
  for (const [who, person] of [
    [`an account of ${ORDINARY_CHATS} chats`, ordinary],
    [`an account of ${HEAVY_CHATS} chats`, heavy],
  ] as const) {
    for (const othersWrite of [false, true]) {
      const cost = await emptySyncCpuMs(client, database, person, cpu, othersWrite);
      const when = othersWrite ? 'others writing meanwhile' : 'nobody writing';
      report(`empty sync, ${who}, ${when}`, cost, EMPTY_SYNC_CPU_MS, 'ms CPU');
    }
  }
  await addMessages(database, 4, 50, [heavy.id]);
  const many = await firstSync(client, heavy, cpu);
  print(
    `      first sync, ${HEAVY_CHATS} chats with 50 messages each: ${many.ms.toFixed(0)} ms, ${many.cpuMs.toFixed(0)} ms CPU`,
  );
  return missed === 0 ? 0 : 1;
}

/** A whole first sync: the median time, and the mean processor time of server and PostgreSQL, in milliseconds. */
async function firstSync(
  client: JsonClient,
  person: Person,
  cpu: () => number,
): Promise<{ ms: number; cpuMs: number }> {
  const times: number[] = [];
  const cpuBefore = cpu();
  for (let i = 0; i < FIRST_SYNCS; i++) {
    const startedAt = performance.now();
    let chats = 0;
    let page: Page | undefined;
    do {
      page = await sync(client, person, page?.cursor);
      chats += page.chats.length;
    } while (page.hasMore);
    times.push(performance.now() - startedAt);
    if (chats !== HEAVY_CHATS) throw new Error(`a first sync sent ${chats} chats`);
  }
  times.sort((a, b) => a - b);
  return { ms: times[Math.floor(FIRST_SYNCS / 2)] ?? 0, cpuMs: (cpu() - cpuBefore) / FIRST_SYNCS };
}

/** Processor time of server and PostgreSQL for one sync that has nothing to tell, in milliseconds. */
async function emptySyncCpuMs(
  client: JsonClient,
  database: pg.Client,
  person: Person,
  cpu: () => number,
  othersWrite: boolean,
): Promise<number> {
  let { cursor } = await sync(client, person, undefined);
  for (let page: Page | undefined; page?.hasMore !== false;) {
    page = await sync(client, person, cursor);
    cursor = page.cursor;
  }
  // The cheapest write there is: it takes a transaction id, so the server must look.
  const write = async (): Promise<void> => {
    if (othersWrite) await database.query({ name: 'write', text: 'SELECT pg_current_xact_id()' });
  };
  const measured = async (runs: number, work: () => Promise<void>): Promise<number> => {
    const before = cpu();
    for (let i = 0; i < runs; i++) await work();
    return (cpu() - before) / runs;
  };
  const syncOnce = async (): Promise<void> => {
    await write();
    const page = await sync(client, person, cursor);
    if (page.chats.length + page.messages.length > 0) throw new Error('an empty sync told something');
    cursor = page.cursor;
  };
  await measured(EMPTY_SYNCS / 10, syncOnce);
  const whole = await measured(EMPTY_SYNCS, syncOnce);
  return whole - (othersWrite ? await measured(EMPTY_SYNCS, write) : 0);
}

async function sync(client: JsonClient, person: Person, cursor: string | undefined): Promise<Page> {
  return client.ask<Page>('POST', '/api/sync', person.token, {
    limit: PAGE,
    ...(cursor !== undefined && { cursor }),
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
