import { CLIENT_EVENTS } from '../../src/realtime/client-events.js';
import { startApp, useApp, type TestPerson } from '../support/app.js';
import { makeContacts, makePair } from '../support/people.js';
import { ConnectError } from '../support/socket.js';

const app = useApp();

describe('connecting', () => {
  it.each([
    ['without a token', '', 'UNAUTHENTICATED'],
    ['with a token that is none', 'nonsense', 'TOKEN_INVALID'],
  ])('%s is a connect_error with a code', async (_name, token, code) => {
    await expect(app.connect({ token })).rejects.toEqual(
      expect.objectContaining({ name: 'ConnectError', code }),
    );
  });

  it('with an expired token says so, and nothing else is wrong with it', async () => {
    const other = await startApp({ env: { JWT_EXPIRES_IN: '1m' } });
    try {
      const ann = await other.registerUser();
      other.clock.advance(61_000);
      await expect(other.connect(ann)).rejects.toEqual(expect.objectContaining({ code: 'TOKEN_EXPIRED' }));
    } finally {
      await other.close();
    }
  });

  it('with a revoked session is refused', async () => {
    const ann = await app.registerUser();
    await ann.http.post('/api/auth/logout');
    await expect(app.connect(ann)).rejects.toEqual(expect.objectContaining({ code: 'SESSION_REVOKED' }));
    await expect(app.connect(ann)).rejects.toBeInstanceOf(ConnectError);
  });

  it('puts the socket into all its chats before connect fires', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const socket = await app.connect(ben);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'at once' });
    expect(await socket.next('new-message')).toMatchObject({ chatId, message: { text: 'at once', seq: 1 } });
  });

  it('loses no chat that is created meanwhile', async () => {
    const ben = await app.registerUser();
    for (let round = 0; round < 8; round++) {
      const ann = await app.registerUser();
      await makeContacts(ann, ben);
      const [socket, chat] = await Promise.all([
        app.connect(ben),
        ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ben.id] }),
      ]);
      await ann.http.post(`/api/chats/${chat.data.id}/messages`, { text: 'hello' });
      expect(await socket.next('new-message')).toMatchObject({ chatId: chat.data.id });
      socket.disconnect();
    }
  });
});

describe('a live socket', () => {
  it('outlives its token, and ends with its session', async () => {
    const other = await startApp({ env: { JWT_EXPIRES_IN: '1m', REFRESH_EXPIRES_IN: '1h' } });
    try {
      const ann = await other.registerUser();
      const socket = await other.connect(ann);
      other.clock.advance(10 * 60_000);
      expect(await socket.emit('app-opened')).toMatchObject({ status: 'success' });
      other.clock.advance(3_600_000);
      expect(await socket.next('session-revoked')).toEqual({ reason: 'expired' });
      expect(await socket.closed).toBe('io server disconnect');
    } finally {
      await other.close();
    }
  });

  it('is told and closed when its session is revoked, within a second', async () => {
    const ann = await app.registerUser();
    const socket = await app.connect(ann);
    const before = performance.now();
    await ann.http.post('/api/auth/logout');
    expect(await socket.next('session-revoked')).toEqual({ reason: 'logout' });
    await socket.closed;
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it('is not closed by bad input, and every refusal is acknowledged', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const deep = JSON.parse(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`) as object;
    for (const [event, payload, code] of [
      ['no-such-event', {}, 'UNKNOWN_EVENT'],
      ['constructor', {}, 'UNKNOWN_EVENT'],
      ['send-message', undefined, 'VALIDATION_FAILED'],
      ['send-message', null, 'VALIDATION_FAILED'],
      ['send-message', 'text', 'VALIDATION_FAILED'],
      ['send-message', [], 'VALIDATION_FAILED'],
      ['send-message', { chatId: 5, text: 'a' }, 'VALIDATION_FAILED'],
      ['send-message', { chatId, text: { a: 1 } }, 'VALIDATION_FAILED'],
      ['send-message', { chatId, text: 'a', extra: deep }, 'VALIDATION_FAILED'],
      ['send-message', { chatId, text: 'a', mentions: deep }, 'VALIDATION_FAILED'],
      ['typing', { chatId, isTyping: 'yes' }, 'VALIDATION_FAILED'],
      ['typing', { chatId: 'x'.repeat(300), isTyping: true }, 'VALIDATION_FAILED'],
      ['typing', { chatId: 'no-id', isTyping: true }, 'CHAT_NOT_FOUND'],
      ['join-chat', 7, 'VALIDATION_FAILED'],
      ['app-opened', { now: true }, 'VALIDATION_FAILED'],
      ['subscribe-presence', { userIds: 'me' }, 'VALIDATION_FAILED'],
      [
        'subscribe-presence',
        { userIds: Array.from({ length: 201 }, (_, i) => String(i)) },
        'VALIDATION_FAILED',
      ],
      ['contact-request-sent', {}, 'VALIDATION_FAILED'],
    ] as const) {
      const args = payload === undefined ? [] : [payload];
      const ack =
        code === 'UNKNOWN_EVENT'
          ? await socket.emitUndocumented(event, ...args)
          : await socket.emit(event, ...args);
      expect([event, payload, ack.status, ack.code]).toEqual([event, payload, 'error', code]);
      expect(typeof ack.message).toBe('string');
    }
    expect(socket.connected).toBe(true);
    expect(await socket.emit('contact-request-sent', { receiverId: ann.id })).toEqual({
      status: 'success',
      data: null,
    });
    expect(app.logs.filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  it('may leave the acknowledgement out', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const [sender, receiver] = await Promise.all([app.connect(ann), app.connect(ben)]);
    sender.io.emit('send-message', { chatId, text: 'no callback' });
    sender.io.emit('send-message', { chatId });
    expect(await receiver.next('new-message')).toMatchObject({ message: { text: 'no callback' } });
    await sender.barrier();
  });
});

describe('rate limits on sockets', () => {
  it('refuse with the time to wait, keep order, and leave the socket open', async () => {
    const limited = await startApp({ env: { RATE_LIMITS: 'on' } });
    try {
      const { ann, chatId } = await makePair(limited);
      const socket = await limited.connect(ann);
      const acks = await Promise.all(
        Array.from({ length: 100 }, (_, i) => socket.emit('send-message', { chatId, text: String(i) })),
      );
      const sent = acks.filter((ack) => ack.status === 'success');
      const refused = acks.filter((ack) => ack.status === 'error');
      expect(sent.length).toBeGreaterThanOrEqual(60);
      expect(sent.length).toBeLessThan(100);
      expect(sent.map((ack) => ack.data.seq)).toEqual(sent.map((_, i) => i + 1));
      expect(sent.map((ack) => Number(ack.data.text))).toEqual(
        sent.map((ack) => Number(ack.data.text)).sort((a, b) => a - b),
      );
      for (const ack of refused) {
        expect(ack).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
        expect(ack.retryAfterMs).toBeGreaterThan(0);
      }
      const others = await Promise.all(
        Array.from({ length: 120 }, () => socket.emit('join-chat', { chatId })),
      );
      expect(others.filter((ack) => ack.code === 'RATE_LIMITED').length).toBeGreaterThan(0);
      expect(socket.connected).toBe(true);
    } finally {
      await limited.close();
    }
  });
});

describe('with rate limits', () => {
  const limited = useApp({ env: { RATE_LIMITS: 'on' } });
  let ann: TestPerson;
  beforeAll(async () => {
    ann = await limited.registerUser();
  });
  const isLimited = ({ code }: { code?: string | undefined }): boolean => code === 'RATE_LIMITED';

  it.each([...Object.keys(CLIENT_EVENTS).filter((event) => event !== 'send-message'), 'no-such-event'])(
    '%s may come 50 times a second on one socket, and the next socket has its own count',
    async (event) => {
      const [socket, other] = [await limited.connect(ann), await limited.connect(ann)];
      const acks = await Promise.all(Array.from({ length: 120 }, () => socket.emitUndocumented(event, {})));
      const refused = acks.filter(isLimited);
      // A new second may have begun on the way.
      expect(refused.length).toBeGreaterThanOrEqual(20);
      expect(refused.length).toBeLessThanOrEqual(70);
      for (const { retryAfterMs } of refused) expect(retryAfterMs).toBeGreaterThan(0);
      expect(isLimited(await other.emitUndocumented(event, {}))).toBe(false);
      expect(socket.connected).toBe(true);
    },
  );

  it('messages are counted by the person, over all sockets and REST', async () => {
    const { ann: sender, chatId } = await makePair(limited);
    const sockets = [await limited.connect(sender), await limited.connect(sender)];
    const acks = await Promise.all(
      sockets.flatMap((socket) =>
        Array.from({ length: 60 }, () => socket.emit('send-message', { chatId, text: 'a' })),
      ),
    );
    const refused = acks.filter(isLimited);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(60);
    // 20 come back every second, and the burst is spent.
    const overRest = await Promise.all(
      Array.from({ length: 60 }, () => sender.http.post(`/api/chats/${chatId}/messages`, { text: 'b' })),
    );
    expect(overRest.filter(isLimited).length).toBeGreaterThan(0);
  });

  it('a flood is refused at once, not queued up', async () => {
    const socket = await limited.connect(ann);
    const acks = await Promise.all(
      Array.from({ length: 3_000 }, () => socket.emitUndocumented('typing', {})),
    );
    expect(acks.filter(isLimited).length).toBeGreaterThan(2_500);
    expect(socket.connected).toBe(true);
  });
});

describe('stopping', () => {
  it('answers what has begun and closes the transport, so that clients reconnect', async () => {
    const other = await startApp();
    const { ann, ben, chatId } = await makePair(other);
    const [sender, receiver] = await Promise.all([other.connect(ann), other.connect(ben)]);
    const acks = Promise.all(
      Array.from({ length: 50 }, (_, i) => sender.emit('send-message', { chatId, text: String(i) })),
    );
    await receiver.next('new-message');
    await other.running.close();
    for (const ack of await acks) expect(ack).toMatchObject({ status: 'success' });
    expect(await sender.closed).toBe('transport close');
    expect(await receiver.closed).toBe('transport close');
    await other.close();
  });
});
