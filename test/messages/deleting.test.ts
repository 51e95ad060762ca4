import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair } from '../support/people.js';
import { filesOf } from '../media/files.js';
import { makePicture } from '../media/pictures.js';

// The tests move the clock further than a usual access token lives.
const app = useApp({ env: { JWT_EXPIRES_IN: '30d' } });
const HOUR = 3_600_000;

let ann: TestPerson;
let ben: TestPerson;
let chatId: string;

beforeEach(async () => {
  ({ ann, ben, chatId } = await makePair(app));
});

const sendTo = async (chat: string, person: TestPerson, body: object = { text: 'a secret' }) => {
  const answer = await person.http.post(`/api/chats/${chat}/messages`, body);
  expect(answer.status).toBe(201);
  return answer.data.id as string;
};
const send = (person: TestPerson, body?: object): Promise<string> => sendTo(chatId, person, body);
const remove = (person: TestPerson, id: string, scope?: string) =>
  person.http.delete(`/api/chats/messages/${id}${scope === undefined ? '' : `?for=${scope}`}`);
const historyOf = async (person: TestPerson, chat = chatId) =>
  (await person.http.get(`/api/chats/${chat}/messages`)).data;
const seqsOf = async (person: TestPerson): Promise<number[]> =>
  (await historyOf(person)).map((message: { seq: number }) => message.seq);

describe('for me', () => {
  it('is what a deletion is unless it says otherwise, and takes nothing from the other', async () => {
    const [first, second] = [await send(ann), await send(ben)];
    expect(await remove(ann, first)).toMatchObject({ status: 200, data: null });
    expect((await remove(ann, second, 'me')).status).toBe(200);
    expect(await seqsOf(ann)).toEqual([]);
    const others = await historyOf(ben);
    expect(others.map(({ rev, text }: { rev: number; text: string }) => [rev, text])).toEqual([
      [1, 'a secret'],
      [1, 'a secret'],
    ]);
    const mine = (await ann.http.get(`/api/chats/${chatId}`)).data;
    expect([mine.lastMessage, mine.lastSeq]).toEqual([null, 2]);
    expect((await ben.http.get(`/api/chats/${chatId}`)).data.lastMessage.seq).toBe(2);
  });

  it('makes every route that names the message answer as if there were none', async () => {
    const id = await send(ben);
    await ann.http.put(`/api/chats/messages/${id}/star`);
    await remove(ann, id);
    const message = `/api/chats/messages/${id}`;
    const answers = [
      await remove(ann, id),
      await remove(ann, id, 'everyone'),
      await ann.http.patch(message, { text: 'x' }),
      await ann.http.post(`${message}/reactions`, { emoji: '👍' }),
      await ann.http.put(`${message}/star`),
      await ann.http.delete(`${message}/star`),
      await ann.http.get(`${message}/replies`),
      await ann.http.get(`${message}/receipts`),
      await ann.http.patch(`${message}/status`, { status: 'READ' }),
      await ann.http.post(`${message}/forward`, { chatIds: [chatId] }),
      await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'to it', replyToId: id }),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.code]).toEqual([404, 'MESSAGE_NOT_FOUND']);
    }
    expect((await ann.http.get('/api/chats/messages/starred')).data).toEqual([]);
    expect(await seqsOf(ben)).toEqual([1]);
  });

  it('is told to all of one’s own devices, and to nobody else', async () => {
    const id = await send(ann);
    const login = await app.http().post('/api/auth/login', { email: ann.email, password: ann.password });
    const own = [await app.connect(ann), await app.connect({ token: login.data.token })];
    const other = await app.connect(ben);
    await remove(ann, id);
    for (const socket of own) {
      expect(await socket.next('message-hidden')).toEqual({ chatId, messageId: id });
    }
    await other.expectNone('message-hidden');
    await other.expectNone('message-deleted');
  });

  it('happens once, also when it is asked for many times at the same time', async () => {
    const id = await send(ben);
    const socket = await app.connect(ann);
    const answers = await Promise.all(Array.from({ length: 8 }, () => remove(ann, id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    await socket.barrier();
    expect(socket.all('message-hidden')).toHaveLength(1);
  });

  it('works at any time, on messages of others, deleted ones and those of a block', async () => {
    const [old, deleted] = [await send(ben), await send(ben)];
    await remove(ben, deleted, 'everyone');
    await ben.http.post('/api/contacts/block', { userId: ann.id });
    app.clock.advance(100 * HOUR);
    for (const id of [old, deleted]) expect((await remove(ann, id)).status).toBe(200);
    expect(await seqsOf(ann)).toEqual([]);
  });
});

describe('for everyone', () => {
  it('empties the message for both, and keeps its place', async () => {
    await send(ben);
    const id = await send(ann, { text: 'a secret', mentions: [ben.id] });
    await send(ben);
    await ben.http.post(`/api/chats/messages/${id}/reactions`, { emoji: '👍' });
    expect(await remove(ann, id, 'everyone')).toMatchObject({ status: 200, data: null });
    for (const person of [ann, ben]) {
      const history = await historyOf(person);
      expect(history.map((message: { seq: number }) => message.seq)).toEqual([3, 2, 1]);
      expect(history[1]).toMatchObject({
        id,
        rev: 3,
        senderId: ann.id,
        text: null,
        media: null,
        mentions: [],
        reactions: [],
        deletedAt: app.clock.now().toISOString(),
      });
      expect((await person.http.get(`/api/chats/${chatId}`)).data.lastSeq).toBe(3);
    }
    const left = await app.sql(
      `SELECT 'mention' AS row FROM mention WHERE chat_id = $1 AND seq = 2
       UNION ALL SELECT 'reaction' FROM reaction WHERE chat_id = $1 AND seq = 2
       UNION ALL SELECT 'text' FROM message
         WHERE chat_id = $1 AND seq = 2 AND (text IS NOT NULL OR search IS NOT NULL OR mentions <> '{}')`,
      [chatId],
    );
    expect(left).toEqual([]);
  });

  it('tells every device of both', async () => {
    const id = await send(ann);
    const sockets = [await app.connect(ann), await app.connect(ben)];
    await remove(ann, id, 'everyone');
    for (const socket of sockets) {
      expect(await socket.next('message-deleted')).toEqual({
        chatId,
        messageId: id,
        seq: 1,
        rev: 2,
        deletedByUserId: ann.id,
      });
    }
  });

  it('answers once more like the first time, and changes nothing', async () => {
    const id = await send(ann);
    await remove(ann, id, 'everyone');
    const [before] = await historyOf(ben);
    const socket = await app.connect(ben);
    app.clock.advance(49 * HOUR);
    expect(await remove(ann, id, 'everyone')).toMatchObject({ status: 200, data: null });
    await socket.expectNone('message-deleted');
    const rows = await app.sql('SELECT rev, deleted_at FROM message WHERE chat_id = $1', [chatId]);
    expect(rows).toEqual([{ rev: 2, deleted_at: new Date(before.deletedAt) }]);
  });

  it('takes it out of quotes', async () => {
    const id = await send(ann);
    await send(ben, { text: 'to it', replyToId: id });
    await remove(ann, id, 'everyone');
    expect((await historyOf(ben))[0].replyTo).toEqual({ id, senderId: ann.id, type: 'TEXT', text: null });
  });

  it('is for its sender, within 48 hours', async () => {
    const [id, late] = [await send(ann), await send(ann)];
    expect(await remove(ben, id, 'everyone')).toMatchObject({ status: 403, code: 'NOT_YOUR_MESSAGE' });
    const stranger = await app.registerUser();
    expect(await remove(stranger, id, 'everyone')).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
    app.clock.advance(48 * HOUR);
    expect((await remove(ann, id, 'everyone')).status).toBe(200);
    app.clock.advance(1);
    expect(await remove(ann, late, 'everyone')).toMatchObject({ status: 422, code: 'DELETE_WINDOW' });
  });

  it('is for the owner and the admins of a group at any time, for members of their own alone', async () => {
    const people = await Promise.all(
      ['Olga', 'Adam', 'Mia', 'Max'].map((name) => app.registerUser({ name })),
    );
    const [owner, admin, member, other] = people as [TestPerson, TestPerson, TestPerson, TestPerson];
    const group = await makeGroup(owner, [admin, member, other]);
    const role = await owner.http.patch(`/api/chats/${group}/members/${admin.id}`, { role: 'ADMIN' });
    expect(role.status).toBe(200);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(await sendTo(group, member));
    const owners = await sendTo(group, owner);
    const system = (await historyOf(owner, group)).find(({ type }: { type: string }) => type === 'SYSTEM');
    app.clock.advance(72 * HOUR);
    expect(await remove(other, ids[0]!, 'everyone')).toMatchObject({ code: 'NOT_YOUR_MESSAGE' });
    expect(await remove(member, ids[0]!, 'everyone')).toMatchObject({ code: 'DELETE_WINDOW' });
    expect((await remove(admin, ids[0]!, 'everyone')).status).toBe(200);
    expect((await remove(owner, ids[1]!, 'everyone')).status).toBe(200);
    expect((await remove(admin, owners, 'everyone')).status).toBe(200);
    expect(await remove(owner, system.id, 'everyone')).toMatchObject({
      status: 422,
      code: 'UNPROCESSABLE',
    });
    const texts = (await historyOf(member, group)).map((message: { text: string }) => message.text);
    expect(texts).toEqual([null, 'a secret', null, null, system.text]);
  });

  it('takes its file away, unless another message still has it', async () => {
    const before = await filesOf(app);
    const sent = await ann.http.multipart('POST', `/api/chats/${chatId}/messages`, {}, [
      { name: 'media', fileName: 'dog.png', content: await makePicture('png'), type: 'image/png' },
    ]);
    expect(sent.status).toBe(201);
    const { url } = sent.data.media;
    const forwarded = await ben.http.post(`/api/chats/messages/${sent.data.id}/forward`, {
      chatIds: [chatId],
    });
    expect(forwarded.status).toBe(201);
    await remove(ann, sent.data.id, 'everyone');
    expect((await historyOf(ben)).map(({ media }: { media: unknown }) => media !== null)).toEqual([
      true,
      false,
    ]);
    expect((await filesOf(app)).uploads.length).toBeGreaterThan(before.uploads.length);
    await remove(ben, forwarded.data[0].id, 'everyone');
    expect((await filesOf(app)).uploads).toEqual(before.uploads);
    expect((await app.http().get(url)).status).toBe(404);
  });

  it.each(['all', '', 'ME', 'me&for=everyone'])('refuses for=%s', async (scope) => {
    const id = await send(ann);
    const answer = await remove(ann, id, scope);
    expect([answer.status, answer.body.details[0].field]).toEqual([400, 'for']);
    expect(await seqsOf(ann)).toEqual([1]);
  });
});
