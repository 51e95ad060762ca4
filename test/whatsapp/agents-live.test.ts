import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ChatUpdated, ConversationOpened } from '../../src/chats/chats.events.js';
import { ChannelChats } from '../../src/chats/channel-chats.js';
import { useApp, type TestPerson } from '../support/app.js';
import type { Answer } from '../support/http.js';
import { makeContacts, makePrivateChat } from '../support/people.js';
import { fire, makeShop, publish, roomsOf } from './support/agents.js';
import { hire, type TestTenant } from './support/channel.js';
import { cross, makeConversation, tell } from './support/conversations.js';

const app = useApp();
let ann: TestPerson;
let ben: TestPerson;
let eve: TestPerson;
let shop: TestTenant;
let chatId: string;

/** Ann and Ben work for one tenant, Eve for another. */
beforeAll(async () => {
  ann = await app.registerUser({ name: 'Ann' });
  ben = await app.registerUser({ name: 'Ben' });
  eve = await app.registerUser({ name: 'Eve' });
  shop = await makeShop(app, [ann, ben]);
  await makeShop(app, [eve], 'Other shop');
  chatId = await makeConversation(app, shop, { name: 'Kerry', waId: '919937320320' });
});

describe('a conversation', () => {
  it('is to each agent a chat with the customer’s name, and the team as its members', async () => {
    const message = await cross(app, shop, chatId, {
      text: 'is it open?',
      windowUntil: new Date(app.clock.nowMs() + 3_600_000),
    });
    const answer = await ben.http.get(`/api/chats/${chatId}`);
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({
      type: 'WHATSAPP',
      name: 'Kerry',
      image: null,
      createdById: null,
      lastSeq: message.seq,
      lastMessage: { id: message.id, text: 'is it open?', status: 'SENT', senderId: null, starred: false },
      unreadCount: message.seq,
      memberCount: 2,
      others: { deliveredSeq: 0, readSeq: 0 },
      my: { role: 'MEMBER', firstSeq: 1, readSeq: 0, pinned: false, archived: false, mutedUntil: null },
      whatsapp: {
        tenantId: shop.id,
        customer: { waId: '919937320320', phone: '+919937320320', userId: null, name: 'Kerry' },
        windowExpiresAt: new Date(app.clock.nowMs() + 3_600_000).toISOString(),
        botPaused: false,
      },
    });
    expect(answer.data.members.map((member: { user: { id: string } }) => member.user.id)).toEqual([
      ben.id,
      ann.id,
    ]);
    expect(answer.data.lastMessage.whatsapp).toEqual(message.whatsapp);
  });

  it('is not there for anybody else', async () => {
    for (const path of ['', '/members', '/messages']) {
      expect((await eve.http.get(`/api/chats/${chatId}${path}`)).code).toBe('CHAT_NOT_FOUND');
    }
    expect((await eve.http.post(`/api/chats/${chatId}/messages`, { text: 'hi' })).code).toBe(
      'CHAT_NOT_FOUND',
    );
    expect((await eve.http.post(`/api/chats/${chatId}/messages/read`)).code).toBe('CHAT_NOT_FOUND');
    expect((await eve.http.post(`/api/chats/${chatId}/messages/delivered`)).code).toBe('CHAT_NOT_FOUND');
    expect((await eve.http.patch(`/api/chats/messages/${chatId}.1/status`, { status: 'READ' })).code).toBe(
      'MESSAGE_NOT_FOUND',
    );
    const socket = await app.connect(eve);
    expect(await socket.emit('join-chat', { chatId })).toMatchObject({ code: 'CHAT_NOT_FOUND' });
    expect(await socket.emit('typing', { chatId, isTyping: true })).toMatchObject({ code: 'CHAT_NOT_FOUND' });
    expect(await socket.emit('mark-read', { chatId, upToSeq: 1 })).toMatchObject({ code: 'CHAT_NOT_FOUND' });
  });

  it('has no customer’s name to show when there is none', async () => {
    const nameless = await makeConversation(app, shop, { waId: '5511999' });
    await app.sql('UPDATE customer SET name = NULL WHERE wa_id = $1', ['5511999']);
    expect((await ann.http.get(`/api/chats/${nameless}`)).data.name).toBe('+5511999');
  });

  it('lists the team, and is no group', async () => {
    const members = await ann.http.get(`/api/chats/${chatId}/members`);
    expect(members.data.map((member: { user: { name: string } }) => member.user.name)).toEqual([
      'Ann',
      'Ben',
    ]);
    const named = await ann.http.get(`/api/chats/${chatId}/members?query=be`);
    expect(named.data).toHaveLength(1);
    const firstPage = await ann.http.get(`/api/chats/${chatId}/members?limit=1`);
    const { nextCursor } = firstPage.body.page as { nextCursor: string };
    const second = await ann.http.get(`/api/chats/${chatId}/members?limit=1&cursor=${nextCursor}`);
    expect(second.data[0].user.id).toBe(ben.id);

    const refused = [
      await ann.http.patch(`/api/chats/${chatId}`, { name: 'Mine' }),
      await ann.http.post(`/api/chats/${chatId}/members`, { userIds: [eve.id] }),
      await ann.http.delete(`/api/chats/${chatId}/members/${ben.id}`),
      await ann.http.patch(`/api/chats/${chatId}/members/${ben.id}`, { role: 'ADMIN' }),
      await ann.http.post(`/api/chats/${chatId}/leave`),
    ];
    expect(refused.map((answer) => answer.code)).toEqual(Array(5).fill('NOT_A_GROUP'));
  });

  it('lets colleagues know each other', async () => {
    const known = await ann.http.get(`/api/users?ids=${ben.id},${eve.id}`);
    expect(known.data.map((user: { id: string }) => user.id)).toEqual([ben.id]);
  });

  it('shows its history with what crossed WhatsApp', async () => {
    const there = await makeConversation(app, shop);
    const first = await cross(app, shop, there, { text: 'one' });
    const second = await cross(app, shop, there, {
      text: 'two',
      direction: 'OUT',
      senderId: ann.id,
      replyToWamid: first.whatsapp?.waMessageId ?? null,
    });
    await tell(app, second, 'failed');
    const page = await ben.http.get(`/api/chats/${there}/messages`);
    expect(page.data).toMatchObject([
      {
        id: second.id,
        senderId: ann.id,
        status: 'FAILED',
        replyTo: { id: first.id, text: 'one' },
        whatsapp: { direction: 'OUT', error: { code: '131026', message: 'Message undeliverable' } },
      },
      {
        id: first.id,
        senderId: null,
        status: 'SENT',
        whatsapp: { waMessageId: first.whatsapp?.waMessageId, direction: 'IN', error: null },
      },
    ]);
    const newer = await ben.http.get(`/api/chats/${there}/messages?afterSeq=1`);
    expect(newer.data).toHaveLength(1);
    const replies = await ben.http.get(`/api/chats/messages/${first.id}/replies`);
    expect(replies.data).toMatchObject([{ id: second.id, status: 'FAILED' }]);
  });
});

describe('the list of chats', () => {
  it('holds a person’s own chats and their tenants’ in one order, in pages, pinned first', async () => {
    const zoe = await app.registerUser({ name: 'Zoe' });
    const both = await Promise.all([makeShop(app, [zoe], 'One'), makeShop(app, [zoe], 'Two')]);
    const chats: string[] = [];
    for (let i = 0; i < 6; i++) {
      app.clock.advance(1_000);
      const tenant = both[i % 2] ?? shop;
      if (i === 3) chats.unshift(await makePrivateChat(zoe, await app.registerUser()));
      else {
        const conversation = await makeConversation(app, tenant);
        await cross(app, tenant, conversation);
        chats.unshift(conversation);
      }
    }
    const [newest = '', , own = '', , archived = '', oldest = ''] = chats;
    await zoe.http.patch(`/api/chats/${oldest}/settings`, { pinned: true });
    await zoe.http.patch(`/api/chats/${archived}/settings`, { archived: true });
    await zoe.http.patch(`/api/chats/${newest}/settings`, { mutedUntil: '2030-01-01T00:00:00.000Z' });

    const listed = async (query: string): Promise<string[]> => {
      const ids: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page: Answer = await zoe.http.get(`/api/chats?limit=2${query}${cursor && `&cursor=${cursor}`}`);
        expect(page.status).toBe(200);
        ids.push(...page.data.map((chat: { id: string }) => chat.id));
        cursor = (page.body.page as { nextCursor: string | null }).nextCursor;
      }
      return ids;
    };
    const order = [oldest, ...chats.filter((id) => id !== oldest && id !== archived)];
    expect(order).toContain(own);
    expect(await listed('')).toEqual(order);
    expect(await listed('&archived=true')).toEqual([archived]);

    const [first] = both;
    await fire(app, first, zoe);
    const left = await listed('');
    expect(left).toHaveLength(2);
    expect(left).toContain(own);
    expect(await listed('&archived=true')).toEqual([archived]);
  });

  it('takes what one agent has set for that agent’s alone', async () => {
    const there = await makeConversation(app, shop);
    await cross(app, shop, there);
    const annsPhone = await app.connect(ann);
    const bens = await app.connect(ben);
    const set = await ann.http.patch(`/api/chats/${there}/settings`, { pinned: true, markedUnread: true });
    expect(set.data.my).toMatchObject({ pinned: true, markedUnread: true });
    expect(await annsPhone.next('chat-updated')).toMatchObject({ chat: { id: there, my: { pinned: true } } });
    await bens.expectNone('chat-updated');
    expect((await ben.http.get(`/api/chats/${there}`)).data.my).toMatchObject({
      pinned: false,
      markedUnread: false,
    });

    expect((await ann.http.delete(`/api/chats/${there}`)).status).toBe(200);
    expect(await annsPhone.next('chat-cleared')).toEqual({ chatId: there, upToSeq: 1 });
    expect((await ann.http.get(`/api/chats/${there}`)).data).toMatchObject({
      unreadCount: 0,
      lastMessage: null,
      my: { firstSeq: 2, pinned: true, markedUnread: false },
    });
    expect((await ann.http.get(`/api/chats/messages/${there}.1/replies`)).code).toBe('MESSAGE_NOT_FOUND');
    expect((await ann.http.get(`/api/chats/${there}/messages`)).data).toEqual([]);
    expect((await ben.http.get(`/api/chats/${there}`)).data).toMatchObject({ unreadCount: 1 });
    expect((await ben.http.get(`/api/chats/${there}/messages`)).data).toHaveLength(1);
  });
});

describe('live', () => {
  it('a socket is in one room of the tenant, however many conversations there are', async () => {
    for (let i = 0; i < 5; i++) await makeConversation(app, shop);
    const socket = await app.connect(ann);
    expect(roomsOf(app, socket).filter((room) => room.startsWith('chat:'))).toEqual([`chat:${shop.id}`]);
  });

  it('a message reaches the team, and nobody else', async () => {
    const sockets = [await app.connect(ann), await app.connect(ben)];
    const stranger = await app.connect(eve);
    const message = await cross(app, shop, chatId, { text: 'hello team' });
    for (const socket of sockets) {
      expect(await socket.next('new-message')).toEqual({ chatId, message });
    }
    await stranger.expectNone('new-message');
  });

  it('a status reaches the team, with its message', async () => {
    const sent = await cross(app, shop, chatId, { direction: 'OUT', senderId: ann.id });
    const socket = await app.connect(ben);
    await tell(app, sent, 'delivered');
    expect(await socket.next('message-status-update')).toEqual({
      chatId,
      messageId: sent.id,
      status: 'DELIVERED',
      userId: null,
      upToSeq: sent.seq,
      at: app.clock.now().toISOString(),
    });
    await tell(app, sent, 'sent');
    await socket.barrier();
    expect(socket.all('message-status-update')).toHaveLength(1);
  });

  it('a change of the conversation reaches the team', async () => {
    const socket = await app.connect(ben);
    await app.sql('UPDATE conversation SET bot_paused = true WHERE chat_id = $1', [chatId]);
    publish(app, new ChatUpdated(chatId, 2, shop.id));
    expect(await socket.next('chat-updated')).toMatchObject({
      chat: { id: chatId, type: 'WHATSAPP', name: 'Kerry', memberCount: 2, whatsapp: { botPaused: true } },
    });
  });

  it('new conversations reach every agent whole, in a rush too', async () => {
    const sockets = [await app.connect(ann), await app.connect(ben)];
    const stranger = await app.connect(eve);
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await makeConversation(app, shop));
    for (const id of ids) publish(app, new ConversationOpened(id, shop.id, 2));
    for (const [index, socket] of sockets.entries()) {
      for (const id of ids) {
        const { chat } = await socket.next<{ chat: { id: string; members: { user: { id: string } }[] } }>(
          'new-chat',
          (event) => event.chat.id === id,
        );
        expect(chat).toMatchObject({ name: 'Kerry', unreadCount: 0, my: { firstSeq: 1 } });
        expect(chat.members[0]?.user.id).toBe([ann.id, ben.id][index]);
      }
      expect(socket.all('new-chat')).toHaveLength(5);
    }
    await stranger.expectNone('new-chat');
  });

  it('who is hired is told to look, who is fired too, and is out of what they had open', async () => {
    const zoe = await app.registerUser({ name: 'Zoe' });
    const zoes = await app.connect(zoe);
    const anns = await app.connect(ann);
    expect(await zoes.emit('join-chat', { chatId })).toMatchObject({ code: 'CHAT_NOT_FOUND' });
    await hire(app, shop, zoe);
    await zoes.next('resync');
    await zoes.ok('join-chat', { chatId });
    await anns.ok('join-chat', { chatId });
    await anns.ok('typing', { chatId, isTyping: true });
    await zoes.next('user-typing');
    const seen = await cross(app, shop, chatId, { text: 'while she is here' });
    expect(await zoes.next('new-message')).toMatchObject({ message: { id: seen.id } });

    await fire(app, shop, zoe);
    await zoes.next('resync');
    await cross(app, shop, chatId, { text: 'after she has left' });
    await anns.ok('typing', { chatId, isTyping: true });
    await zoes.expectNone(
      'new-message',
      (event: { message: { id: string } }) => event.message.id !== seen.id,
    );
    expect(zoes.all('user-typing')).toHaveLength(1);
    expect(roomsOf(app, zoes).filter((room) => /^(chat|open):/.test(room))).toEqual([]);
    expect((await zoe.http.get(`/api/chats/${chatId}`)).code).toBe('CHAT_NOT_FOUND');
    expect(await zoes.emit('typing', { chatId, isTyping: true })).toMatchObject({ code: 'CHAT_NOT_FOUND' });
  });

  it('tells exactly who was an agent at the commit, also before any signal of a change has come', async () => {
    const zoe = await app.registerUser({ name: 'Zoe' });
    const team = await makeShop(app, [ann]);
    const there = await makeConversation(app, team);
    const [zoes, anns] = [await app.connect(zoe), await app.connect(ann)];
    const told = async (text: string): Promise<boolean> => {
      const { id } = await cross(app, team, there, { text });
      await anns.next('new-message', (event: { message: { id: string } }) => event.message.id === id);
      await zoes.barrier();
      return zoes.all<{ message: { id: string } }>('new-message').some((event) => event.message.id === id);
    };
    const raised =
      'WITH t AS (UPDATE tenant SET agents_seq = agents_seq + 1 WHERE id = $1 RETURNING agents_seq)';
    expect(await told('before')).toBe(false);
    await app.sql(
      `${raised} INSERT INTO tenant_agent (tenant_id, user_id, joined_at, joined_seq)
        SELECT $1, $2, now(), agents_seq FROM t`,
      [team.id, zoe.id],
    );
    expect(await told('hired')).toBe(true);
    await app.sql(
      `${raised} UPDATE tenant_agent a SET left_at = now(), left_seq = t.agents_seq FROM t
        WHERE a.tenant_id = $1 AND a.user_id = $2`,
      [team.id, zoe.id],
    );
    expect(await told('fired')).toBe(false);
  });

  it('typing reaches colleagues who have the conversation open, and the customer', async () => {
    const there = await makeConversation(app, shop);
    const shown: [string, string][] = [];
    app.running.nest.get(ChannelChats, { strict: false }).registerTyping((...typing) => shown.push(typing));
    const [anns, bens, closed] = [await app.connect(ann), await app.connect(ben), await app.connect(ben)];
    await anns.ok('join-chat', { chatId: there });
    await bens.ok('join-chat', { chatId: there });
    await anns.ok('typing', { chatId: there, isTyping: true });
    expect(await bens.next('user-typing')).toEqual({ chatId: there, userId: ann.id, isTyping: true });
    app.clock.advance(6_000);
    expect(await bens.next('user-typing')).toEqual({ chatId: there, userId: ann.id, isTyping: false });
    await closed.expectNone('user-typing');
    await anns.expectNone('user-typing');
    expect(shown).toEqual([[ann.id, there]]);
    await bens.ok('leave-chat', { chatId: there });
    await anns.ok('typing', { chatId: there, isTyping: true });
    await bens.barrier();
    expect(bens.all('user-typing')).toHaveLength(2);
    await makeContacts(ann, eve);
    const privateChat = await ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [eve.id] });
    await anns.ok('typing', { chatId: privateChat.data.id, isTyping: true });
    expect(shown).toHaveLength(2);
  });
});

describe('reading', () => {
  it('by one agent clears the conversation for the team', async () => {
    const there = await makeConversation(app, shop);
    for (let i = 0; i < 3; i++) await cross(app, shop, there);
    const [anns, annsOther, bens] = [await app.connect(ann), await app.connect(ann), await app.connect(ben)];
    const stranger = await app.connect(eve);
    expect(await anns.ok('mark-read', { chatId: there, upToSeq: 2 })).toEqual({
      chatId: there,
      deliveredSeq: 3,
      readSeq: 2,
    });
    for (const socket of [annsOther, bens]) {
      expect(await socket.next('chat-read')).toEqual({ chatId: there, readSeq: 2 });
    }
    await anns.expectNone('chat-read');
    await stranger.expectNone('chat-read');
    expect((await ben.http.get(`/api/chats/${there}`)).data).toMatchObject({
      unreadCount: 1,
      my: { readSeq: 2, deliveredSeq: 3 },
    });
    const all = await ben.http.post(`/api/chats/${there}/messages/read`);
    expect(all.data).toEqual({ chatId: there, deliveredSeq: 3, readSeq: 3 });
    expect((await ann.http.get(`/api/chats/${there}`)).data.unreadCount).toBe(0);
    const again = await ben.http.patch(`/api/chats/messages/${there}.1/status`, { status: 'READ' });
    expect(again.data).toMatchObject({ readSeq: 3 });
    await bens.barrier();
    expect(bens.all('chat-read')).toHaveLength(2);
  });

  it('takes away the reader’s own note alone', async () => {
    const there = await makeConversation(app, shop);
    await cross(app, shop, there);
    for (const agent of [ann, ben]) {
      await agent.http.post(`/api/chats/${there}/messages/read`);
      await agent.http.patch(`/api/chats/${there}/settings`, { markedUnread: true });
    }
    const socket = await app.connect(ann);
    await ann.http.post(`/api/chats/${there}/messages/read`);
    expect(await socket.next('chat-updated')).toMatchObject({ chat: { my: { markedUnread: false } } });
    expect((await ben.http.get(`/api/chats/${there}`)).data.my.markedUnread).toBe(true);
    await cross(app, shop, there, { direction: 'OUT', senderId: ben.id, marks: 'ALL' });
    expect(await socket.next('chat-read')).toEqual({ chatId: there, readSeq: 2 });
    expect((await ben.http.get(`/api/chats/${there}`)).data.my.markedUnread).toBe(false);
  });

  it('has nothing to deliver: what is in a conversation is delivered', async () => {
    const there = await makeConversation(app, shop);
    await cross(app, shop, there);
    const socket = await app.connect(ann);
    expect(await socket.ok('app-opened')).toEqual({ delivered: [] });
    expect(await socket.ok('mark-delivered', { chatId: there, upToSeq: 1 })).toEqual({
      chatId: there,
      deliveredSeq: 1,
      readSeq: 0,
    });
  });
});

describe('what an agent does to a message', () => {
  it('cannot change what WhatsApp has, but may hide and star it', async () => {
    const there = await makeConversation(app, shop);
    const mine = await cross(app, shop, there, { direction: 'OUT', senderId: ann.id });
    const theirs = await cross(app, shop, there);
    const edit = await ann.http.patch(`/api/chats/messages/${mine.id}`, { text: 'better' });
    expect(edit).toMatchObject({ status: 422, code: 'NOT_IN_WHATSAPP' });
    const deletion = await ann.http.delete(`/api/chats/messages/${mine.id}?for=everyone`);
    expect(deletion).toMatchObject({ status: 422, code: 'NOT_IN_WHATSAPP' });
    expect((await ben.http.patch(`/api/chats/messages/${mine.id}`, { text: 'better' })).code).toBe(
      'NOT_YOUR_MESSAGE',
    );

    const star = await ann.http.put(`/api/chats/messages/${theirs.id}/star`);
    expect(star.data).toMatchObject({ id: theirs.id, starred: true, whatsapp: theirs.whatsapp });
    const starred = await ann.http.get('/api/chats/messages/starred');
    expect(starred.data).toMatchObject([{ id: theirs.id, status: 'SENT', whatsapp: theirs.whatsapp }]);
    expect((await ben.http.get('/api/chats/messages/starred')).data).toEqual([]);

    expect((await ann.http.delete(`/api/chats/messages/${theirs.id}?for=me`)).status).toBe(200);
    expect((await ann.http.get(`/api/chats/${there}/messages`)).data).toHaveLength(1);
    expect((await ben.http.get(`/api/chats/${there}/messages`)).data).toHaveLength(2);
  });

  it('asks when the customer got and read what the team sent', async () => {
    const there = await makeConversation(app, shop);
    const sent = await cross(app, shop, there, { direction: 'OUT', senderId: null });
    const [customer] = await app.sql<{ customer_id: string }>(
      'SELECT customer_id FROM conversation WHERE chat_id = $1',
      [there],
    );
    const receipts = async (): Promise<unknown> =>
      (await ann.http.get(`/api/chats/messages/${sent.id}/receipts`)).data;
    expect(await receipts()).toEqual([{ userId: customer?.customer_id, deliveredAt: null, readAt: null }]);
    await tell(app, sent, 'read');
    const at = app.clock.now().toISOString();
    expect(await receipts()).toEqual([{ userId: customer?.customer_id, deliveredAt: at, readAt: at }]);
    const received = await cross(app, shop, there);
    expect((await ann.http.get(`/api/chats/messages/${received.id}/receipts`)).code).toBe('FORBIDDEN');
  });

  it('takes a message out of WhatsApp to people, but none into it', async () => {
    const there = await makeConversation(app, shop);
    const said = await cross(app, shop, there, { text: 'pass it on' });
    const place = await cross(app, shop, there, { type: 'LOCATION', text: 'Rome, Italy' });
    const silent = await cross(app, shop, there, { type: 'LOCATION', text: null });
    const friend = await app.registerUser();
    const own = await makePrivateChat(ann, friend);
    const friends = await app.connect(friend);
    const forward = (id: string, chatIds: string[]) =>
      ann.http.post(`/api/chats/messages/${id}/forward`, { chatIds });

    const sent = await forward(said.id, [own]);
    expect(sent.data).toMatchObject([{ chatId: own, text: 'pass it on', forwarded: true, senderId: ann.id }]);
    expect(sent.data[0]).not.toHaveProperty('whatsapp');
    expect((await forward(place.id, [own])).data).toMatchObject([{ type: 'TEXT', text: 'Rome, Italy' }]);
    expect((await forward(silent.id, [own])).code).toBe('UNPROCESSABLE');
    expect(await forward(said.id, [own, there])).toMatchObject({ status: 422, code: 'NOT_IN_WHATSAPP' });
    expect((await forward(said.id, [there, randomUUID()])).code).toBe('CHAT_NOT_FOUND');
    await friends.barrier();
    expect(friends.all('new-message')).toHaveLength(2);
    expect((await ann.http.get(`/api/chats/${there}`)).data.lastSeq).toBe(3);
  });

  it('sees the files of the conversation', async () => {
    const there = await makeConversation(app, shop);
    const content = Buffer.from('a plain text of some length');
    const uploaded = await ann.http.multipart('POST', '/api/media', {}, [
      { name: 'file', fileName: 'notes.txt', content },
    ]);
    expect(uploaded.status).toBe(201);
    const mediaId = uploaded.data.id as string;
    const sees = async (person: TestPerson): Promise<number> =>
      (
        await fetch(`${app.url}/api/media/${mediaId}`, {
          headers: { authorization: `Bearer ${person.token}` },
        })
      ).status;
    expect(await sees(ben)).toBe(404);
    await cross(app, shop, there, {
      direction: 'OUT',
      senderId: ann.id,
      type: 'DOCUMENT',
      text: null,
      media: { id: mediaId, view: uploaded.data },
    });
    expect(await sees(ben)).toBe(200);
    expect(await sees(eve)).toBe(404);
    expect((await ben.http.get(`/api/chats/${there}/messages`)).data[0].media).toMatchObject({ id: mediaId });
  });
});
