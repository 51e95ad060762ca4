import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup, makePair, makePrivateChat } from '../support/people.js';

const app = useApp();

interface Counts {
  chats: { chatId: string; unreadCount: number; mentionCount: number }[];
  contactRequests: number;
}

async function countsOf(person: TestPerson): Promise<Counts> {
  return (await person.http.get<Counts>('/api/notifications/all-counts')).data;
}

async function totalOf(person: TestPerson): Promise<number> {
  return (await person.http.get<{ total: number }>('/api/notifications/count')).data.total;
}

async function say(person: TestPerson, chatId: string, text: string, mentions?: string[]): Promise<string> {
  const answer = await person.http.post(`/api/chats/${chatId}/messages`, {
    text,
    ...(mentions && { mentions }),
  });
  expect(answer.status).toBe(201);
  return answer.data.id as string;
}

async function ask(person: TestPerson): Promise<{ asker: TestPerson; contactId: string }> {
  const asker = await app.registerUser();
  const answer = await asker.http.post('/api/contacts/request', { userId: person.id });
  return { asker, contactId: answer.data.id as string };
}

describe('counts', () => {
  it('are nothing for who has read all', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await say(ann, chatId, 'hello');
    expect(await countsOf(ann)).toEqual({ chats: [], contactRequests: 0 });
    await say(ben, chatId, 'hello back');
    expect(await countsOf(ben)).toEqual({ chats: [], contactRequests: 0 });
    expect(await totalOf(ben)).toBe(0);
  });

  it('are what the marks leave, in every chat, and together in the total', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const cid = await app.registerUser();
    const other = await makePrivateChat(ann, cid);
    for (const text of ['one', 'two', 'three']) await say(ben, chatId, text);
    app.clock.advance(10);
    await say(cid, other, 'four');
    await ask(ann);
    expect(await countsOf(ann)).toEqual({
      chats: [
        { chatId: other, unreadCount: 1, mentionCount: 0 },
        { chatId, unreadCount: 3, mentionCount: 0 },
      ],
      contactRequests: 1,
    });
    expect(await totalOf(ann)).toBe(5);

    await ann.http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: 2 });
    expect((await countsOf(ann)).chats).toContainEqual({ chatId, unreadCount: 1, mentionCount: 0 });
    await ann.http.delete(`/api/chats/${chatId}`);
    expect((await countsOf(ann)).chats.map((chat) => chat.chatId)).toEqual([other]);
  });

  it('equal what the list of chats says', async () => {
    const { ann, ben, chatId } = await makePair(app);
    for (const text of ['one', 'two']) await say(ben, chatId, text);
    const chats = (await ann.http.get('/api/chats')).data as { id: string; unreadCount: number }[];
    const listed = chats.map(({ id, unreadCount }) => [id, unreadCount]);
    expect((await countsOf(ann)).chats.map((chat) => [chat.chatId, chat.unreadCount])).toEqual(listed);
  });

  it.each([
    ['muted', (clock: number) => ({ mutedUntil: new Date(clock + 3_600_000).toISOString() })],
    ['archived', () => ({ archived: true })],
  ])('count a %s chat too', async (_name, settings) => {
    const { ann, ben, chatId } = await makePair(app);
    const answer = await ann.http.patch(`/api/chats/${chatId}/settings`, settings(app.clock.nowMs()));
    expect(answer.status).toBe(200);
    await say(ben, chatId, 'psst');
    expect(await totalOf(ann)).toBe(1);
  });

  it('do not count a chat that is only marked as unread by hand', async () => {
    const { ann, chatId } = await makePair(app);
    expect((await ann.http.patch(`/api/chats/${chatId}/settings`, { markedUnread: true })).status).toBe(200);
    expect(await countsOf(ann)).toEqual({ chats: [], contactRequests: 0 });
  });

  it('count nothing in a group one was removed from', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const chatId = await makeGroup(ben, [ann]);
    await say(ben, chatId, 'hello', [ann.id]);
    expect(await totalOf(ann)).toBe(1);
    expect((await ben.http.delete(`/api/chats/${chatId}/members/${ann.id}`)).status).toBe(200);
    expect(await countsOf(ann)).toEqual({ chats: [], contactRequests: 0 });
    expect(await totalOf(ann)).toBe(0);
  });
});

describe('mentions', () => {
  async function scene() {
    const [ann, ben, cid] = await Promise.all([app.registerUser(), app.registerUser(), app.registerUser()]);
    const chatId = await makeGroup(ben, [ann, cid]);
    const mentions = async (): Promise<number | undefined> =>
      (await countsOf(ann)).chats.find((chat) => chat.chatId === chatId)?.mentionCount;
    return { ann, ben, cid, chatId, mentions };
  }

  it('are counted apart, the caller’s own alone', async () => {
    const { ann, ben, cid, chatId, mentions } = await scene();
    await say(ben, chatId, 'all');
    await say(ben, chatId, 'you', [ann.id]);
    await say(cid, chatId, 'you two', [ann.id, ben.id]);
    await say(ben, chatId, 'not you', [cid.id]);
    expect(await mentions()).toBe(2);
    expect((await countsOf(ann)).chats[0]).toMatchObject({ unreadCount: 4, mentionCount: 2 });
  });

  it('are those above the read mark', async () => {
    const { ann, ben, chatId, mentions } = await scene();
    await say(ben, chatId, 'one', [ann.id]);
    await say(ben, chatId, 'two', [ann.id]);
    await ann.http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: 1 });
    expect(await mentions()).toBe(1);
  });

  it('go with a message that is deleted for everyone, or hidden', async () => {
    const { ann, ben, chatId, mentions } = await scene();
    const [one, two] = [await say(ben, chatId, 'one', [ann.id]), await say(ben, chatId, 'two', [ann.id])];
    await say(ben, chatId, 'three', [ann.id]);
    expect((await ben.http.delete(`/api/chats/messages/${one}?for=everyone`)).status).toBe(200);
    expect(await mentions()).toBe(2);
    expect((await ann.http.delete(`/api/chats/messages/${two}?for=me`)).status).toBe(200);
    expect(await mentions()).toBe(1);
    // Deleted and hidden messages still count as unread (contract §3).
    expect((await countsOf(ann)).chats[0]!.unreadCount).toBe(3);
  });
});

describe('the list', () => {
  it('holds unread chats with their last message, and requests', async () => {
    const { ann, ben, chatId } = await makePair(app);
    await say(ben, chatId, 'first');
    await say(ben, chatId, 'last');
    const { asker, contactId } = await ask(ann);
    const { data, page } = await ann.http.get('/api/notifications');
    expect(data).toMatchObject({
      chats: [
        {
          chatId,
          unreadCount: 2,
          mentionCount: 0,
          id: chatId,
          name: 'Ben',
          lastMessage: { text: 'last' },
        },
      ],
      contactRequests: [{ id: contactId, user: { id: asker.id }, status: 'PENDING', viewed: false }],
    });
    expect(page).toEqual({ nextCursor: null });
  });

  it('leaves out requests the caller made, answered ones, and those a block hides', async () => {
    const ann = await app.registerUser();
    const [accepted, blocked, waiting] = [await ask(ann), await ask(ann), await ask(ann)];
    const other = await app.registerUser();
    await ann.http.post('/api/contacts/request', { userId: other.id });
    await ann.http.patch(`/api/contacts/request/${accepted.contactId}/accept`);
    await ann.http.post('/api/contacts/block', { userId: blocked.asker.id });
    const { data } = await ann.http.get('/api/notifications');
    expect(data.contactRequests.map((request: { id: string }) => request.id)).toEqual([waiting.contactId]);
    expect(await totalOf(ann)).toBe(1);
  });

  it('pages both, each item once', async () => {
    const ann = await app.registerUser();
    const chatIds: string[] = [];
    for (let i = 0; i < 5; i++) {
      const ben = await app.registerUser();
      chatIds.push(await makePrivateChat(ann, ben));
      app.clock.advance(10);
      await say(ben, chatIds.at(-1)!, `hello ${i}`);
    }
    const asked = [];
    for (let i = 0; i < 3; i++) asked.push((await ask(ann)).contactId);
    const seenChats: string[] = [];
    const seenRequests: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await ann.http.get(`/api/notifications?limit=2${query}`);
      seenChats.push(...answer.data.chats.map((chat: { chatId: string }) => chat.chatId));
      seenRequests.push(...answer.data.contactRequests.map((one: { id: string }) => one.id));
      cursor = answer.page.nextCursor;
      pages += 1;
    } while (cursor !== null);
    expect(pages).toBe(3);
    expect(seenChats).toEqual([...chatIds].reverse());
    expect([...seenRequests].sort()).toEqual([...asked].sort());
  });

  it('refuses a cursor of somebody else', async () => {
    const [ann, eve] = await Promise.all([app.registerUser(), app.registerUser()]);
    await ask(ann);
    await ask(ann);
    const { page } = await ann.http.get('/api/notifications?limit=1');
    const path = `/api/notifications?cursor=${encodeURIComponent(page.nextCursor!)}`;
    expect(await eve.http.get(path)).toMatchObject({ status: 400, code: 'INVALID_CURSOR' });
    expect(await ann.http.get('/api/notifications?cursor=made-up')).toMatchObject({ status: 400 });
  });
});

describe('clearing a chat', () => {
  it('marks it as read, tells the sender, and all the caller’s devices', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const [one, two, bens] = [await app.connect(ann), await app.connect(ann), await app.connect(ben)];
    await say(ben, chatId, 'read me');
    expect((await ann.http.post(`/api/notifications/clear/${chatId}`)).status).toBe(200);
    for (const socket of [one, two]) {
      expect(await socket.next('notifications-cleared')).toEqual({ chatId });
      expect(await socket.next('chat-read')).toEqual({ chatId, readSeq: 1 });
    }
    expect(await bens.next('message-status-update')).toMatchObject({ chatId, status: 'READ', upToSeq: 1 });
    await bens.expectNone('notifications-cleared');
    expect(await totalOf(ann)).toBe(0);
  });

  it('is told to the devices also when nothing was unread', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    expect((await ann.http.post(`/api/notifications/clear/${chatId}`)).status).toBe(200);
    expect(await socket.next('notifications-cleared')).toEqual({ chatId });
  });

  it.each([
    ['another’s chat', async () => (await makePair(app)).chatId],
    ['no chat', () => Promise.resolve(randomUUID())],
    ['no id', () => Promise.resolve('not-an-id')],
  ])('answers %s with 404', async (_name, chatIdOf) => {
    const eve = await app.registerUser();
    const answer = await eve.http.post(`/api/notifications/clear/${await chatIdOf()}`);
    expect(answer).toMatchObject({ status: 404, code: 'CHAT_NOT_FOUND' });
  });
});

describe('viewing contact requests', () => {
  it('makes those that wait old, and counts the next', async () => {
    const ann = await app.registerUser();
    const socket = await app.connect(ann);
    await ask(ann);
    await ask(ann);
    expect((await countsOf(ann)).contactRequests).toBe(2);
    expect((await ann.http.post('/api/notifications/mark-contacts-viewed')).status).toBe(200);
    expect(await socket.next('contact-requests-viewed')).toEqual({});
    expect((await countsOf(ann)).contactRequests).toBe(0);
    expect(await totalOf(ann)).toBe(0);

    // In the same millisecond of the clock.
    const { contactId } = await ask(ann);
    expect((await countsOf(ann)).contactRequests).toBe(1);
    const { data } = await ann.http.get('/api/notifications');
    const viewed = new Map<string, boolean>(
      data.contactRequests.map((one: { id: string; viewed: boolean }) => [one.id, one.viewed]),
    );
    expect(viewed.size).toBe(3);
    expect([...viewed].filter(([, isViewed]) => !isViewed)).toEqual([[contactId, false]]);
  });

  it('concerns the caller alone', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await ask(ben);
    await ann.http.post('/api/notifications/mark-contacts-viewed');
    expect((await countsOf(ben)).contactRequests).toBe(1);
  });
});

it('says that no push provider is configured', async () => {
  const ann = await app.registerUser();
  expect((await ann.http.get('/api/notifications/push')).data).toEqual({ webpush: null, fcm: false });
});
