import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import type { BotPoint } from '../../src/whatsapp/bot/bot-points.js';
import { SWEEP_MS } from '../../src/whatsapp/bot/bot.service.js';
import { messagesBody, postWebhook } from '../fakes/graph-webhooks.js';
import { SECRETS, startApp, type TestApp } from '../support/app.js';
import { BuiltServer } from '../support/built-server.js';
import { makeFolder } from '../support/folder.js';
import { buildProject } from '../support/project.js';
import { customerMessage } from './support/bodies.js';
import { APP_SECRET, registerTenant, type TestTenant } from './support/channel.js';

/**
 * The server is killed while its bot answers customers, at each point between the commit of their messages and the answer's
 * own. Afterwards every message has its one answer, in order, and the conversations are in the state that follows.
 */
const KILL_BOT_AT = resolve(import.meta.dirname, 'support/kill-bot-at.mjs');
const STEPS = ['first', 'second', 'third', 'fourth'];
const CUSTOMERS = 5;
const PATIENCE_MS = 30_000;

let api: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  await buildProject();
  api = await startApp({ env: { APP_SECRET, ROLE: 'api' } });
}, 180_000);

afterAll(() => api.close());

beforeEach(async () => {
  tenant = await registerTenant(api);
  const flows = STEPS.map((text, index) => ({
    id: text,
    match: { state: STEPS[index - 1] ?? null },
    action: { type: 'send_text', text, setState: text },
  }));
  const answer = await tenant.http.post(`/api/tenants/${tenant.id}/flows`, { flows });
  expect(answer.status).toBe(201);
});

/** A process of its own, which answers and dies. */
async function startDoomed(at: BotPoint, passes: number): Promise<BuiltServer> {
  return BuiltServer.start({
    dataDir: await makeFolder('doomed'),
    port: await findFreePort(),
    preload: [KILL_BOT_AT],
    env: {
      ...SECRETS,
      APP_SECRET,
      DATABASE_URL: api.databaseUrl,
      RATE_LIMITS: 'off',
      KILL_BOT_AT: at,
      KILL_BOT_AT_PASS: String(passes),
    },
  });
}

/** By conversation, what was answered, in order. */
async function answers(): Promise<string[][]> {
  const rows = await api.sql<{ texts: string[] }>(
    `SELECT coalesce(array_agg(m.text ORDER BY m.seq) FILTER (WHERE w.direction = 'OUT'), '{}') AS texts
      FROM message m JOIN whatsapp_message w ON w.chat_id = m.chat_id AND w.seq = m.seq
      WHERE w.tenant_id = $1 GROUP BY m.chat_id`,
    [tenant.id],
  );
  return rows.map(({ texts }) => texts);
}

async function left(): Promise<number> {
  const [row] = await api.sql<{ left: number }>(
    `SELECT (SELECT count(*) FROM webhook_event WHERE processed_at IS NULL)::int
      + (SELECT count(*) FROM whatsapp_message WHERE bot_pending)::int + (SELECT count(*) FROM bot_answer)::int AS left`,
  );
  return row?.left ?? 0;
}

/** Another process takes up what the dead one left. */
async function recover(): Promise<void> {
  const worker = await startApp({ shareDatabaseWith: api, env: { APP_SECRET, ROLE: 'worker' } });
  try {
    const deadline = performance.now() + PATIENCE_MS;
    while ((await left()) > 0) {
      if (performance.now() > deadline) throw new Error('something is still left');
      api.clock.advance(SWEEP_MS);
      await sleep(100);
    }
  } finally {
    await worker.close();
  }
}

it.each<[string, BotPoint, number]>([
  ['before it looks at messages', 'woken', 2],
  ['after its decisions were committed', 'decided', 3],
  ['after an answer was accepted', 'accepted', 7],
])(
  'killed %s, it answers everybody once',
  async (_when, point, passes) => {
    const timestamp = String(Math.floor(api.clock.nowMs() / 1000));
    const messages = STEPS.flatMap(() =>
      Array.from({ length: CUSTOMERS }, (_none, who) => customerMessage(`1415777000${who}`, { timestamp })),
    );
    const doomed = await startDoomed(point, passes);
    await postWebhook(`${doomed.url}/whatsapp/webhook`, messagesBody(tenant, messages), APP_SECRET).catch(
      () => undefined,
    );
    const { child } = doomed;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    expect(await left()).toBeGreaterThan(0);
    await recover();
    expect(await answers()).toEqual(Array.from({ length: CUSTOMERS }, () => STEPS));
    const states = await api.sql('SELECT DISTINCT bot_state FROM conversation WHERE tenant_id = $1', [
      tenant.id,
    ]);
    expect(states).toEqual([{ bot_state: STEPS.at(-1) }]);
  },
  120_000,
);
