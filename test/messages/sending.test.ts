import { randomUUID } from 'node:crypto';
import { useApp } from '../support/app.js';
import { makePair, makePrivateChat } from '../support/people.js';

const app = useApp();

interface Sent {
  id: string;
  seq: number;
  text: string;
  clientId: string | null;
}

describe.each(['REST', 'socket'] as const)('sending over %s', (way) => {
  async function sender() {
    const pair = await makePair(app);
    const socket = await app.connect(pair.ann);
    const send = async (
      body: object,
    ): Promise<{ ok: boolean; code: string | undefined; data: Sent; details: unknown }> => {
      if (way === 'socket') {
        const ack = await socket.emit<Sent>('send-message', { chatId: pair.chatId, ...body });
        return { ok: ack.status === 'success', code: ack.code, data: ack.data, details: ack.details };
      }
      const answer = await pair.ann.http.post<Sent>(`/api/chats/${pair.chatId}/messages`, body);
      const { status, code, data } = answer;
      return { ok: status === 201 || status === 200, code, data, details: answer.body.details };
    };
    return { ...pair, socket, send };
  }

  it('answers the message as committed, and the other person reads the same', async () => {
    const { ann, ben, chatId, send } = await sender();
    const { data } = await send({ text: '  Grüße 👩‍👩‍👧‍👦\n', clientId: 'c1' });
    expect(data).toEqual({
      id: `${chatId}.1`,
      chatId,
      seq: 1,
      rev: 1,
      clientId: 'c1',
      senderId: ann.id,
      type: 'TEXT',
      text: '  Grüße 👩‍👩‍👧‍👦\n',
      media: null,
      mentions: [],
      replyTo: null,
      forwarded: false,
      reactions: [],
      status: 'SENT',
      starred: false,
      editedAt: null,
      deletedAt: null,
      createdAt: app.clock.now().toISOString(),
    });
    const history = await ben.http.get(`/api/chats/${chatId}/messages`);
    expect(history.data).toEqual([data]);
  });

  it('stores the same clientId once, however often and however concurrently', async () => {
    const { ben, chatId, send } = await sender();
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => send({ text: 'once', clientId: 'same' })),
    );
    expect(new Set(answers.map((answer) => answer.data.id))).toEqual(new Set([`${chatId}.1`]));
    expect((await send({ text: 'another text', clientId: 'same' })).data).toMatchObject({
      seq: 1,
      text: 'once',
    });
    expect((await ben.http.get(`/api/chats/${chatId}/messages`)).data).toHaveLength(1);
    expect((await send({ text: 'next', clientId: 'other' })).data.seq).toBe(2);
  });

  it('keeps a clientId apart from the same one of the other person and of another chat', async () => {
    const { ann, ben, chatId, send } = await sender();
    await send({ text: 'mine', clientId: 'x' });
    const other = await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'yours', clientId: 'x' });
    expect(other).toMatchObject({ status: 201, data: { seq: 2, text: 'yours' } });
    const carl = await app.registerUser();
    const elsewhere = await makePrivateChat(ann, carl);
    const third = await ann.http.post(`/api/chats/${elsewhere}/messages`, { text: 'there', clientId: 'x' });
    expect(third).toMatchObject({ status: 201, data: { seq: 1, text: 'there' } });
  });

  it('carries a reply with what it replies to', async () => {
    const { ann, ben, chatId, send } = await sender();
    const first = await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'question?' });
    const { data } = await send({ text: 'answer', replyToId: first.data.id });
    const replyTo = { id: first.data.id, senderId: ben.id, type: 'TEXT', text: 'question?' };
    expect(data).toMatchObject({ replyTo });
    expect((await ann.http.get(`/api/chats/${chatId}/messages`)).data[0]).toMatchObject({ replyTo });
  });

  it('refuses a reply to what is not in this chat', async () => {
    const { ann, chatId, send } = await sender();
    const elsewhere = await makePrivateChat(ann, await app.registerUser());
    const foreign = await ann.http.post(`/api/chats/${elsewhere}/messages`, { text: 'there' });
    for (const replyToId of [
      foreign.data.id,
      `${chatId}.99`,
      `${chatId}.0`,
      'nothing',
      `${randomUUID()}.1`,
    ]) {
      expect(await send({ text: 'a', replyToId })).toMatchObject({ ok: false, code: 'MESSAGE_NOT_FOUND' });
    }
    expect((await ann.http.get(`/api/chats/${chatId}/messages`)).data).toEqual([]);
  });

  it('takes mentions of members and names the field for others', async () => {
    const { ben, send } = await sender();
    expect((await send({ text: '@Ben', mentions: [ben.id] })).data).toMatchObject({ mentions: [ben.id] });
    const stranger = await app.registerUser();
    for (const mentions of [[stranger.id], ['nobody']]) {
      expect(await send({ text: '@?', mentions })).toMatchObject({
        ok: false,
        code: 'VALIDATION_FAILED',
        details: [{ field: 'mentions', message: 'must be members of the chat' }],
      });
    }
  });

  it.each([
    ['no text', {}, 'text'],
    ['an empty text', { text: '' }, 'text'],
    ['white space alone', { text: ' \n\t\u3000' }, 'text'],
    ['4,097 characters', { text: 'x'.repeat(4097) }, 'text'],
    ['4,097 characters outside the BMP', { text: '😀'.repeat(4097) }, 'text'],
    ['a number', { text: 5 }, 'text'],
    ['U+0000', { text: 'a\u0000b' }, 'text'],
    ['a lone surrogate', { text: 'a\ud800b' }, 'text'],
    ['a long clientId', { text: 'a', clientId: 'x'.repeat(65) }, 'clientId'],
    ['an empty clientId', { text: 'a', clientId: '' }, 'clientId'],
    ['an unknown type', { text: 'a', type: 'SYSTEM' }, 'type'],
    ['an undeclared field', { text: 'a', senderId: 'me' }, 'senderId'],
    [
      'a key of Object.prototype',
      JSON.parse('{ "text": "a", "__proto__": { "x": 1 } }') as object,
      '__proto__',
    ],
    ['mentions that are no list', { text: 'a', mentions: 'all' }, 'mentions'],
  ])('refuses %s, names the field and stores nothing', async (_name, body, field) => {
    const { ann, chatId, send } = await sender();
    const answer = await send(body);
    expect(answer).toMatchObject({ ok: false, code: 'VALIDATION_FAILED' });
    expect(answer.details).toEqual(expect.arrayContaining([expect.objectContaining({ field })]));
    expect((await ann.http.get(`/api/chats/${chatId}`)).data.lastSeq).toBe(0);
  });

  it('names every bad field at once, undeclared ones included', async () => {
    const { send } = await sender();
    const { details } = await send({ text: '', clientId: '', admin: true, mentions: [5] });
    expect((details as { field: string }[]).map(({ field }) => field).sort()).toEqual(
      expect.arrayContaining(['admin', 'clientId', 'mentions', 'text']),
    );
  });

  it('takes null for what is left out', async () => {
    const { send } = await sender();
    const sent = await send({ text: 'a', type: null, clientId: null, replyToId: null, mentions: null });
    expect(sent).toMatchObject({
      ok: true,
      data: { clientId: null, replyTo: null, mentions: [], type: 'TEXT' },
    });
  });

  it('takes 4,096 characters outside the BMP, and variation selectors count', async () => {
    const { send } = await sender();
    expect((await send({ text: '😀'.repeat(4096) })).ok).toBe(true);
    expect((await send({ text: '❤\ufe0f'.repeat(2048) })).ok).toBe(true);
    expect((await send({ text: `${'❤\ufe0f'.repeat(2048)}x` })).ok).toBe(false);
  });

  it('is refused both ways after a block, and works again after it', async () => {
    const { ann, ben, chatId, send } = await sender();
    await send({ text: 'before', clientId: 'before' });
    await ben.http.post('/api/contacts/block', { userId: ann.id });
    expect(await send({ text: 'a' })).toMatchObject({ ok: false, code: 'BLOCKED' });
    const back = await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'b' });
    expect(back).toMatchObject({ status: 403, code: 'BLOCKED' });
    // What was acknowledged before stays acknowledged.
    expect(await send({ text: 'before', clientId: 'before' })).toMatchObject({ ok: true, data: { seq: 1 } });
    expect((await ann.http.get(`/api/chats/${chatId}/messages`)).data).toHaveLength(1);
    await ben.http.patch(`/api/contacts/unblock/${ann.id}`);
    expect(await send({ text: 'again' })).toMatchObject({ ok: true, data: { seq: 2 } });
  });

  it('tells a stranger nothing', async () => {
    const { chatId } = await sender();
    const stranger = await app.registerUser();
    const socket = await app.connect(stranger);
    for (const id of [chatId, randomUUID(), 'no-id']) {
      if (way === 'REST') {
        const answer = await stranger.http.post(`/api/chats/${id}/messages`, { text: 'a' });
        expect(answer).toMatchObject({ status: 404, code: 'CHAT_NOT_FOUND' });
      } else {
        expect(await socket.emit('send-message', { chatId: id, text: 'a' })).toMatchObject({
          code: 'CHAT_NOT_FOUND',
        });
      }
    }
  });
});

describe('REST answers', () => {
  it('201 for a new message and 200 for a repeated one', async () => {
    const { ann, chatId } = await makePair(app);
    const body = { text: 'a', clientId: 'k' };
    expect((await ann.http.post(`/api/chats/${chatId}/messages`, body)).status).toBe(201);
    expect((await ann.http.post(`/api/chats/${chatId}/messages`, body)).status).toBe(200);
  });
});

describe('order', () => {
  it('and a refused send do not cost the next one with its clientId', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const acks = await Promise.all([
      ...Array.from({ length: 8 }, (_, i) => socket.emit('send-message', { chatId, text: String(i) })),
      socket.emit('send-message', { chatId, clientId: 'k', text: 'x', replyToId: `${chatId}.99999` }),
      socket.emit('send-message', { chatId, clientId: 'k', text: 'ok' }),
      socket.emit('send-message', { chatId, clientId: 'k', text: 'again' }),
    ]);
    expect(acks[8]).toMatchObject({ status: 'error', code: 'MESSAGE_NOT_FOUND' });
    expect(acks[9]).toMatchObject({ status: 'success', data: { text: 'ok', seq: 9 } });
    expect(acks[10]).toMatchObject({ status: 'success', data: { text: 'ok', seq: 9 } });
  });

  it('of one socket is kept, whether messages are plain, replies or mentions', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    await socket.ok('send-message', { chatId, text: 'first' });
    const acks = await Promise.all(
      Array.from({ length: 120 }, (_, i) =>
        socket.ok('send-message', {
          chatId,
          text: String(i),
          ...(i % 3 === 1 && { replyToId: `${chatId}.1` }),
          ...(i % 3 === 2 && { mentions: [ben.id] }),
        }),
      ),
    );
    expect(acks.map((message) => message.seq)).toEqual(Array.from({ length: 120 }, (_, i) => i + 2));
    expect(acks.map((message) => message.text)).toEqual(Array.from({ length: 120 }, (_, i) => String(i)));
  });

  it('is that of the database for everyone, with many senders at once', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const sockets = await Promise.all([
      app.connect(ann),
      app.connect(ann),
      app.connect(ben),
      app.connect(ben),
    ]);
    const acks = await Promise.all(
      sockets.flatMap((socket, s) =>
        Array.from({ length: 40 }, (_, i) => socket.ok('send-message', { chatId, text: `${s}.${i}` })),
      ),
    );
    expect(acks.map((message) => message.seq).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 160 }, (_, i) => i + 1),
    );
    for (let s = 0; s < sockets.length; s++) {
      const own = acks.filter((message) => message.text.startsWith(`${s}.`));
      expect(own.map((message) => message.seq)).toEqual(
        own.map((message) => message.seq).sort((a, b) => a - b),
      );
    }
    const watcher = sockets[2];
    await watcher.barrier();
    const live = watcher.all('new-message').map((event) => event.message.seq);
    expect(live).toEqual([...live].sort((a, b) => a - b));
    expect(live).toHaveLength(120);
  });
});

it('answers the first message again, also to a sender who has deleted it for themselves', async () => {
  const { ann, chatId } = await makePair(app);
  const body = { text: 'once', clientId: 'once' };
  const first = await ann.http.post(`/api/chats/${chatId}/messages`, body);
  await ann.http.delete(`/api/chats/messages/${first.data.id}?for=me`);
  const again = await ann.http.post(`/api/chats/${chatId}/messages`, body);
  expect([again.status, again.data]).toEqual([200, first.data]);
});
