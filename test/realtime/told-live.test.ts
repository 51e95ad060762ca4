import { startProxy, type TestProxy } from '../support/proxy.js';
import { startApp, useApp, type TestApp } from '../support/app.js';
import { makeContacts, makeGroup, makePair, makePrivateChat } from '../support/people.js';

const app = useApp();

interface ChatEvent {
  chat: { id: string; name: string; memberCount: number; my?: { pinned: boolean; role: string } };
}

describe('what live clients are told of people', () => {
  it('a new name reaches whoever has a private chat with that person, as that chat’s', async () => {
    const { ann, ben, chatId } = await makePair(app);
    const eve = await app.registerUser();
    const [benSocket, eveSocket, annSocket] = await Promise.all(
      [ben, eve, ann].map((one) => app.connect(one)),
    );
    await ann.http.put('/api/auth/update-profile', { name: 'Annika' });
    expect(await benSocket?.next<ChatEvent>('chat-updated')).toMatchObject({
      chat: { id: chatId, name: 'Annika' },
    });
    await eveSocket?.expectNone('chat-updated');
    await annSocket?.expectNone('chat-updated');
  });

  it('of many new names the last is told last', async () => {
    const { ann, ben } = await makePair(app);
    const socket = await app.connect(ben);
    const names = Array.from({ length: 20 }, (_, i) => `Ann ${i + 1}`);
    for (const name of names) await ann.http.put('/api/auth/update-profile', { name });
    await socket.next<ChatEvent>('chat-updated', ({ chat }) => chat.name === 'Ann 20');
    await socket.barrier();
    expect(socket.all<ChatEvent>('chat-updated').at(-1)?.chat.name).toBe('Ann 20');
  });

  it('an account that goes leaves messages without a sender: who may hold them is told to sync', async () => {
    const [ann, ben, cid] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ] as const);
    await makePrivateChat(ann, ben);
    const chatId = await makeGroup(ann, [cid]);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'mine' });
    await ann.http.post(`/api/chats/${chatId}/leave`);
    const [benSocket, cidSocket, stranger] = await Promise.all(
      [ben, cid, await app.registerUser()].map((one) => app.connect(one)),
    );
    await ann.http.delete('/api/auth/delete-profile', { password: ann.password });
    await benSocket?.next('resync');
    await cidSocket?.next('resync');
    await stranger?.expectNone('resync');
  });
});

describe('what live clients are told of chats', () => {
  it('changes of one’s own settings come whole and in order', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    for (const pinned of [true, false, true, false, true]) {
      await ann.http.patch(`/api/chats/${chatId}/settings`, { pinned });
    }
    await socket.next('chat-updated');
    for (let i = 0; i < 4; i++) await socket.next('chat-updated');
    const states = socket.all<ChatEvent>('chat-updated').map(({ chat }) => chat.my?.pinned);
    expect(states).toHaveLength(5);
    expect(states.at(-1)).toBe(true);
  });

  it('a rename comes without what is one member’s own; a role comes whole to whom it is given', async () => {
    const [ann, ben, cid] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ] as const);
    const chatId = await makeGroup(ann, [ben, cid]);
    const [benSocket, cidSocket] = await Promise.all([ben, cid].map((one) => app.connect(one)));
    await ann.http.patch(`/api/chats/${chatId}`, { name: 'Orchard' });
    const renamed = await benSocket?.next<ChatEvent>('chat-updated');
    expect(renamed).toMatchObject({ chat: { id: chatId, name: 'Orchard', memberCount: 3 } });
    for (const own of ['my', 'unreadCount', 'members', 'lastMessage'])
      expect(renamed?.chat).not.toHaveProperty(own);

    await ann.http.patch(`/api/chats/${chatId}/members/${ben.id}`, { role: 'ADMIN' });
    const whole = await benSocket?.next<ChatEvent>('chat-updated', ({ chat }) => chat.my !== undefined);
    expect(whole).toMatchObject({ chat: { my: { role: 'ADMIN' }, members: expect.any(Array) } });
    await cidSocket?.expectNone<ChatEvent>('chat-updated', ({ chat }) => chat.my !== undefined);
  });

  it('who is added while connected gets the chat, then what is said from then on', async () => {
    const [ann, ben, cid] = await Promise.all([
      app.registerUser(),
      app.registerUser(),
      app.registerUser(),
    ] as const);
    const chatId = await makeGroup(ann, [ben]);
    await makeContacts(ann, cid);
    const socket = await app.connect(cid);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'before' });
    await ann.http.post(`/api/chats/${chatId}/members`, { userIds: [cid.id] });
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'after' });
    await socket.next<{ message: { text: string } }>(
      'new-message',
      ({ message }) => message.text === 'after',
    );
    expect(socket.all('new-message').map((event) => event.message.seq)).toEqual([2, 3]);
    expect(await socket.next<ChatEvent>('new-chat')).toMatchObject({
      chat: { id: chatId, my: { role: 'MEMBER' } },
    });
  });
});

describe('while the signals of PostgreSQL cannot be heard', () => {
  let proxy: TestProxy;
  let deaf: TestApp;
  beforeAll(async () => {
    deaf = await startApp({
      databaseVia: async (url) => {
        proxy = await startProxy(url);
        return proxy.url;
      },
    });
  });
  afterAll(async () => {
    await deaf.close();
    await proxy.close();
  });

  it('a removal that another instance made still ends what the removed one gets', async () => {
    const elsewhere = await startApp({ shareDatabaseWith: deaf });
    try {
      const [ann, ben] = await Promise.all([deaf.registerUser(), deaf.registerUser()] as const);
      const chatId = await makeGroup(ann, [ben]);
      const [annSocket, benSocket] = await Promise.all([ann, ben].map((one) => deaf.connect(one)));
      await annSocket?.ok('send-message', { chatId, text: 'one' });
      await proxy.cut();
      await elsewhere.http(ann.token).delete(`/api/chats/${chatId}/members/${ben.id}`);
      await proxy.restore();
      // Whether or not the signals are back by now, and everybody’s chats have been looked up.
      await annSocket?.ok('send-message', { chatId, text: 'two' });
      await benSocket?.next('resync');
      await annSocket?.ok('send-message', { chatId, text: 'three' });
      await benSocket?.barrier();
      expect(benSocket?.all('new-message').map((event) => event.message.text)).toEqual(['one']);
    } finally {
      await elsewhere.close();
    }
  });
});

describe('what was sent before somebody joined', () => {
  it('is not told them when it is changed', async () => {
    const [ann, ben, cid] = [await app.registerUser(), await app.registerUser(), await app.registerUser()];
    const chatId = await makeGroup(ann, [ben]);
    await makeContacts(ann, cid);
    const { id } = (await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'before' })).data;
    const [bens, cids] = [await app.connect(ben), await app.connect(cid)];
    await ann.http.post(`/api/chats/${chatId}/members`, { userIds: [cid.id] });
    await cids.next('new-chat');
    await ann.http.patch(`/api/chats/messages/${id}`, { text: 'edited' });
    await ben.http.post(`/api/chats/messages/${id}/reactions`, { emoji: '👍' });
    await ann.http.delete(`/api/chats/messages/${id}?for=everyone`);
    for (const event of ['message-edited', 'message-reaction', 'message-deleted']) {
      await bens.next(event);
      await cids.expectNone(event);
    }
  });
});
