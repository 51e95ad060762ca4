import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair } from '../support/people.js';

const app = useApp();

let ann: TestPerson;
let ben: TestPerson;
let chatId: string;
let id: string;

beforeEach(async () => {
  ({ ann, ben, chatId } = await makePair(app));
  id = (await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'done' })).data.id as string;
});

const react = (person: TestPerson, emoji: unknown, message = id) =>
  person.http.post(`/api/chats/messages/${message}/reactions`, { emoji });
const messageOf = async (person: TestPerson) =>
  (await person.http.get(`/api/chats/${chatId}/messages`)).data[0];

describe('POST /api/chats/messages/:messageId/reactions', () => {
  it('adds one, as a revision of the message that both see', async () => {
    const answer = await react(ben, '👍');
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({
      id,
      rev: 2,
      text: 'done',
      reactions: [{ emoji: '👍', userIds: [ben.id] }],
    });
    expect(await messageOf(ben)).toEqual(answer.data);
    expect(await messageOf(ann)).toMatchObject({
      rev: 2,
      editedAt: null,
      reactions: answer.data.reactions,
    });
  });

  it('tells every device of both of each change', async () => {
    const sockets = [await app.connect(ann), await app.connect(ben)];
    for (const emoji of ['👍', '🎉', '']) await react(ben, emoji);
    for (const socket of sockets) {
      await socket.next('message-reaction', (event) => event.rev === 4);
      const common = { chatId, messageId: id, userId: ben.id };
      expect(socket.all('message-reaction')).toEqual([
        { ...common, rev: 2, emoji: '👍', action: 'added' },
        { ...common, rev: 3, emoji: '🎉', action: 'added' },
        { ...common, rev: 4, emoji: '🎉', action: 'removed' },
      ]);
    }
    expect(await messageOf(ann)).toMatchObject({ rev: 4, reactions: [] });
  });

  it('has one of each person: another replaces it', async () => {
    await react(ben, '👍');
    await react(ann, '👍');
    const { data } = await react(ben, '🎉');
    expect(data).toMatchObject({
      rev: 4,
      reactions: [
        { emoji: '👍', userIds: [ann.id] },
        { emoji: '🎉', userIds: [ben.id] },
      ],
    });
    expect(await messageOf(ann)).toMatchObject({ rev: 4, reactions: data.reactions });
  });

  it('lists who gave the same in the order in which they did', async () => {
    await react(ben, '👍');
    await react(ann, '👍');
    expect((await messageOf(ann)).reactions).toEqual([{ emoji: '👍', userIds: [ben.id, ann.id] }]);
    await react(ben, '');
    await react(ben, '👍');
    expect((await messageOf(ann)).reactions).toEqual([{ emoji: '👍', userIds: [ann.id, ben.id] }]);
  });

  it('changes nothing when it is the same again, or when there is nothing to take back', async () => {
    const socket = await app.connect(ann);
    expect(await react(ben, '')).toMatchObject({ status: 200, data: { rev: 1, reactions: [] } });
    await react(ben, '❤️');
    expect((await react(ben, '❤️')).data.rev).toBe(2);
    await socket.barrier();
    expect(socket.all('message-reaction')).toHaveLength(1);
  });

  it('takes a heart with U+FE0F and one without as the same', async () => {
    await react(ann, '\u2764');
    await react(ben, '\u2764\uFE0F');
    const both = [{ emoji: '\u2764\uFE0F', userIds: [ann.id, ben.id] }];
    expect(await messageOf(ann)).toMatchObject({ rev: 3, reactions: both });
    expect((await react(ann, '\u2764\uFE0F')).data.rev).toBe(3);
  });

  it.each([
    ['two', '👍👍'],
    ['a sentence', 'I could not agree more with what you say'],
    ['a joiner', '\u200D'],
    ['a skin tone', '🏽'],
    ['a regional indicator', '🇩'],
    ['a space', ' '],
    ['a number', 7],
    ['null', null],
    ['a list', ['👍']],
    ['very long', '👍'.repeat(20_000)],
    ['NUL', '\u0000'],
  ])('refuses %s, and stores nothing', async (_name, emoji) => {
    const answer = await react(ben, emoji);
    expect([answer.status, answer.code, answer.body.details[0].field]).toEqual([
      400,
      'VALIDATION_FAILED',
      'emoji',
    ]);
    expect(await messageOf(ann)).toMatchObject({ rev: 1, reactions: [] });
  });

  it('is nothing for strangers, deleted messages and what the server says', async () => {
    const stranger = await app.registerUser();
    expect(await react(stranger, '👍')).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
    await ann.http.delete(`/api/chats/messages/${id}?for=everyone`);
    expect(await react(ben, '👍')).toMatchObject({ status: 422, code: 'MESSAGE_DELETED' });
    const group = await makeGroup(ann, [stranger]);
    await ann.http.patch(`/api/chats/${group}`, { name: 'Roses' });
    expect(await react(stranger, '👍', `${group}.1`)).toMatchObject({ status: 422, code: 'UNPROCESSABLE' });
  });

  it('is silenced by a block in a private chat', async () => {
    await react(ben, '👍');
    await ann.http.post('/api/contacts/block', { userId: ben.id });
    for (const [person, emoji] of [
      [ben, '🎉'],
      [ben, ''],
      [ann, '👍'],
    ] as const) {
      expect(await react(person, emoji)).toMatchObject({ status: 403, code: 'BLOCKED' });
    }
    expect(await messageOf(ann)).toMatchObject({ rev: 2, reactions: [{ emoji: '👍', userIds: [ben.id] }] });
  });

  it('counts every change of a hundred people who react at once', async () => {
    const owner = await app.registerUser();
    const people = await Promise.all(Array.from({ length: 25 }, () => app.registerUser()));
    const group = await makeGroup(owner, people);
    const sent = await owner.http.post(`/api/chats/${group}/messages`, { text: 'react!' });
    const socket = await app.connect(owner);
    const message = sent.data.id as string;
    const emojis = ['👍', '❤️', '🎉', '🇩🇪'];
    // Each of the 25 reacts four times at once: a hundred changes, whatever their order.
    const answers = await Promise.all(
      people.flatMap((person) => emojis.map((emoji) => react(person, emoji, message))),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    await socket.next('message-reaction', (event) => event.rev === 101);
    const told = socket.all('message-reaction').sort((a, b) => a.rev - b.rev);
    expect(told.map((event) => event.rev)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2));

    const { data } = await owner.http.get(`/api/chats/${group}/messages?limit=1`);
    expect(data[0].rev).toBe(101);
    const last = new Map(told.map((event) => [event.userId, event.emoji]));
    const kept = data[0].reactions.flatMap((reaction: { emoji: string; userIds: string[] }) =>
      reaction.userIds.map((userId) => [userId, reaction.emoji] as const),
    );
    expect(kept).toHaveLength(25);
    expect(new Map(kept)).toEqual(last);
  });

  it('goes with the account of who gave it, as a revision', async () => {
    await react(ben, '👍');
    await react(ann, '🎉');
    await ben.http.delete('/api/auth/delete-profile', { password: ben.password });
    expect(await messageOf(ann)).toMatchObject({ rev: 4, reactions: [{ emoji: '🎉', userIds: [ann.id] }] });
  });
});
