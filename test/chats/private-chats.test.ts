import { makeContacts, makePair, makePrivateChat } from '../support/people.js';
import { useApp, type TestPerson } from '../support/app.js';

const app = useApp();
const unknownId = '00000000-0000-4000-8000-000000000000';

function createWith(person: TestPerson, otherId: string) {
  return person.http.post('/api/chats', { type: 'PRIVATE', participantIds: [otherId] });
}

async function strangers(): Promise<[TestPerson, TestPerson]> {
  return Promise.all([app.registerUser(), app.registerUser()]);
}

describe('creating a private chat', () => {
  it('answers 201 with the chat as its creator sees it', async () => {
    const [ann, ben] = await strangers();
    await makeContacts(ann, ben);
    const { status, data } = await createWith(ann, ben.id);
    expect(status).toBe(201);
    expect(data).toMatchObject({
      type: 'PRIVATE',
      name: ben.name,
      image: null,
      createdById: ann.id,
      lastSeq: 0,
      lastMessage: null,
      unreadCount: 0,
      memberCount: 2,
      others: { deliveredSeq: 0, readSeq: 0 },
      my: { role: 'MEMBER', firstSeq: 1, readSeq: 0, deliveredSeq: 0, pinned: false, archived: false },
    });
    expect(data.members.map((member: { user: { id: string } }) => member.user.id)).toEqual([ann.id, ben.id]);
  });

  it('answers 200 with the chat there is, whoever asks', async () => {
    const { ann, ben, chatId } = await makePair(app);
    for (const [me, other] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      const { status, data } = await createWith(me, other.id);
      expect(status).toBe(200);
      expect(data).toMatchObject({ id: chatId, name: other.name });
    }
  });

  it('never makes two for a pair, however many ask at once from both sides', async () => {
    const [ann, ben] = await strangers();
    await makeContacts(ann, ben);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? createWith(ann, ben.id) : createWith(ben, ann.id))),
    );
    expect(new Set(answers.map((answer) => answer.data.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(49);
    const [count] = await app.sql('SELECT count(*)::int AS chats FROM chat WHERE $1 IN (user_lo, user_hi)', [
      ann.id,
    ]);
    expect(count).toEqual({ chats: 1 });
  });

  it('needs an accepted contact', async () => {
    const [ann, ben] = await strangers();
    expect(await createWith(ann, ben.id)).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
    await ann.http.post('/api/contacts/request', { userId: ben.id });
    expect(await createWith(ann, ben.id)).toMatchObject({ status: 403, code: 'NOT_A_CONTACT' });
  });

  it('is refused to both sides of a block, but the history stays', async () => {
    const [ann, ben] = await strangers();
    await makeContacts(ann, ben);
    await ben.http.post('/api/contacts/block', { userId: ann.id });
    expect(await createWith(ann, ben.id)).toMatchObject({ status: 403, code: 'BLOCKED' });
    expect(await createWith(ben, ann.id)).toMatchObject({ status: 403, code: 'BLOCKED' });

    const pair = await makePair(app);
    await pair.ann.http.post('/api/contacts/block', { userId: pair.ben.id });
    expect(await createWith(pair.ben, pair.ann.id)).toMatchObject({ status: 200, data: { id: pair.chatId } });
  });

  it.each([
    ['an unknown person', unknownId, 404, 'USER_NOT_FOUND'],
    ['an id that cannot be one', 'nobody', 404, 'USER_NOT_FOUND'],
  ])('with %s is refused', async (_name, otherId, status, code) => {
    const ann = await app.registerUser();
    expect(await createWith(ann, otherId)).toMatchObject({ status, code });
  });

  it('with oneself, with two people, without a type is refused and the field named', async () => {
    const ann = await app.registerUser();
    const field = async (body: object) => {
      const answer = await ann.http.post('/api/chats', body);
      expect(answer.status).toBe(400);
      return answer.body.details.map((detail: { field: string }) => detail.field);
    };
    expect(await field({ type: 'PRIVATE', participantIds: [ann.id] })).toContain('participantIds');
    expect(await field({ type: 'PRIVATE', participantIds: [unknownId, ann.id] })).toContain('participantIds');
    expect(await field({ participantIds: [unknownId] })).toContain('type');
  });
});

describe('the chat list', () => {
  it('is ordered by the last activity, with the last message and what is unread', async () => {
    const ann = await app.registerUser();
    const others = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    const chatIds: string[] = [];
    for (const other of others) chatIds.push(await makePrivateChat(ann, other));
    app.clock.advance(1000);
    await others[0].http.post(`/api/chats/${chatIds[0]}/messages`, { text: 'one' });
    await others[0].http.post(`/api/chats/${chatIds[0]}/messages`, { text: 'two' });
    app.clock.advance(1000);
    await others[2].http.post(`/api/chats/${chatIds[2]}/messages`, { text: 'three' });

    const { data } = await ann.http.get('/api/chats');
    expect(data.map((chat: { id: string }) => chat.id)).toEqual([chatIds[2], chatIds[0], chatIds[1]]);
    expect(data[0]).toMatchObject({ unreadCount: 1, lastMessage: { text: 'three', status: 'SENT', seq: 1 } });
    expect(data[1]).toMatchObject({ unreadCount: 2, lastSeq: 2, lastMessage: { text: 'two' } });
    expect(data[2]).toMatchObject({ unreadCount: 0, lastMessage: null });
  });

  it('is paged, and a cursor stays valid while chats are added', async () => {
    const ann = await app.registerUser();
    const chatIds: string[] = [];
    for (let i = 0; i < 5; i++) {
      app.clock.advance(1000);
      chatIds.unshift(await makePrivateChat(ann, await app.registerUser()));
    }
    const first = await ann.http.get('/api/chats?limit=2');
    app.clock.advance(1000);
    const newest = await makePrivateChat(ann, await app.registerUser());
    const second = await ann.http.get(`/api/chats?limit=2&cursor=${first.page.nextCursor}`);
    const third = await ann.http.get(`/api/chats?limit=2&cursor=${second.page.nextCursor}`);
    const seen = [first, second, third].flatMap((page) => page.data.map((chat: { id: string }) => chat.id));
    expect(seen).toEqual(chatIds);
    expect(seen).not.toContain(newest);
    expect(third.page.nextCursor).toBeNull();
  });

  it('refuses a cursor that was changed, or is another person’s or another list’s', async () => {
    const ann = await app.registerUser();
    const ben = await app.registerUser();
    for (let i = 0; i < 2; i++) await makePrivateChat(ann, await app.registerUser());
    const cursor = (await ann.http.get('/api/chats?limit=1')).page.nextCursor ?? '';
    const refused = { status: 400, code: 'INVALID_CURSOR' };
    expect(await ann.http.get(`/api/chats?cursor=${cursor.replace(/^./, 'Z')}`)).toMatchObject(refused);
    expect(await ann.http.get('/api/chats?cursor=abc')).toMatchObject(refused);
    expect(await ben.http.get(`/api/chats?cursor=${cursor}`)).toMatchObject(refused);
    expect(await ann.http.get(`/api/chats?archived=true&cursor=${cursor}`)).toMatchObject(refused);
  });

  it('names the other person and shows their picture and presence', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await ben.http.put('/api/auth/update-profile', { name: 'Benjamin' });
    const socket = await app.connect(ben);
    const { data } = await ann.http.get(`/api/chats/${chatId}`);
    expect(data.name).toBe('Benjamin');
    expect(data.members[1].user).toMatchObject({ id: ben.id, name: 'Benjamin', online: true });
    socket.disconnect();
  });
});

describe('a single chat', () => {
  it('is there for its members alone', async () => {
    const { ben, chatId } = await makePair(app);
    const stranger = await app.registerUser();
    expect((await ben.http.get(`/api/chats/${chatId}`)).status).toBe(200);
    const refused = { status: 404, code: 'CHAT_NOT_FOUND' };
    expect(await stranger.http.get(`/api/chats/${chatId}`)).toMatchObject(refused);
    expect(await stranger.http.get(`/api/chats/${unknownId}`)).toMatchObject(refused);
    expect(await stranger.http.get('/api/chats/no-id')).toMatchObject(refused);
  });
});
