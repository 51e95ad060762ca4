import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { summariseProfile } from './cpu-profile.js';
import { Load } from './measure.js';
import { readCpuTimes } from './proc.js';
import { ServerProcess } from './server-process.js';
import type { FloodResult } from './webhook-flood-task.js';
import { BENCH_ENV } from './webhook-sender.js';
import type { WebhookResult } from './webhook-task.js';

/**
 * Measures the WhatsApp webhook of the built server, as Meta calls it: signed.
 *
 *   npm run bench:webhook -- [--only rate|flood] [--seconds 20] [--updates 100000] [--cpu-prof FOLDER]
 *
 * `rate`: 600 messages a second, one a webhook, ten agents online who receive them all. `flood`: so many updates as fast
 * as they are answered, after which the database is asked whether each is there, once. Ends with 1 when something was
 * lost, doubled or refused; a missed budget is only shown.
 */
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const RATE = { agents: 10, customers: 200, perSecond: 600, warmUpSeconds: 5 };
const FLOOD = { agents: 10, customers: 500 };
const BUDGET = { cpuMs: 0.5, answerP99Ms: 50 };
const DONE_WITHIN_MS = 600_000;
const TOP = 30;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'rate,flood' },
    seconds: { type: 'string', default: '20' },
    updates: { type: 'string', default: '100000' },
    'cpu-prof': { type: 'string' },
  },
});

const builder = fileURLToPath(new URL('../deploy/build-if-changed.mjs', import.meta.url));
if (spawnSync(process.execPath, [builder], { stdio: 'inherit' }).status !== 0) process.exit(1);
if (values.only.includes('rate')) await measureRate();
if (values.only.includes('flood')) await flood();

async function measureRate(): Promise<void> {
  const profileFolder = values['cpu-prof'] === undefined ? undefined : resolve(values['cpu-prof']);
  const server = new ServerProcess(ROOT, BENCH_ENV);
  const load = new Load();
  try {
    await server.start(profileFolder);
    const result = await load.run<WebhookResult>({
      kind: 'webhook',
      url: server.url,
      serverPid: server.pid,
      postmasterPid: await server.findPostmasterPid(),
      ...RATE,
      seconds: Number(values.seconds),
    });
    const { cpu, answered, delivered, faults } = result;
    const cpuMs = cpu.server + cpu.postgres;
    print(`${RATE.perSecond} messages/s, one a webhook, ${RATE.agents} agents online:`);
    print(`  taken in               ${result.perSecond.toFixed(0)}/s`);
    print(`  CPU per message        ${cpuMs.toFixed(3)} ms ${verdict(cpuMs, BUDGET.cpuMs)}`);
    print(`    server               ${cpu.server.toFixed(3)} ms`);
    print(`    PostgreSQL           ${cpu.postgres.toFixed(3)} ms`);
    print(
      `  answer p50 / p99       ${answered.p50.toFixed(1)} / ${answered.p99.toFixed(1)} ms ${verdict(answered.p99, BUDGET.answerP99Ms)}`,
    );
    print(`  at an agent p50 / p99  ${delivered.p50.toFixed(1)} / ${delivered.p99.toFixed(1)} ms`);
    print(`  refused ${faults.refused} · lost ${faults.lost} · doubled ${faults.duplicated}`);
    if (Object.values(faults).some((count) => count > 0)) process.exitCode = 1;
    if (profileFolder === undefined) return;
    const { pid } = server;
    // Node.js writes the profile when the server ends.
    await server.stop();
    print(`\n${summariseProfile(profileFolder, pid, result.window, TOP)}`);
  } finally {
    load.stop();
    await server.stop();
  }
}

async function flood(): Promise<void> {
  const server = new ServerProcess(ROOT, BENCH_ENV);
  const load = new Load();
  try {
    await server.start();
    const updates = Number(values.updates);
    const postmasterPid = await server.findPostmasterPid();
    const before = readCpuTimes(server.pid, postmasterPid);
    const result = await load.run<FloodResult>({ kind: 'webhook-flood', url: server.url, ...FLOOD, updates });
    const startedAt = performance.now();
    const database = await server.connectToDatabase();
    try {
      const count = async (text: string): Promise<number> =>
        (await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${text}`)).rows[0]?.n ?? NaN;
      while ((await count('webhook_event WHERE processed_at IS NULL')) > 0) {
        if (performance.now() - startedAt > DONE_WITHIN_MS) throw new Error('The webhooks are not done.');
        await sleep(100);
      }
      const waited = (performance.now() - startedAt) / 1000;
      const after = readCpuTimes(server.pid, postmasterPid);
      const cpuMs = (after.server + after.postgres - before.server - before.postgres) / updates;
      const stored = await database.query<{ wamid: string; status: string }>(
        `SELECT w.wamid, w.status::text FROM whatsapp_message w
          JOIN message m ON m.chat_id = w.chat_id AND m.seq = w.seq`,
      );
      const statusOf = new Map(stored.rows.map(({ wamid, status }) => [wamid, status]));
      const lost = result.wamids.filter((wamid) => !statusOf.has(wamid)).length;
      const unread = result.wamids.filter(
        (wamid, index) => index % 2 === 0 && statusOf.get(wamid) !== 'READ',
      );
      const faults = {
        refused: result.refused,
        'messages lost': lost,
        'messages doubled': stored.rows.length - statusOf.size,
        'statuses lost': unread.length,
        'statuses left over': await count('pending_status'),
        'dead letters': await count('webhook_dead_letter'),
        'gaps in seq': await count(
          '(SELECT chat_id FROM message GROUP BY chat_id HAVING max(seq) <> count(*) OR min(seq) <> 1) AS gap',
        ),
      };
      print(`${values.updates} updates in ${result.posted} webhooks, every tenth twice:`);
      print(`  answered in ${result.seconds.toFixed(1)} s, applied ${waited.toFixed(1)} s later`);
      print(
        `  ${(updates / (result.seconds + waited)).toFixed(0)} updates/s, ${cpuMs.toFixed(3)} ms CPU each`,
      );
      print(`  agents cut off as too slow: ${result.agentsCutOff} of ${FLOOD.agents}`);
      print(
        `  ${Object.entries(faults)
          .map(([name, number]) => `${name} ${number}`)
          .join(' · ')}`,
      );
      if (Object.values(faults).some((number) => number > 0)) process.exitCode = 1;
    } finally {
      await database.end();
    }
  } finally {
    load.stop();
    await server.stop();
  }
}

function verdict(value: number, budget: number): string {
  return `(budget ${budget}: ${value <= budget ? 'kept' : 'MISSED'})`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
