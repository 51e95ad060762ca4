import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeGroup, makePair } from '../support/people.js';

const app = useApp();

interface Pair {
  ann: TestPerson;
  ben: TestPerson;
  chatId: string;
}

/** A pair in whose chat Ann has written `count` messages. */
async function pairWithMessages(count: number): Promise<Pair> {
  const pair = await makePair(app);
  for (let i = 1; i <= count; i++) await write(pair.ann, pair.chatId, `m${i}`);
  return pair;
}

function write(person: TestPerson, chatId: string, text: string) {
  return person.http.post(`/api/chats/${chatId}/messages`, { text });
}

async function statuses({ ann, chatId }: Pair): Promise<string[]> {
  const { data } = await ann.http.get(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`);
  return data.map((message: { status: string }) => message.status);
}

async function chatOf(person: TestPerson, chatId: string) {
  return (await person.http.get(`/api/chats/${chatId}`)).data;
}

async function receiptOf(person: TestPerson, chatId: string, seq: number) {
  const { data } = await person.http.get(`/api/chats/messages/${chatId}.${seq}/receipts`);
  expect(data).toHaveLength(1);
  return data[0];
}

describe('marks', () => {
  it('deliver up to a seq, and the sender is told and sees it', async () => {
    const pair = await pairWithMessages(3);
    const { ann, ben, chatId } = pair;
    const [annSocket, benSocket] = await Promise.all([app.connect(ann), app.connect(ben)]);
    const marks = await benSocket.ok('mark-delivered', { chatId, upToSeq: 2 });
    expect(marks).toEqual({ chatId, deliveredSeq: 2, readSeq: 0 });
    expect(await annSocket.next('message-status-update')).toEqual({
      chatId,
      status: 'DELIVERED',
      userId: ben.id,
      upToSeq: 2,
      at: app.clock.now().toISOString(),
    });
    expect(await statuses(pair)).toEqual(['DELIVERED', 'DELIVERED', 'SENT']);
    expect(await chatOf(ann, chatId)).toMatchObject({ others: { deliveredSeq: 2, readSeq: 0 } });
    expect(await chatOf(ben, chatId)).toMatchObject({ my: { deliveredSeq: 2, readSeq: 0 }, unreadCount: 3 });
  });

  it('read, which also delivers, and one’s other devices are told', async () => {
    const pair = await pairWithMessages(3);
    const { ann, ben, chatId } = pair;
    const [annSocket, benSocket, benPhone] = await Promise.all([
      app.connect(ann),
      app.connect(ben),
      app.connect(ben),
    ]);
    await benSocket.ok('mark-read', { chatId, upToSeq: 2 });
    expect(await annSocket.next('message-status-update')).toMatchObject({ status: 'READ', upToSeq: 2 });
    expect(await benPhone.next('chat-read')).toEqual({ chatId, readSeq: 2 });
    await benSocket.expectNone('chat-read');
    await annSocket.expectNone('chat-read');
    expect(await statuses(pair)).toEqual(['READ', 'READ', 'SENT']);
    expect(await chatOf(ben, chatId)).toMatchObject({ unreadCount: 1, my: { readSeq: 2, deliveredSeq: 2 } });
  });

  it('never go backwards, and a report of what is known tells nobody', async () => {
    const pair = await pairWithMessages(3);
    const { ann, ben, chatId } = pair;
    const [annSocket, benSocket] = await Promise.all([app.connect(ann), app.connect(ben)]);
    await benSocket.ok('mark-read', { chatId, upToSeq: 3 });
    await annSocket.next('message-status-update');
    annSocket.forget();
    for (const upToSeq of [0, 1, 3]) {
      expect(await benSocket.ok('mark-read', { chatId, upToSeq })).toMatchObject({
        readSeq: 3,
        deliveredSeq: 3,
      });
      expect(await benSocket.ok('mark-delivered', { chatId, upToSeq })).toMatchObject({
        readSeq: 3,
        deliveredSeq: 3,
      });
    }
    await annSocket.expectNone('message-status-update');
    expect(await statuses(pair)).toEqual(['READ', 'READ', 'READ']);
  });

  it('above the last seq count as the last seq', async () => {
    const { ben, chatId } = await pairWithMessages(2);
    const answer = await ben.http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: 2_000_000_000 });
    expect(answer).toMatchObject({ status: 200, data: { readSeq: 2, deliveredSeq: 2 } });
    await write(ben, chatId, 'later');
    expect(await chatOf(ben, chatId)).toMatchObject({ unreadCount: 0, lastSeq: 3 });
  });

  it('without a seq mean all there is', async () => {
    const { ben, chatId } = await pairWithMessages(4);
    const delivered = await ben.http.post(`/api/chats/${chatId}/messages/delivered`);
    expect(delivered.data).toEqual({ chatId, deliveredSeq: 4, readSeq: 0 });
    const read = await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    expect(read.data).toEqual({ chatId, deliveredSeq: 4, readSeq: 4 });
  });

  it('are reported by message too, with all before it', async () => {
    const pair = await pairWithMessages(3);
    const { ben, chatId } = pair;
    const answer = await ben.http.patch(`/api/chats/messages/${chatId}.2/status`, { status: 'READ' });
    expect(answer).toMatchObject({ status: 200, data: { readSeq: 2, deliveredSeq: 2 } });
    expect(await statuses(pair)).toEqual(['READ', 'READ', 'SENT']);
    await ben.http.patch(`/api/chats/messages/${chatId}.3/status`, { status: 'DELIVERED' });
    expect(await statuses(pair)).toEqual(['READ', 'READ', 'DELIVERED']);
  });

  it('move with one’s own sending: what came before is read', async () => {
    const pair = await pairWithMessages(2);
    const { ann, ben, chatId } = pair;
    const annSocket = await app.connect(ann);
    await write(ben, chatId, 'answer');
    expect(await chatOf(ben, chatId)).toMatchObject({ unreadCount: 0, my: { readSeq: 3, deliveredSeq: 3 } });
    expect((await statuses(pair)).slice(0, 2)).toEqual(['READ', 'READ']);
    // The message itself says it; there is no event beside it.
    await annSocket.next('new-message');
    await annSocket.expectNone('message-status-update');
  });

  it('app-opened delivers everything pending, chat by chat', async () => {
    const first = await pairWithMessages(2);
    const { ben } = first;
    const carl = await app.registerUser();
    await carl.http.post('/api/contacts/request', { userId: ben.id });
    const [request] = (await ben.http.get('/api/contacts/pending')).data;
    await ben.http.patch(`/api/contacts/request/${request.id}/accept`);
    const chat = await carl.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ben.id] });
    await write(carl, chat.data.id, 'hi');
    const [annSocket, carlSocket, benSocket] = await Promise.all([
      app.connect(first.ann),
      app.connect(carl),
      app.connect(ben),
    ]);
    const { delivered } = await benSocket.ok('app-opened');
    expect(delivered).toHaveLength(2);
    expect(await annSocket.next('messages-delivered')).toEqual({
      chatId: first.chatId,
      userId: ben.id,
      upToSeq: 2,
    });
    expect(await carlSocket.next('messages-delivered')).toEqual({
      chatId: chat.data.id,
      userId: ben.id,
      upToSeq: 1,
    });
    expect(await statuses(first)).toEqual(['DELIVERED', 'DELIVERED']);
    expect(await benSocket.ok('app-opened')).toEqual({ delivered: [] });
  });

  it('show on the other’s messages what the reader has reported', async () => {
    const { ben, chatId } = await pairWithMessages(2);
    await ben.http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: 1 });
    const { data } = await ben.http.get(`/api/chats/${chatId}/messages`);
    expect(data.map((message: { status: string }) => message.status)).toEqual(['SENT', 'READ']);
  });
});

describe('receipts of a message', () => {
  it('have the true time of each message, however the marks moved', async () => {
    const { ann, ben, chatId } = await pairWithMessages(3);
    const at = (): string => app.clock.now().toISOString();
    const times: Record<string, string> = {};
    app.clock.advance(1000);
    times['delivered 1'] = at();
    await ben.http.post(`/api/chats/${chatId}/messages/delivered`, { upToSeq: 1 });
    app.clock.advance(1000);
    times['read 1'] = at();
    await ben.http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: 1 });
    app.clock.advance(1000);
    times['read 3'] = at();
    await ben.http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: 3 });

    const { id: userId } = ben;
    expect(await receiptOf(ann, chatId, 1)).toEqual({
      userId,
      deliveredAt: times['delivered 1'],
      readAt: times['read 1'],
    });
    for (const seq of [2, 3]) {
      expect(await receiptOf(ann, chatId, seq)).toEqual({
        userId,
        deliveredAt: times['read 3'],
        readAt: times['read 3'],
      });
    }
  });

  it('are null until there is one', async () => {
    const { ann, ben, chatId } = await pairWithMessages(1);
    expect(await receiptOf(ann, chatId, 1)).toEqual({ userId: ben.id, deliveredAt: null, readAt: null });
  });

  it('take the time of an answer, which reads what came before', async () => {
    const { ann, ben, chatId } = await pairWithMessages(2);
    app.clock.advance(5000);
    await write(ben, chatId, 'answer');
    const answeredAt = app.clock.now().toISOString();
    app.clock.advance(5000);
    await write(ann, chatId, 'more');
    await ben.http.post(`/api/chats/${chatId}/messages/read`);
    expect(await receiptOf(ann, chatId, 1)).toEqual({
      userId: ben.id,
      deliveredAt: answeredAt,
      readAt: answeredAt,
    });
    expect(await receiptOf(ann, chatId, 4)).toMatchObject({ readAt: app.clock.now().toISOString() });
  });

  it('are for the sender alone', async () => {
    const { ben, chatId } = await pairWithMessages(1);
    const answer = await ben.http.get(`/api/chats/messages/${chatId}.1/receipts`);
    expect(answer).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });
});

describe('read receipts switched off', () => {
  const off = (person: TestPerson) =>
    person.http.put('/api/auth/update-profile', { settings: { readReceipts: false } });
  const on = (person: TestPerson) =>
    person.http.put('/api/auth/update-profile', { settings: { readReceipts: true } });

  it('by the reader: reads move their own unread count and devices, and the other never learns', async () => {
    const pair = await pairWithMessages(2);
    const { ann, ben, chatId } = pair;
    await off(ben);
    const [annSocket, benSocket, benPhone] = await Promise.all([
      app.connect(ann),
      app.connect(ben),
      app.connect(ben),
    ]);
    await benSocket.ok('mark-read', { chatId, upToSeq: 2 });
    expect(await annSocket.next('message-status-update')).toMatchObject({ status: 'DELIVERED', upToSeq: 2 });
    expect(await benPhone.next('chat-read')).toEqual({ chatId, readSeq: 2 });
    expect(await chatOf(ben, chatId)).toMatchObject({ unreadCount: 0, my: { readSeq: 2 } });
    expect(await chatOf(ann, chatId)).toMatchObject({ others: { deliveredSeq: 2, readSeq: 0 } });
    expect(await statuses(pair)).toEqual(['DELIVERED', 'DELIVERED']);
    expect(await receiptOf(ann, chatId, 2)).toMatchObject({ readAt: null });
    await annSocket.expectNone(
      'message-status-update',
      (event: { status: string }) => event.status === 'READ',
    );

    // Nor later, when they are on again.
    await on(ben);
    await benSocket.ok('mark-read', { chatId, upToSeq: 2 });
    await annSocket.expectNone(
      'message-status-update',
      (event: { status: string }) => event.status === 'READ',
    );
    expect(await statuses(pair)).toEqual(['DELIVERED', 'DELIVERED']);
  });

  it('does not tell when what was read in silence was read, once a later read is shown', async () => {
    const { ann, ben, chatId } = await pairWithMessages(2);
    await off(ben);
    await ben.http.post(`/api/chats/${chatId}/messages/read`);
    await on(ben);
    app.clock.advance(60_000);
    await write(ann, chatId, 'm3');
    await ben.http.post(`/api/chats/${chatId}/messages/read`);
    // A mark covers all before it, so they count as read from the shown read on, and never from the silent one.
    const shownAt = app.clock.now().toISOString();
    for (const seq of [1, 2, 3]) expect(await receiptOf(ann, chatId, seq)).toMatchObject({ readAt: shownAt });
  });

  it('by the sender: they see none of the other’s reads, also not later', async () => {
    const pair = await pairWithMessages(1);
    const { ann, ben, chatId } = pair;
    await off(ann);
    await ben.http.post(`/api/chats/${chatId}/messages/read`);
    expect(await statuses(pair)).toEqual(['DELIVERED']);
    await on(ann);
    expect(await statuses(pair)).toEqual(['DELIVERED']);
  });

  it('hold for reading by answering too', async () => {
    const pair = await pairWithMessages(1);
    await off(pair.ben);
    await write(pair.ben, pair.chatId, 'answer');
    expect((await statuses(pair))[0]).toBe('DELIVERED');
    expect(await chatOf(pair.ben, pair.chatId)).toMatchObject({ unreadCount: 0 });
    expect(await receiptOf(pair.ann, pair.chatId, 1)).toMatchObject({ readAt: null });
  });

  it('tell no time of a silent answer, also not later', async () => {
    const { ann, ben, chatId } = await pairWithMessages(1);
    await off(ben);
    app.clock.advance(1000);
    await write(ben, chatId, 'answer');
    await on(ben);
    app.clock.advance(60_000);
    await write(ann, chatId, 'more');
    await ben.http.post(`/api/chats/${chatId}/messages/read`);
    expect(await receiptOf(ann, chatId, 1)).toMatchObject({ readAt: app.clock.now().toISOString() });
  });

  it('leave what was shown before as it is', async () => {
    const pair = await pairWithMessages(1);
    await pair.ben.http.post(`/api/chats/${pair.chatId}/messages/read`);
    await off(pair.ben);
    expect(await statuses(pair)).toEqual(['READ']);
  });
});

describe('an account that is deleted', () => {
  it('takes no status back', async () => {
    const pair = await pairWithMessages(3);
    await pair.ben.http.post(`/api/chats/${pair.chatId}/messages/delivered`);
    await pair.ben.http.post(`/api/chats/${pair.chatId}/messages/read`, { upToSeq: 1 });
    const before = await statuses(pair);
    expect(before).toEqual(['READ', 'DELIVERED', 'DELIVERED']);
    const gone = await pair.ben.http.delete('/api/auth/delete-profile', { password: pair.ben.password });
    expect(gone.status).toBe(200);
    expect(await statuses(pair)).toEqual(before);
    expect(await chatOf(pair.ann, pair.chatId)).toMatchObject({ memberCount: 1, name: 'Deleted account' });
  });
});

describe('bad reports', () => {
  it('name nothing to strangers', async () => {
    const { chatId } = await pairWithMessages(1);
    const stranger = await app.registerUser();
    const socket = await app.connect(stranger);
    for (const id of [chatId, randomUUID(), 'no-id']) {
      expect(await socket.emit('mark-read', { chatId: id, upToSeq: 1 })).toMatchObject({
        code: 'CHAT_NOT_FOUND',
      });
      for (const route of ['read', 'delivered']) {
        const answer = await stranger.http.post(`/api/chats/${id}/messages/${route}`, {});
        expect(answer).toMatchObject({ status: 404, code: 'CHAT_NOT_FOUND' });
      }
    }
    for (const id of [`${chatId}.1`, `${chatId}.2`, `${randomUUID()}.1`, 'no-id', `${chatId}.-1`]) {
      const answer = await stranger.http.patch(`/api/chats/messages/${id}/status`, { status: 'READ' });
      expect(answer).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
      expect(await stranger.http.get(`/api/chats/messages/${id}/receipts`)).toMatchObject({ status: 404 });
    }
  });

  it('name the bad field', async () => {
    const { ben, chatId } = await pairWithMessages(1);
    const socket = await app.connect(ben);
    for (const upToSeq of [-1, 1.5, '1', null, 3_000_000_000]) {
      const ack = await socket.emit('mark-read', { chatId, upToSeq });
      expect(ack).toMatchObject({ status: 'error', code: 'VALIDATION_FAILED' });
      expect(ack.details?.[0]?.field).toBe('upToSeq');
    }
    expect(await socket.emit('mark-read', { chatId })).toMatchObject({ code: 'VALIDATION_FAILED' });
    const answer = await ben.http.patch(`/api/chats/messages/${chatId}.1/status`, { status: 'SEEN' });
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  });
});

describe('opening the app', () => {
  it('delivers what there is, also while the person is removed from one of the chats', async () => {
    const [ann, ben] = [await app.registerUser(), await app.registerUser()];
    const chatId = await makeGroup(ann, [ben]);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    const socket = await app.connect(ben);
    const other = new pg.Client({ connectionString: app.databaseUrl });
    await other.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM member WHERE chat_id = $1 AND user_id = $2 FOR UPDATE', [chatId, ben.id]);
    const opened = socket.emit('app-opened');
    await eventually(
      () =>
        app.sql(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%advance_marks%'
             AND datname = current_database()`,
        ),
      (waiting) => waiting.length > 0,
    );
    await other.query('UPDATE member SET left_at = now(), left_seq = 1 WHERE chat_id = $1 AND user_id = $2', [
      chatId,
      ben.id,
    ]);
    await other.query('COMMIT');
    await other.end();
    expect(await opened).toMatchObject({ status: 'success', data: { delivered: [] } });
  });
});
