import { setTimeout as sleep } from 'node:timers/promises';
import { inParallel } from './in-parallel.js';
import { JsonClient } from './json-client.js';
import { LightSocket } from './light-socket.js';
import { openPrivateChat, registerPeople, type Person } from './people.js';
import { readLiveMemory, type Memory } from './server-memory.js';

/** What to measure: sockets that are signed in and silent. */
export interface IdleTask {
  kind: 'idle';
  url: string;
  serverPid: number;
  serverLog: string;
  sockets: number;
  /** The sockets are spread evenly over so many people, who have two private chats each. */
  people: number;
}

export interface IdleResult {
  before: Memory;
  after: Memory;
  sockets: number;
  people: number;
  /** Sockets that the server had closed by the end. */
  lost: number;
}

const CONNECTED_AT_ONCE = 50;
const WARM_UP_SOCKETS = 200;
/** Past the server's first ping of every socket, so that all have been through a whole round of it. */
const IDLE_MS = 30_000;

export async function measureIdleSockets(task: IdleTask): Promise<IdleResult> {
  const client = new JsonClient(task.url, 8);
  const people = await registerPeople(client, task.people);
  await inParallel(8, ring(people), ([one, next]) => openPrivateChat(client, one, next));
  // What the first sockets load and compile belongs to no socket.
  for (const socket of await connectAll(task.url, people, WARM_UP_SOCKETS)) socket.close();

  const before = await readLiveMemory(task.url, task.serverPid, task.serverLog);
  const sockets = await connectAll(task.url, people, task.sockets);
  let lost = 0;
  for (const socket of sockets) {
    socket.onEnd = () => {
      lost++;
    };
  }
  await sleep(IDLE_MS);
  const after = await readLiveMemory(task.url, task.serverPid, task.serverLog);
  const result = { before, after, sockets: task.sockets, people: task.people, lost };
  for (const socket of sockets) socket.close();
  client.close();
  return result;
}

/** Each person with the next one, the last with the first. */
function ring(people: readonly Person[]): [Person, Person][] {
  return people.flatMap((person, index) => {
    const next = people[(index + 1) % people.length];
    return next ? [[person, next] as [Person, Person]] : [];
  });
}

async function connectAll(url: string, people: readonly Person[], count: number): Promise<LightSocket[]> {
  const owners = Array.from({ length: count }, (_, index) => people[index % people.length]);
  return inParallel(CONNECTED_AT_ONCE, owners, (owner) => LightSocket.connect(url, owner?.token ?? ''));
}
