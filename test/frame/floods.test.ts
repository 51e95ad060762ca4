import { RealtimeServer } from '../../src/realtime/realtime.server.js';
import type { ClientServer } from '../../src/realtime/client-socket.js';
import { useApp } from '../support/app.js';
import { exchange } from '../support/http.js';
import { makePair } from '../support/people.js';

/** Small requests that once cost much: each is answered at once, or its connection is ended. */
const app = useApp();
const POLLING = '/socket.io/?EIO=4&transport=polling';

async function openPolling(): Promise<string> {
  const opened = await exchange(app.url, undefined, { method: 'GET', path: POLLING });
  const { sid } = JSON.parse(opened.body.toString().slice(1)) as { sid: string };
  return `${POLLING}&sid=${sid}`;
}

describe('a flood', () => {
  it('of CONNECTs in one request ends its connection and makes no sockets', async () => {
    const { ann } = await makePair(app);
    const io = Reflect.get(app.running.nest.get(RealtimeServer), 'io') as ClientServer;
    const path = await openPolling();
    const connect = `40${JSON.stringify({ token: ann.token })}`;
    const body = Array.from({ length: 1_000 }, () => connect).join('\u001e');
    const headers = { 'Content-Type': 'text/plain;charset=UTF-8' };
    const before = io.of('/').sockets.size;
    await exchange(app.url, undefined, { method: 'POST', path, headers, body }).catch(() => undefined);
    const gone = await exchange(app.url, undefined, { method: 'GET', path });
    expect(gone.status).toBe(400);
    expect(io.of('/').sockets.size).toBe(before);
  });

  it('of binary data in the place of an id is refused without being looked through', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const ack = await socket.emit('typing', { chatId: Buffer.alloc(200_000), isTyping: true });
    expect(ack.details).toEqual([{ field: 'chatId', message: 'must not be binary' }]);
    expect(await socket.emit('typing', { chatId, isTyping: true })).toMatchObject({ status: 'success' });
  });

  it('of values in one field is refused', async () => {
    const { ann } = await makePair(app);
    const socket = await app.connect(ann);
    const ack = await socket.emit('subscribe-presence', {
      userIds: Array.from({ length: 40_000 }, () => ({})),
    });
    expect(ack.details).toEqual([{ field: 'userIds', message: 'must not hold more than 10000 values' }]);
  });
});

describe('a method that long polling does not know', () => {
  it('is refused, and the session goes on', async () => {
    const path = await openPolling();
    const answer = await exchange(app.url, undefined, { method: 'PUT', path, body: 'x' });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, POST, OPTIONS']);
  });
});
