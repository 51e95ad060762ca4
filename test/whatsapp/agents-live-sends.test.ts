import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, expect, it } from '@jest/globals';
import { AppError } from '../../src/common/errors.js';
import { MessageChannel, type OutgoingChannel } from '../../src/messages/message-channel.js';
import type { SendInput } from '../../src/messages/message-writer.js';
import { useApp, type TestPerson } from '../support/app.js';
import { makePrivateChat } from '../support/people.js';
import { fire, makeShop } from './support/agents.js';
import { hire, type TestTenant } from './support/channel.js';
import { channelOf, cross, makeConversation } from './support/conversations.js';

const app = useApp();
let ann: TestPerson;
let ben: TestPerson;
let eve: TestPerson;
let shop: TestTenant;
let chatId: string;

/** What the channel was asked to send, and who reacted to what. */
let asked: SendInput[];
let reactions: unknown[];
/** What the next sends are refused with. */
let refusal: AppError | null;
/** Turns of the event loop that a send takes before it is written. */
let turns: () => number;

/** A channel that takes its time, and sends nothing anywhere. */
const channel: OutgoingChannel = {
  async send(input, originSocketId) {
    asked.push(input);
    for (let turn = turns(); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
    if (refusal) throw refusal;
    const written = await channelOf(app).write({
      chatId: input.chatId,
      tenantId: shop.id,
      phoneNumberId: shop.phoneNumberId,
      senderId: input.senderId,
      clientId: input.clientId,
      type: input.type,
      text: input.text,
      replyToSeq: input.replyToSeq,
      status: 'QUEUED',
      direction: 'OUT',
      wamid: null,
      from: null,
      to: '15550001',
      sentAt: null,
      payload: {},
      marks: 'ALL',
      originSocketId,
    });
    if (written.outcome === 'CREATED') return { created: true, message: written.message };
    if (written.outcome === 'REPEATED') return { created: false, address: written };
    throw new AppError('CHAT_NOT_FOUND');
  },
  react(userId, address, emoji) {
    reactions.push({ userId, ...address, emoji });
    return Promise.resolve();
  },
};

beforeAll(async () => {
  ann = await app.registerUser({ name: 'Ann' });
  ben = await app.registerUser({ name: 'Ben' });
  eve = await app.registerUser({ name: 'Eve' });
  shop = await makeShop(app, [ann, ben]);
  app.running.nest.get(MessageChannel, { strict: false }).registerOutgoing(channel);
});

beforeEach(async () => {
  asked = [];
  reactions = [];
  refusal = null;
  turns = () => 0;
  chatId = await makeConversation(app, shop);
});

it('sends by socket and by REST, to the team as to people', async () => {
  const question = await cross(app, shop, chatId, { text: 'open?' });
  const [anns, annsOther, bens] = [await app.connect(ann), await app.connect(ann), await app.connect(ben)];
  const sent = await anns.ok('send-message', {
    chatId,
    clientId: 'one',
    text: 'until six',
    replyToId: question.id,
  });
  expect(sent).toMatchObject({
    chatId,
    seq: 2,
    clientId: 'one',
    senderId: ann.id,
    status: 'QUEUED',
    starred: false,
    replyTo: { id: question.id, text: 'open?' },
    whatsapp: { direction: 'OUT', waMessageId: null, to: '15550001' },
  });
  const { starred: _starred, ...event } = sent;
  for (const socket of [annsOther, bens]) {
    expect(await socket.next('new-message')).toEqual({ chatId, message: event });
    expect(await socket.next('chat-read')).toEqual({ chatId, readSeq: 2 });
  }
  await anns.expectNone('new-message');
  expect((await ben.http.get(`/api/chats/${chatId}`)).data.unreadCount).toBe(0);

  const answer = await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'and on Sunday from ten' });
  expect(answer.status).toBe(201);
  expect(answer.data).toMatchObject({ seq: 3, senderId: ben.id, status: 'QUEUED' });
});

it('answers a repeated send with the first message', async () => {
  const first = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello', clientId: 'same' });
  const again = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello', clientId: 'same' });
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.data).toEqual(first.data);
});

it('passes the channel’s refusal on', async () => {
  refusal = new AppError('WINDOW_CLOSED');
  const refused = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
  expect(refused).toMatchObject({ status: 422, code: 'WINDOW_CLOSED' });
  const socket = await app.connect(ann);
  expect(await socket.emit('send-message', { chatId, text: 'hello' })).toMatchObject({
    code: 'WINDOW_CLOSED',
  });
});

it('asks the channel nothing that may not be sent', async () => {
  const hidden = await cross(app, shop, chatId);
  await ann.http.delete(`/api/chats/messages/${hidden.id}?for=me`);
  const elsewhere = await makeConversation(app, shop);
  await cross(app, shop, elsewhere);
  const send = async (person: TestPerson, body: object): Promise<string | undefined> =>
    (await person.http.post(`/api/chats/${chatId}/messages`, body)).code;
  expect(await send(eve, { text: 'hi' })).toBe('CHAT_NOT_FOUND');
  expect(await send(ann, { text: 'hi', replyToId: hidden.id })).toBe('MESSAGE_NOT_FOUND');
  expect(await send(ann, { text: 'hi', replyToId: `${chatId}.2` })).toBe('MESSAGE_NOT_FOUND');
  expect(await send(ann, { text: 'hi', replyToId: `${elsewhere}.1` })).toBe('MESSAGE_NOT_FOUND');
  expect(await send(ann, { mediaId: randomUUID() })).toBe('MEDIA_NOT_FOUND');
  expect(await send(ann, { text: 'hi', mentions: [ben.id] })).toBe('NOT_IN_WHATSAPP');
  const zoe = await app.registerUser();
  await hire(app, shop, zoe);
  await fire(app, shop, zoe);
  expect(await send(zoe, { text: 'hi' })).toBe('CHAT_NOT_FOUND');
  expect(asked).toEqual([]);
});

it('keeps the order of a socket’s sends, however long each takes', async () => {
  turns = () => Math.floor(Math.random() * 8);
  const socket = await app.connect(ann);
  const own = await makePrivateChat(ann, eve);
  const sends = Array.from({ length: 40 }, (_, i) => [
    socket.ok('send-message', { chatId, text: String(i) }),
    socket.ok('send-message', { chatId: own, text: String(i) }),
  ]).flat();
  const sent = (await Promise.all(sends)) as { chatId: string; seq: number; text: string }[];
  for (const id of [chatId, own]) {
    const ofChat = sent.filter((message) => message.chatId === id).sort((a, b) => a.seq - b.seq);
    expect(ofChat.map((message) => Number(message.text))).toEqual([...Array(40).keys()]);
  }
});

it('leaves a reaction to the channel', async () => {
  const said = await cross(app, shop, chatId);
  const react = (emoji: string) => ann.http.post(`/api/chats/messages/${said.id}/reactions`, { emoji });
  expect((await react('👍')).data).toMatchObject({ id: said.id, whatsapp: { direction: 'IN' } });
  expect((await react('')).status).toBe(200);
  expect((await react('no emoji')).status).toBe(400);
  expect((await eve.http.post(`/api/chats/messages/${said.id}/reactions`, { emoji: '👍' })).code).toBe(
    'MESSAGE_NOT_FOUND',
  );
  expect(reactions).toEqual([
    { userId: ann.id, chatId, seq: 1, emoji: '👍' },
    { userId: ann.id, chatId, seq: 1, emoji: null },
  ]);
});
