import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair } from '../support/people.js';
import { makePicture } from '../media/pictures.js';

// The tests move the clock further than a usual access token lives.
const app = useApp({ env: { JWT_EXPIRES_IN: '30d' } });
const MINUTE = 60_000;

let ann: TestPerson;
let ben: TestPerson;
let chatId: string;

beforeEach(async () => {
  ({ ann, ben, chatId } = await makePair(app));
});

const send = async (person: TestPerson, body: object = { text: 'frist' }): Promise<string> => {
  const answer = await person.http.post(`/api/chats/${chatId}/messages`, body);
  expect(answer.status).toBe(201);
  return answer.data.id as string;
};
const edit = (person: TestPerson, id: string, text: unknown) =>
  person.http.patch(`/api/chats/messages/${id}`, { text });
const historyOf = async (person: TestPerson) => (await person.http.get(`/api/chats/${chatId}/messages`)).data;

describe('PATCH /api/chats/messages/:messageId', () => {
  it('changes the text for everyone, keeps it as sent, and says when', async () => {
    const id = await send(ann);
    app.clock.advance(MINUTE);
    const answer = await edit(ann, id, '  first 🎉 ');
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({
      id,
      seq: 1,
      rev: 2,
      text: '  first 🎉 ',
      starred: false,
      editedAt: app.clock.now().toISOString(),
      deletedAt: null,
    });
    expect(answer.data.createdAt < answer.data.editedAt).toBe(true);
    const [mine] = await historyOf(ann);
    expect(mine).toEqual(answer.data);
    expect((await historyOf(ben))[0]).toEqual(answer.data);
  });

  it('tells every device of both, once, with a revision of its own each time', async () => {
    const id = await send(ann);
    const sockets = [await app.connect(ann), await app.connect(ben)];
    await edit(ann, id, 'second');
    const { data } = await edit(ann, id, 'third');
    const { starred: _starred, ...message } = data;
    for (const socket of sockets) {
      await socket.next('message-edited', ({ message: { rev } }) => rev === 3);
      const told = socket.all('message-edited');
      expect(told.map((event) => [event.message.rev, event.message.text])).toEqual([
        [2, 'second'],
        [3, 'third'],
      ]);
      expect(told[1]).toEqual({ chatId, message });
    }
  });

  it('keeps the status that the message has reached', async () => {
    const id = await send(ann);
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    const socket = await app.connect(ben);
    expect((await edit(ann, id, 'better')).data.status).toBe('READ');
    expect((await socket.next('message-edited')).message.status).toBe('READ');
  });

  it('keeps reactions, reply and mentions', async () => {
    const first = await send(ben);
    const id = await send(ann, { text: 'yes', replyToId: first, mentions: [ben.id] });
    await ben.http.post(`/api/chats/messages/${id}/reactions`, { emoji: '👍' });
    expect((await edit(ann, id, 'no')).data).toMatchObject({
      rev: 3,
      text: 'no',
      mentions: [ben.id],
      replyTo: { id: first },
      reactions: [{ emoji: '👍', userIds: [ben.id] }],
    });
  });

  it('changes what replies quote and what the chat shows', async () => {
    const id = await send(ann);
    await send(ben, { text: 'to it', replyToId: id });
    await edit(ann, id, 'better');
    expect((await historyOf(ben))[0].replyTo).toMatchObject({ id, text: 'better' });
    const last = await send(ann, { text: 'teh end' });
    await edit(ann, last, 'the end');
    expect((await ben.http.get(`/api/chats/${chatId}`)).data.lastMessage.text).toBe('the end');
  });

  it('makes no revision of the same text', async () => {
    const id = await send(ann, { text: 'same' });
    const socket = await app.connect(ben);
    const answer = await edit(ann, id, 'same');
    expect([answer.status, answer.data.rev, answer.data.editedAt]).toEqual([200, 1, null]);
    await socket.expectNone('message-edited');
  });

  it('takes 15 minutes and no more', async () => {
    const id = await send(ann);
    app.clock.advance(15 * MINUTE);
    expect((await edit(ann, id, 'in time')).status).toBe(200);
    app.clock.advance(1);
    const late = await edit(ann, id, 'late');
    expect([late.status, late.code]).toEqual([422, 'EDIT_WINDOW']);
    expect((await historyOf(ben))[0].text).toBe('in time');
  });

  it('is for its sender alone, also in a group', async () => {
    const id = await send(ann);
    const stranger = await app.registerUser();
    expect(await edit(ben, id, 'forged')).toMatchObject({ status: 403, code: 'NOT_YOUR_MESSAGE' });
    expect(await edit(stranger, id, 'forged')).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
    const cid = await app.registerUser();
    const group = await makeGroup(cid, [await app.registerUser()]);
    const { data } = await cid.http.patch(`/api/chats/${group}`, { name: 'Roses' });
    const system = await edit(cid, `${group}.${data.lastSeq}`, 'forged');
    expect(system).toMatchObject({ status: 403, code: 'NOT_YOUR_MESSAGE' });
    expect((await historyOf(ann))[0].text).toBe('frist');
  });

  it('finds nothing where there is nothing to see', async () => {
    const id = await send(ann);
    const gone = await send(ann);
    await ann.http.delete(`/api/chats/messages/${gone}`);
    for (const absent of [`${chatId}.99`, `${randomUUID()}.1`, 'x', `${chatId}.0`, gone]) {
      const answer = await edit(ann, absent, 'x');
      expect([absent, answer.status, answer.code]).toEqual([absent, 404, 'MESSAGE_NOT_FOUND']);
    }
    await ann.http.delete(`/api/chats/${chatId}`);
    expect(await edit(ann, id, 'cleared')).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  });

  it('does nothing to a deleted message', async () => {
    const id = await send(ann);
    await ann.http.delete(`/api/chats/messages/${id}?for=everyone`);
    expect(await edit(ann, id, 'back')).toMatchObject({ status: 422, code: 'MESSAGE_DELETED' });
    expect((await historyOf(ben))[0]).toMatchObject({ rev: 2, text: null });
  });

  it('is silenced by a block, like sending', async () => {
    const id = await send(ann);
    await ben.http.post('/api/contacts/block', { userId: ann.id });
    const socket = await app.connect(ben);
    expect(await edit(ann, id, 'still here')).toMatchObject({ status: 403, code: 'BLOCKED' });
    await socket.expectNone('message-edited');
    await ben.http.patch(`/api/contacts/unblock/${ann.id}`);
    expect((await edit(ann, id, 'again')).status).toBe(200);
  });

  it.each([
    ['empty', ''],
    ['white space', ' \n\t'],
    ['too long', 'x'.repeat(4097)],
    ['a number', 1],
    ['null', null],
    ['NUL', 'a\u0000b'],
    ['a lone surrogate', 'a\ud800'],
  ])('refuses a text that is %s, and changes nothing', async (_name, text) => {
    const id = await send(ann);
    const answer = await edit(ann, id, text);
    expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect((await historyOf(ann))[0]).toMatchObject({ rev: 1, text: 'frist' });
  });

  it('counts 4,096 code points, and refuses fields that it does not know', async () => {
    const id = await send(ann);
    expect((await edit(ann, id, '😀'.repeat(4096))).status).toBe(200);
    const answer = await ann.http.patch(`/api/chats/messages/${id}`, { text: 'x', mentions: [] });
    expect([answer.status, answer.body.details[0].field]).toEqual([400, 'mentions']);
  });

  it('lets the new words be found, and the old ones no more', async () => {
    const id = await send(ann, { text: 'rhubarb' });
    await edit(ann, id, 'gooseberry');
    const found = async (query: string) =>
      (await ben.http.get(`/api/chats/messages/search?query=${query}`)).data.map(
        (message: { id: string }) => message.id,
      );
    expect(await found('gooseberry')).toEqual([id]);
    expect(await found('rhubarb')).toEqual([]);
  });

  it('changes the caption of one’s own picture', async () => {
    const sent = await ann.http.multipart('POST', `/api/chats/${chatId}/messages`, { text: 'the dgo' }, [
      { name: 'media', fileName: 'dog.png', content: await makePicture('png'), type: 'image/png' },
    ]);
    expect(sent.status).toBe(201);
    const socket = await app.connect(ben);
    const { data } = await edit(ann, sent.data.id, 'the dog');
    expect(data).toMatchObject({ type: 'IMAGE', text: 'the dog', media: { id: sent.data.media.id } });
    const told = (await socket.next('message-edited')).message.media;
    expect((await app.http().get(told.url)).status).toBe(200);
  });

  it('gives every one of many edits at once a revision and an event of its own', async () => {
    const id = await send(ann);
    const socket = await app.connect(ben);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => edit(ann, id, `text ${i}`)));
    expect(answers.map(({ data }) => data.rev).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 2),
    );
    for (let rev = 2; rev <= 21; rev++) {
      const { message } = await socket.next('message-edited', (event) => event.message.rev === rev);
      expect(message.text).toBe(answers.find(({ data }) => data.rev === rev)!.data.text);
    }
    const [last] = await historyOf(ben);
    expect(last.text).toBe(answers.find(({ data }) => data.rev === 21)!.data.text);
  });

  it('tells of edits and reactions at once in the order of the revisions', async () => {
    const id = await send(ann);
    const socket = await app.connect(ben);
    const url = `/api/chats/messages/${id}/reactions`;
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => [
        edit(ann, id, `text ${i}`),
        ben.http.post(url, { emoji: i % 2 === 0 ? '👍' : '' }),
      ]).flat(),
    );
    await socket.barrier();
    const revs = socket.received.flatMap(({ event, payload }) => {
      if (event === 'message-edited') return [payload.message.rev as number];
      return event === 'message-reaction' ? [payload.rev as number] : [];
    });
    expect(revs.length).toBeGreaterThan(20);
    expect(revs).toEqual(revs.map((_, i) => i + 2));
  });
});
