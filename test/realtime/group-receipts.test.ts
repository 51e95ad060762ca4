import { TokensService } from '../../src/auth/tokens.service.js';
import type { ClientServer } from '../../src/realtime/client-socket.js';
import { RealtimeServer } from '../../src/realtime/realtime.server.js';
import { useApp, type TestPerson } from '../support/app.js';
import { insertCrowd, insertGroup } from '../support/crowd.js';
import { makeContacts, makeGroup } from '../support/people.js';

const app = useApp();

interface Update {
  chatId: string;
  status: string;
  userId: string | null;
  upToSeq: number;
}

async function people(...names: string[]): Promise<TestPerson[]> {
  return Promise.all(names.map((name) => app.registerUser({ name })));
}

async function statusOf(reader: TestPerson, chatId: string, seq: number): Promise<string> {
  const { data } = await reader.http.get(`/api/chats/${chatId}/messages?afterSeq=${seq - 1}&limit=1`);
  return data[0].status as string;
}

function isUpdate(status: string, upToSeq: number): (event: Update) => boolean {
  return (event) => event.status === status && event.upToSeq === upToSeq;
}

describe('in a group, an author', () => {
  it('hears when the last of the others has received and read, and nobody else does', async () => {
    const [ann, ben, cid] = (await people('Ann', 'Ben', 'Cid')) as [TestPerson, TestPerson, TestPerson];
    const chatId = await makeGroup(ann, [ben, cid]);
    const [annSocket, benSocket, cidSocket] = await Promise.all(
      [ann, ben, cid].map((one) => app.connect(one)),
    );
    await annSocket?.ok('send-message', { chatId, text: 'hello' });
    await benSocket?.ok('mark-read', { chatId, upToSeq: 1 });
    expect(await statusOf(ann, chatId, 1)).toBe('SENT');
    await cidSocket?.ok('mark-delivered', { chatId, upToSeq: 1 });
    expect(await annSocket?.next('message-status-update')).toMatchObject({
      chatId,
      status: 'DELIVERED',
      userId: null,
      upToSeq: 1,
    });
    await cidSocket?.ok('mark-read', { chatId, upToSeq: 1 });
    expect(await annSocket?.next('message-status-update')).toMatchObject({ status: 'READ', upToSeq: 1 });
    expect(await statusOf(ann, chatId, 1)).toBe('READ');
    expect(annSocket?.all('message-status-update')).toHaveLength(2);
    await benSocket?.expectNone('message-status-update');
    await cidSocket?.expectNone('message-status-update');
  });

  it('hears it too when the last one answers instead of reporting', async () => {
    const [ann, ben] = (await people('Ann', 'Ben')) as [TestPerson, TestPerson];
    const chatId = await makeGroup(ann, [ben]);
    const socket = await app.connect(ann);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'well?' });
    await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'well.' });
    await socket.next<Update>('message-status-update', isUpdate('READ', 1));
  });

  it('hears it when who held it back leaves, and who comes later does not take it back', async () => {
    const [ann, ben, cid, dan] = (await people('Ann', 'Ben', 'Cid', 'Dan')) as [
      TestPerson,
      TestPerson,
      TestPerson,
      TestPerson,
    ];
    const chatId = await makeGroup(ann, [ben, cid]);
    await makeContacts(ann, dan);
    const socket = await app.connect(ann);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect(await statusOf(ann, chatId, 1)).toBe('SENT');
    await cid.http.post(`/api/chats/${chatId}/leave`);
    await socket.next<Update>('message-status-update', isUpdate('READ', 1));
    expect(await statusOf(ann, chatId, 1)).toBe('READ');

    await ann.http.post(`/api/chats/${chatId}/members`, { userIds: [dan.id] });
    expect(await statusOf(ann, chatId, 1)).toBe('READ');
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect(await statusOf(ann, chatId, 1)).toBe('READ');
    const told = socket.all<Update>('message-status-update').map((event) => event.upToSeq);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });
});

it('a group of 1,024 that reads at once costs packets by the reader, not by pairs of readers', async () => {
  const at = app.clock.now();
  const query = (text: string, values: unknown[]): Promise<unknown> => app.sql(text, values);
  const crowd = await insertCrowd(query, 1_024, at);
  const chatId = await insertGroup(
    query,
    crowd.map(({ id }) => id),
    at,
  );
  const tokens = app.running.nest.get(TokensService);
  const tokenOf = ({ id, sessionId }: { id: string; sessionId: string }): string =>
    tokens.issue({ userId: id, sessionId, generation: 1, rotatedAt: at }).token;

  let packets = 0;
  const io = Reflect.get(app.running.nest.get(RealtimeServer), 'io') as ClientServer;
  io.engine.on('connection', (connection: { on(event: 'packetCreate', count: () => void): void }) => {
    connection.on('packetCreate', () => packets++);
  });
  const authors = crowd.slice(0, 4);
  const connected = crowd.slice(0, 204);
  const sockets = await Promise.all(connected.map((one) => app.connect({ token: tokenOf(one) })));
  const authorSockets = sockets.slice(0, authors.length);
  for (const [index, socket] of authorSockets.entries()) {
    await socket.ok('send-message', { chatId, text: `message ${index + 1}` });
  }
  await Promise.all(sockets.map((socket) => socket.barrier()));
  for (const socket of sockets) socket.forget();
  packets = 0;

  const upToSeq = authors.length;
  await Promise.all([
    ...sockets.map((socket) => socket.ok('mark-read', { chatId, upToSeq })),
    ...crowd
      .slice(connected.length)
      .map((one) => app.http(tokenOf(one)).post(`/api/chats/${chatId}/messages/read`, {})),
  ]);
  // The last author's own message is the last that is told of: everybody else's lie below it.
  await authorSockets.at(-1)?.next<Update>('message-status-update', isUpdate('READ', upToSeq));
  await Promise.all(sockets.map((socket) => socket.barrier()));

  // An answer for each report and each barrier, a few updates for each author, and pings.
  expect(packets).toBeLessThan(sockets.length * 5);
  for (const socket of sockets.slice(authors.length)) {
    expect(socket.received.map(({ event }) => event)).toEqual([]);
  }
  for (const socket of authorSockets) {
    const updates = socket.all<Update>('message-status-update');
    expect(updates.length).toBeLessThan(10);
    expect(updates.at(-1)).toMatchObject({ status: 'READ', userId: null });
  }
}, 60_000);
