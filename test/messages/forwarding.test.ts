import { randomUUID } from 'node:crypto';
import { startApp, useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair, makePrivateChat } from '../support/people.js';
import { makePicture } from '../media/pictures.js';

const app = useApp();

let ann: TestPerson;
let ben: TestPerson;
let cid: TestPerson;
/** Of Ann and Ben. */
let chatId: string;
/** Of Ann and Cid. */
let target: string;

beforeEach(async () => {
  ({ ann, ben, chatId } = await makePair(app));
  cid = await app.registerUser({ name: 'Cid' });
  target = await makePrivateChat(ann, cid);
});

async function send(person: TestPerson, body: object, chat = chatId): Promise<string> {
  const answer = await person.http.post(`/api/chats/${chat}/messages`, body);
  expect(answer.status).toBe(201);
  return answer.data.id as string;
}
const forward = (person: TestPerson, id: string, chatIds: unknown) =>
  person.http.post(`/api/chats/messages/${id}/forward`, { chatIds });
const historyOf = async (person: TestPerson, chat: string) =>
  (await person.http.get(`/api/chats/${chat}/messages`)).data;

it('sends the text on, in one’s own name, without reply and mentions, in the order asked for', async () => {
  const first = await send(ben, { text: 'first' });
  const id = await send(ben, { text: 'the news', replyToId: first, mentions: [ann.id] });
  const sockets = [await app.connect(cid), await app.connect(ann)];
  const group = await makeGroup(ann, [await app.registerUser()]);
  const { status, data } = await forward(ann, id, [target, group, chatId]);
  expect(status).toBe(201);
  expect(data.map((message: { chatId: string }) => message.chatId)).toEqual([target, group, chatId]);
  for (const message of data) {
    expect(message).toMatchObject({
      rev: 1,
      clientId: null,
      senderId: ann.id,
      type: 'TEXT',
      text: 'the news',
      mentions: [],
      replyTo: null,
      forwarded: true,
      reactions: [],
      status: 'SENT',
      starred: false,
    });
    expect((await historyOf(ann, message.chatId))[0]).toEqual(message);
  }
  const { starred: _starred, ...told } = data[0];
  for (const socket of sockets) {
    expect(await socket.next('new-message', (event) => event.chatId === target)).toEqual({
      chatId: target,
      message: told,
    });
  }
  expect((await cid.http.get(`/api/chats/${target}`)).data).toMatchObject({ lastSeq: 1, unreadCount: 1 });
  expect((await ann.http.get(`/api/chats/${target}`)).data.unreadCount).toBe(0);
});

it('is all or nothing on rights', async () => {
  const id = await send(ben, { text: 'the news' });
  const [dan, eve] = [await app.registerUser(), await app.registerUser()];
  const foreign = await makePrivateChat(dan, eve);
  const blocked = await makePrivateChat(ann, dan);
  await dan.http.post('/api/contacts/block', { userId: ann.id });
  const socket = await app.connect(cid);
  for (const [chatIds, status, code] of [
    [[target, foreign], 404, 'CHAT_NOT_FOUND'],
    [[target, randomUUID()], 404, 'CHAT_NOT_FOUND'],
    [['no-id', target], 404, 'CHAT_NOT_FOUND'],
    [[target, blocked], 403, 'BLOCKED'],
    [[blocked, foreign, target], 404, 'CHAT_NOT_FOUND'],
  ] as const) {
    const answer = await forward(ann, id, chatIds);
    expect([answer.status, answer.code]).toEqual([status, code]);
  }
  await socket.expectNone('new-message');
  expect(await historyOf(ann, target)).toEqual([]);
  expect(await historyOf(dan, blocked)).toEqual([]);
  expect((await cid.http.get(`/api/chats/${target}`)).data).toMatchObject({ lastSeq: 0, unreadCount: 0 });
});

it.each([
  ['none', []],
  ['too many', Array.from({ length: 21 }, () => randomUUID())],
  ['one twice', ['a', 'a']],
  ['a number', [1]],
  ['no list', 'a'],
  ['nothing', undefined],
])('refuses chat ids that are %s', async (_name, chatIds) => {
  const id = await send(ben, { text: 'the news' });
  const answer = await forward(ann, id, chatIds);
  expect([answer.status, answer.body.details[0].field]).toEqual([400, 'chatIds']);
});

it('reaches 20 chats at once', async () => {
  const id = await send(ben, { text: 'the news' });
  const groups = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const group = await ann.http.post('/api/chats', {
        type: 'GROUP',
        name: 'Many',
        participantIds: [cid.id],
      });
      return group.data.id as string;
    }),
  );
  const { status, data } = await forward(ann, id, groups);
  expect(status).toBe(201);
  expect(data.map((message: { id: string }) => message.id)).toEqual(groups.map((group) => `${group}.1`));
});

it('forwards only what one may see and what is still there', async () => {
  const id = await send(ben, { text: 'the news' });
  expect(await forward(cid, id, [target])).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  expect(await forward(ann, `${chatId}.9`, [target])).toMatchObject({ code: 'MESSAGE_NOT_FOUND' });
  const group = await makeGroup(ann, [await app.registerUser()]);
  await ann.http.patch(`/api/chats/${group}`, { name: 'Roses' });
  expect(await forward(ann, `${group}.1`, [target])).toMatchObject({ status: 422, code: 'UNPROCESSABLE' });
  await ben.http.delete(`/api/chats/messages/${id}?for=everyone`);
  expect(await forward(ann, id, [target])).toMatchObject({ status: 422, code: 'MESSAGE_DELETED' });
  const hidden = await send(ben, { text: 'for now' });
  await ann.http.delete(`/api/chats/messages/${hidden}`);
  expect(await forward(ann, hidden, [target])).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  expect(await historyOf(ann, target)).toEqual([]);
});

it('goes on from chat to chat, also out of one that a block has silenced', async () => {
  const id = await send(ben, { text: 'the news' });
  await ben.http.post('/api/contacts/block', { userId: ann.id });
  const first = await forward(ann, id, [target]);
  expect(first.status).toBe(201);
  const dan = await app.registerUser();
  const next = await makePrivateChat(cid, dan);
  const second = await forward(cid, first.data[0].id, [next]);
  expect(second.data[0]).toMatchObject({ text: 'the news', forwarded: true, senderId: cid.id });
});

it('takes the medium along, for the members of the new chat, also after the first is deleted', async () => {
  const sent = await ben.http.multipart('POST', `/api/chats/${chatId}/messages`, { text: 'look' }, [
    { name: 'media', fileName: 'dog.png', content: await makePicture('png'), type: 'image/png' },
  ]);
  expect(sent.status).toBe(201);
  const socket = await app.connect(cid);
  const { status, data } = await forward(ann, sent.data.id, [target]);
  expect(status).toBe(201);
  expect(data[0]).toMatchObject({ type: 'IMAGE', text: 'look', media: { id: sent.data.media.id } });
  const { message } = await socket.next('new-message');
  expect((await app.http().get(message.media.url)).status).toBe(200);
  await ben.http.delete(`/api/chats/messages/${sent.data.id}?for=everyone`);
  const [seen] = await historyOf(cid, target);
  expect(seen.media.id).toBe(sent.data.media.id);
  expect((await cid.http.get(`/api/media/${seen.media.id}`)).status).toBe(200);
  expect((await ben.http.get(`/api/media/${seen.media.id}`)).status).toBe(200);
});

it('counts every chat as one message against the limit', async () => {
  const limited = await startApp({ env: { RATE_LIMITS: 'on' } });
  try {
    const pair = await makePair(limited);
    const { data: source } = await pair.ann.http.post(`/api/chats/${pair.chatId}/messages`, { text: 'x' });
    const groups = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const group = await pair.ann.http.post('/api/chats', {
          type: 'GROUP',
          name: 'Many',
          participantIds: [pair.ben.id],
        });
        return group.data.id as string;
      }),
    );
    // Ten messages would pass, ten times twenty do not.
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        pair.ann.http.post(`/api/chats/messages/${source.id}/forward`, { chatIds: groups }),
      ),
    );
    const sent = answers.filter(({ status }) => status === 201).length;
    expect(sent).toBeGreaterThan(0);
    expect(answers.filter(({ code }) => code === 'RATE_LIMITED')).toHaveLength(10 - sent);
    expect(sent).toBeLessThan(10);
    expect((await pair.ben.http.get(`/api/chats/${groups[0]}`)).data.lastSeq).toBe(sent);
  } finally {
    await limited.close();
  }
});
