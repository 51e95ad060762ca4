import { inParallel } from './in-parallel.js';
import { JsonClient } from './json-client.js';
import { LightSocket } from './light-socket.js';
import {
  WebhookSender,
  contactsOf,
  customerNumber,
  envelope,
  newWamid,
  openTenant,
  textFrom,
} from './webhook-sender.js';

/**
 * What to do: post so many updates as fast as the server answers, half of them messages and half statuses, in bodies of
 * many sizes, statuses also before their message, and every tenth body twice.
 */
export interface FloodTask {
  kind: 'webhook-flood';
  url: string;
  /** Even. */
  updates: number;
  agents: number;
  customers: number;
}

export interface FloodResult {
  seconds: number;
  posted: number;
  wamids: string[];
  refused: number;
  /** Agents' connections that the server ended because too much waited for them: they sync. */
  agentsCutOff: number;
}

interface Update {
  customer: string;
  wamid: string;
  status: string | null;
}

const LARGEST_BODY = 100;
const AT_ONCE = 16;
const STEPS = ['delivered', 'read'];
const SEED = 7;

export async function floodWebhook(task: FloodTask): Promise<FloodResult> {
  const client = new JsonClient(task.url, 16);
  const { tenant, people } = await openTenant(client, task.agents);
  const sockets = await Promise.all(people.map(({ token }) => LightSocket.connect(task.url, token)));
  let agentsCutOff = 0;
  for (const socket of sockets) {
    socket.onRawEvent = () => undefined;
    socket.onEnd = () => {
      agentsCutOff++;
    };
  }
  const sender = new WebhookSender(task.url, AT_ONCE);
  const random = randomFrom(SEED);
  const { updates, wamids } = makeUpdates(task, random);
  const bodies = cut(updates, random).map((part) => {
    const messages = part.filter(({ status }) => status === null);
    const statuses = part.filter(({ status }) => status !== null);
    return envelope(tenant, {
      ...(messages.length > 0 && {
        contacts: contactsOf(messages.map(({ customer }) => customer)),
        messages: messages.map(({ customer, wamid }) =>
          textFrom(customer, wamid, `Message ${wamid.slice(10, 18)}`),
        ),
      }),
      ...(statuses.length > 0 && {
        statuses: statuses.map(({ customer, wamid, status }) => ({
          id: wamid,
          status,
          timestamp: String(Math.floor(Date.now() / 1000)),
          recipient_id: customer,
        })),
      }),
    });
  });
  const posts = bodies.flatMap((body, index) => (index % 10 === 0 ? [body, body] : [body]));
  const startedAt = performance.now();
  const statuses = await inParallel(AT_ONCE, posts, (body) => sender.post(body));
  const seconds = (performance.now() - startedAt) / 1000;
  for (const socket of sockets) socket.close();
  sender.close();
  client.close();
  return {
    seconds,
    posted: posts.length,
    wamids,
    refused: statuses.filter((status) => status !== 200).length,
    agentsCutOff,
  };
}

function makeUpdates(task: FloodTask, random: () => number): { updates: Update[]; wamids: string[] } {
  const wamids: string[] = [];
  const updates: Update[] = [];
  for (let index = 0; index < task.updates / 2; index++) {
    const customer = customerNumber(index % task.customers);
    wamids.push(newWamid());
    updates.push({ customer, wamid: wamids[index] ?? '', status: null });
    // Every second message is told delivered and read, so that there are as many statuses as messages.
    if (index % 2 === 1) continue;
    for (const status of STEPS) updates.push({ customer, wamid: wamids[index] ?? '', status });
  }
  for (let index = updates.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [updates[index], updates[other]] = [updates[other] as Update, updates[index] as Update];
  }
  return { updates, wamids };
}

/** Into parts of one to a hundred. */
function cut(updates: readonly Update[], random: () => number): Update[][] {
  const parts: Update[][] = [];
  for (let at = 0; at < updates.length;) {
    const size = 1 + Math.floor(random() ** 2 * LARGEST_BODY);
    parts.push(updates.slice(at, at + size));
    at += size;
  }
  return parts;
}

/** The same numbers every time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
