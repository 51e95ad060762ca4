import type { Socket as TcpSocket } from 'node:net';
import type { ClientServer } from '../../src/realtime/client-socket.js';
import { RealtimeServer } from '../../src/realtime/realtime.server.js';
import { useApp, type TestPerson } from '../support/app.js';
import { exchange } from '../support/http.js';
import { makePair } from '../support/people.js';
import type { TestSocket } from '../support/socket.js';

const app = useApp();

/** More than the kernel's buffers between two sockets of one machine hold, with what may wait in the server. */
const MESSAGES = 1_500;
const MAX_BYTES = 1_000_000;
/** 12 kB in UTF-8. */
const LONG_TEXT = '長'.repeat(4_000);

/** An Engine.IO connection as far as its buffers go (engine.io 6, ws 8). */
interface Connection {
  id: string;
  readyState: string;
  writeBuffer: { data?: string }[];
  transport: { name: string; socket?: { _socket?: TcpSocket } };
  on(event: string, listener: () => void): void;
}

function clients(): Record<string, Connection> {
  const io = Reflect.get(app.running.nest.get(RealtimeServer), 'io') as ClientServer;
  return (io.engine as unknown as { clients: Record<string, Connection> }).clients;
}

/** What the server holds for a connection at this moment, in bytes. */
function heldFor(connection: Connection): number {
  const waiting = connection.writeBuffer.reduce((sum, { data = '' }) => sum + Buffer.byteLength(data), 0);
  return waiting + (connection.transport.socket?._socket?.writableLength ?? 0);
}

/** Follows how much the server ever holds for a connection. */
function follow(connection: Connection): { most: number } {
  const seen = { most: 0 };
  connection.on('packetCreate', () => {
    seen.most = Math.max(seen.most, heldFor(connection));
  });
  return seen;
}

function connectionOf(before: ReadonlySet<string>): Connection {
  const added = Object.values(clients()).filter(({ id }) => !before.has(id));
  const [connection] = added;
  if (!connection || added.length > 1) throw new Error(`${added.length} connections were added`);
  return connection;
}

/** Sends until the connection is closed. Returns how many messages that took. */
async function sendUntilClosed(ann: TestPerson, chatId: string, connection: Connection): Promise<number> {
  const sender = await app.connect(ann);
  for (let sent = 0; sent < MESSAGES; sent += 10) {
    await Promise.all(
      Array.from({ length: 10 }, () => sender.ok('send-message', { chatId, text: LONG_TEXT })),
    );
    if (connection.readyState === 'closed') return sent + 10;
  }
  throw new Error(`it is still ${connection.readyState}, holding ${heldFor(connection)} bytes`);
}

async function cutOffs(): Promise<number> {
  const metrics = (await app.http().get('/metrics')).body as string;
  return Number(/^parley_slow_sockets_total (\d+)$/m.exec(metrics)?.[1]);
}

interface SyncPage {
  messages: { chatId: string; seq: number }[];
  cursor: string;
  hasMore: boolean;
}

/** All pages of a round. */
async function sync(person: TestPerson, cursor?: string): Promise<{ seqs: Set<number>; cursor: string }> {
  const seqs = new Set<number>();
  for (let at = cursor; ;) {
    const { data } = await person.http.post<SyncPage>('/api/sync', at === undefined ? {} : { cursor: at });
    for (const { seq } of data.messages) seqs.add(seq);
    at = data.cursor;
    if (!data.hasMore) return { seqs, cursor: at };
  }
}

/** A neighbour that reads has everything live, and the one cut off finds everything afterwards. */
async function expectNothingLost(
  neighbour: TestSocket,
  ben: TestPerson,
  chatId: string,
  count: number,
): Promise<void> {
  await neighbour.barrier();
  const seqs = neighbour.all<{ message: { seq: number } }>('new-message').map(({ message }) => message.seq);
  expect(seqs).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  let found = 0;
  for (;;) {
    const page = await ben.http.get(`/api/chats/${chatId}/messages?afterSeq=${found}&limit=100`);
    if (page.data.length === 0) break;
    expect(page.data[0].seq).toBe(found + 1);
    found += page.data.length as number;
  }
  expect(found).toBe(count);
}

it('a WebSocket that does not read is cut off before it costs 1 MB, and its neighbour loses nothing', async () => {
  const { ann, ben, chatId } = await makePair(app);
  const neighbour = await app.connect(ben);
  const before = new Set(Object.keys(clients()));
  const frozen = await app.connect(ben);
  const connection = connectionOf(before);
  const seen = follow(connection);
  const { cursor } = await sync(ben);
  const cutBefore = await cutOffs();
  const { ws } = frozen.io.io.engine.transport as unknown as { ws: { _socket: TcpSocket } };
  ws._socket.pause();

  const sent = await sendUntilClosed(ann, chatId, connection);
  expect(seen.most).toBeGreaterThan(MAX_BYTES / 4);
  expect(seen.most).toBeLessThan(MAX_BYTES);
  expect(heldFor(connection)).toBeLessThan(MAX_BYTES);
  expect(clients()[connection.id]).toBeUndefined();
  expect(await cutOffs()).toBe(cutBefore + 1);
  expect(app.logs.filter((line) => line.includes('does not read'))).not.toEqual([]);
  await expectNothingLost(neighbour, ben, chatId, sent);
  expect((await sync(ben, cursor)).seqs.size).toBe(sent);

  // What was on its way may still be read; then the connection is over, and the client comes back by itself.
  ws._socket.resume();
  expect(await frozen.closed).toMatch(/^transport/);
  const back = await app.connect(ben);
  await back.barrier();
}, 60_000);

it('a client that no longer polls is cut off before it costs 1 MB', async () => {
  const { ann, ben, chatId } = await makePair(app);
  const neighbour = await app.connect(ben);
  const before = new Set(Object.keys(clients()));
  const path = '/socket.io/?EIO=4&transport=polling';
  const opened = await exchange(app.url, undefined, { method: 'GET', path });
  const { sid } = JSON.parse((opened.body as string).slice(1)) as { sid: string };
  const there = `${path}&sid=${sid}`;
  const headers = { 'Content-Type': 'text/plain;charset=UTF-8' };
  const body = `40${JSON.stringify({ token: ben.token })}`;
  await exchange(app.url, undefined, { method: 'POST', path: there, headers, body });
  const welcome = await exchange(app.url, undefined, { method: 'GET', path: there });
  expect(welcome.body).toMatch(/^40/);
  const connection = connectionOf(before);
  const seen = follow(connection);

  const sent = await sendUntilClosed(ann, chatId, connection);
  expect(seen.most).toBeGreaterThan(MAX_BYTES / 4);
  expect(seen.most).toBeLessThan(MAX_BYTES);
  expect(connection.writeBuffer).toEqual([]);
  await expectNothingLost(neighbour, ben, chatId, sent);
  const late = await exchange(app.url, undefined, { method: 'GET', path: there });
  expect(late.status).toBe(400);
}, 60_000);

it('a burst of more than the limit does no harm to a client that reads it', async () => {
  const { ann, ben, chatId } = await makePair(app);
  const reader = await app.connect(ben);
  const sender = await app.connect(ann);
  const cutBefore = await cutOffs();
  // They share a statement, and so a turn of the event loop: 60 times 12 kB.
  await Promise.all(Array.from({ length: 60 }, () => sender.ok('send-message', { chatId, text: LONG_TEXT })));
  await reader.barrier();
  expect(reader.all('new-message')).toHaveLength(60);
  expect(await cutOffs()).toBe(cutBefore);
});
