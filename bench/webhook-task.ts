import { setTimeout as sleep } from 'node:timers/promises';
import { JsonClient } from './json-client.js';
import { Latencies, type Percentiles } from './latencies.js';
import { LightSocket } from './light-socket.js';
import { readCpuTimes, type CpuTimes } from './proc.js';
import {
  WebhookSender,
  contactsOf,
  customerNumber,
  envelope,
  newWamid,
  openTenant,
  textFrom,
} from './webhook-sender.js';

/** What to measure: customers' messages, one a webhook, at a steady rate, with all agents online. */
export interface WebhookTask {
  kind: 'webhook';
  url: string;
  serverPid: number;
  postmasterPid: number;
  agents: number;
  customers: number;
  perSecond: number;
  warmUpSeconds: number;
  seconds: number;
}

export interface WebhookResult {
  perSecond: number;
  /** Processor milliseconds per message. */
  cpu: CpuTimes;
  answered: Percentiles;
  /** From the post until an agent has it. */
  delivered: Percentiles;
  faults: { refused: number; lost: number; duplicated: number };
  /** The measured time by the monotonic clock, in microseconds, to find it in a profile. */
  window: { from: number; to: number };
}

const TEXT = 'Hello, is the blue one still there? I would like two of them, please 🙂';
const CONNECTIONS = 64;
const TICK_MS = 2;
const SETTLE_MS = 20_000;
const WAMID = /"waMessageId":"([^"]+)"/;

export async function measureWebhook(task: WebhookTask): Promise<WebhookResult> {
  const client = new JsonClient(task.url, 16);
  const { tenant, people } = await openTenant(client, task.agents);
  const sockets = await Promise.all(people.map(({ token }) => LightSocket.connect(task.url, token)));
  const sender = new WebhookSender(task.url, CONNECTIONS);
  const sentAt = new Map<string, number>();
  const received = people.map(() => new Set<string>());
  const answered = new Latencies();
  const delivered = new Latencies();
  let measuring = false;
  let refused = 0;
  let duplicated = 0;
  for (const [index, socket] of sockets.entries()) {
    socket.onRawEvent = (packet) => {
      if (!packet.startsWith('42["new-message"')) return;
      const wamid = WAMID.exec(packet)?.[1] ?? '';
      const seen = received[index];
      if (seen?.has(wamid)) duplicated++;
      seen?.add(wamid);
      if (measuring && index === 0) delivered.add(performance.now() - (sentAt.get(wamid) ?? NaN));
    };
  }
  const post = async (customer: string): Promise<void> => {
    const wamid = newWamid();
    const at = performance.now();
    sentAt.set(wamid, at);
    const messages = [textFrom(customer, wamid, TEXT)];
    const status = await sender.post(envelope(tenant, { contacts: contactsOf([customer]), messages }));
    if (status !== 200) refused++;
    if (measuring) answered.add(performance.now() - at);
  };
  // Their conversations are there before: opening them is another matter.
  for (let index = 0; index < task.customers; index++) await post(customerNumber(index));

  let posted = 0;
  const send = async (seconds: number): Promise<void> => {
    const startedAt = performance.now();
    let due = 0;
    while (due < task.perSecond * seconds) {
      due = Math.min(task.perSecond * seconds, ((performance.now() - startedAt) / 1000) * task.perSecond);
      const target = Math.floor(due);
      for (let sent = posted; sent < target; sent++) void post(customerNumber(sent % task.customers));
      posted = Math.max(posted, target);
      await sleep(TICK_MS);
    }
    posted = 0;
  };
  await send(task.warmUpSeconds);
  const from = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  measuring = true;
  await send(task.seconds);
  measuring = false;
  const to = { at: nowMicroseconds(), cpu: readCpuTimes(task.serverPid, task.postmasterPid) };
  const deadline = performance.now() + SETTLE_MS;
  while (received.some(({ size }) => size < sentAt.size) && performance.now() < deadline) await sleep(20);
  for (const socket of sockets) socket.close();
  sender.close();
  client.close();
  const count = task.perSecond * task.seconds;
  const cpuEach = (part: keyof CpuTimes): number => (to.cpu[part] - from.cpu[part]) / count;
  return {
    perSecond: (count / (to.at - from.at)) * 1e6,
    cpu: { server: cpuEach('server'), postgres: cpuEach('postgres'), driver: cpuEach('driver') },
    answered: answered.percentiles(),
    delivered: delivered.percentiles(),
    faults: {
      refused,
      duplicated,
      lost: received.reduce((total, { size }) => total + sentAt.size - size, 0),
    },
    window: { from: from.at, to: to.at },
  };
}

function nowMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
