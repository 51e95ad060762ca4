import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import type { SendPoint } from '../../src/whatsapp/outbound/send-points.js';
import { FakeGraph } from '../fakes/graph.js';
import type { AcceptedMessage } from '../fakes/graph-platform.js';
import { SECRETS, startApp, type TestApp } from '../support/app.js';
import { BuiltServer } from '../support/built-server.js';
import { makeFolder } from '../support/folder.js';
import { buildProject } from '../support/project.js';
import { inbound } from './support/bodies.js';
import { APP_SECRET, registerTenant, takeIn, type TestTenant } from './support/channel.js';

/**
 * The server is killed while it sends, at each point between the commit of a message and the record of Meta's answer.
 * Afterwards every message that was accepted has gone out exactly once, or is OUTCOME_UNKNOWN and has gone out at most
 * once; none is lost.
 */
const KILL_AT = resolve(import.meta.dirname, 'support/kill-at.mjs');
/** By now a call that nobody ended is known to have no end. */
const LONG_AFTER_MS = 10 * 60_000;
const A_WHILE_MS = 500;
const PATIENCE_MS = 30_000;

let graph: FakeGraph;
let api: TestApp;
let worker: TestApp | undefined;
let tenant: TestTenant;
let customers = 0;

beforeAll(async () => {
  await buildProject();
  graph = await FakeGraph.start();
  api = await startApp({ env: env('api') });
}, 180_000);

beforeEach(async () => {
  const number = graph.addNumber();
  tenant = await registerTenant(api, number);
  tenant.displayPhoneNumber = number.displayPhoneNumber;
});

afterEach(async () => {
  await worker?.close();
  worker = undefined;
  expect(graph.violations).toEqual([]);
});

afterAll(async () => {
  await api.close();
  await graph.close();
});

function env(role: string): Record<string, string> {
  return { WHATSAPP_API_BASE: graph.url, APP_SECRET, ROLE: role };
}

/** A process of its own, which sends and dies. */
async function startDoomed(at: SendPoint | 'never', pass = 1): Promise<BuiltServer> {
  return BuiltServer.start({
    dataDir: await makeFolder('doomed'),
    port: await findFreePort(),
    preload: [KILL_AT],
    env: {
      ...SECRETS,
      ...env('all'),
      DATABASE_URL: api.databaseUrl,
      RATE_LIMITS: 'off',
      KILL_AT: at,
      KILL_AT_PASS: String(pass),
    },
  });
}

/** A customer who wrote just now. */
async function newCustomer(): Promise<string> {
  const waId = `49151${String(10_000_000 + customers++)}`;
  const timestamp = String(Math.floor(api.clock.nowMs() / 1000));
  await takeIn(api, inbound(tenant, waId, { timestamp }));
  return `+${waId}`;
}

interface Attempt {
  to: string;
  key: string;
}

/** Resolves with the HTTP status, or null when the server died before it answered. */
async function send(url: string, { to, key }: Attempt): Promise<number | null> {
  try {
    const answer = await fetch(`${url}/api/tenants/${tenant.id}/send`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${tenant.apiKey}` },
      body: JSON.stringify({ to, text: `text of ${key}`, idempotency_key: key }),
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return null;
  }
}

async function death(server: BuiltServer): Promise<void> {
  const { child } = server;
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
}

interface Outcome {
  key: string;
  messageId: string;
  status: string;
  dispatch: string | null;
  code: string | null;
}

async function outcomes(): Promise<Outcome[]> {
  return api.sql<Outcome & Record<string, unknown>>(
    `SELECT idempotency_key AS key, chat_id || '.' || seq AS "messageId", status, dispatch, error->>'code' AS code
     FROM whatsapp_message WHERE tenant_id = $1 AND direction = 'OUT' ORDER BY idempotency_key`,
    [tenant.id],
  );
}

/** Another process takes up what the dead one left, long after. */
async function recover(): Promise<Outcome[]> {
  worker = await startApp({ shareDatabaseWith: api, env: env('worker') });
  const deadline = performance.now() + PATIENCE_MS;
  // Once, and then slowly: its own calls are not to take long by the clock.
  api.clock.advance(LONG_AFTER_MS);
  for (;;) {
    api.clock.advance(A_WHILE_MS);
    const rows = await outcomes();
    if (rows.every(({ dispatch }) => dispatch === null || dispatch === 'UNKNOWN')) return rows;
    if (performance.now() > deadline) throw new Error(`still open: ${JSON.stringify(rows)}`);
    await sleep(50);
  }
}

/** What Meta has of a send, by the text that no two share. */
function sentFor(key: string): AcceptedMessage[] {
  return graph.accepted.filter(
    (message) =>
      message.phoneNumberId === tenant.phoneNumberId && message.body.text.body === `text of ${key}`,
  );
}

function expectOnceOrUnknown(rows: readonly Outcome[], keys: readonly string[]): void {
  expect(rows.map(({ key }) => key).sort()).toEqual([...keys].sort());
  for (const row of rows) {
    const sent = sentFor(row.key).length;
    if (row.status === 'SENT') expect({ ...row, sent }).toEqual({ ...row, code: null, sent: 1 });
    else
      expect({ ...row, sent }).toMatchObject({ status: 'QUEUED', code: 'OUTCOME_UNKNOWN', sent: sent && 1 });
  }
}

it.each<[SendPoint, string, number]>([
  ['committed', 'SENT', 1],
  ['enqueued', 'SENT', 1],
  ['claimed', 'OUTCOME_UNKNOWN', 0],
  ['answered', 'OUTCOME_UNKNOWN', 1],
  ['recorded', 'SENT', 1],
])(
  'when killed as a send was %s, ends with %s',
  async (point, end, sent) => {
    const attempt = { to: await newCustomer(), key: `key ${point}` };
    const doomed = await startDoomed(point);
    await send(doomed.url, attempt);
    await death(doomed);
    const [row] = await recover();
    expect(row?.code ?? row?.status).toBe(end);
    expect(sentFor(attempt.key)).toHaveLength(sent);
    expect(await send(api.url, attempt)).toBe(409);
    expectOnceOrUnknown(await outcomes(), [attempt.key]);
  },
  120_000,
);

it('when killed while Meta has the request and has not answered, ends with OUTCOME_UNKNOWN, until a status tells', async () => {
  const attempt = { to: await newCustomer(), key: 'key unanswered' };
  const doomed = await startDoomed('never');
  graph.plan('send', 'late-hang');
  const before = graph.accepted.length;
  await send(doomed.url, attempt);
  const accepted = (await graph.awaitAccepted(before + 1)).at(-1)!;
  await doomed.kill();
  const [row] = await recover();
  expect(row).toMatchObject({ status: 'QUEUED', code: 'OUTCOME_UNKNOWN' });
  expect(accepted.body.biz_opaque_callback_data).toEqual(expect.any(String));

  await graph.tellStatus(`${api.url}/whatsapp/webhook`, APP_SECRET, accepted, 'delivered');
  for (let i = 0; (await outcomes())[0]?.status !== 'DELIVERED' && i < 500; i++) await sleep(10);
  expect((await outcomes())[0]).toMatchObject({ status: 'DELIVERED', dispatch: null, code: null });
  expect(sentFor(attempt.key)).toHaveLength(1);
}, 120_000);

const POINTS: SendPoint[] = ['committed', 'enqueued', 'claimed', 'answered', 'recorded'];

it.each(POINTS)(
  'loses and doubles nothing when killed among many sends, one of them %s',
  async (point) => {
    const to = await Promise.all(Array.from({ length: 8 }, newCustomer));
    const attempts = to.flatMap((number, i) =>
      [1, 2, 3].map((n) => ({ to: number, key: `many ${point} ${i}.${n}` })),
    );
    const doomed = await startDoomed(point, 7);
    await Promise.all(attempts.map((attempt) => send(doomed.url, attempt)));
    await death(doomed);
    // What was not answered is asked for again, as a careful client does.
    for (const attempt of attempts) expect([202, 409]).toContain(await send(api.url, attempt));
    expectOnceOrUnknown(
      await recover(),
      attempts.map(({ key }) => key),
    );
  },
  120_000,
);
