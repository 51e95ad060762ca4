import { Secrets } from '../../src/infra/config/secrets.js';
import { Cursors } from '../../src/infra/http/cursors.js';
import { SyncCursors } from '../../src/sync/sync-cursors.js';
import type { SyncBody } from '../../src/sync/sync.dto.js';
import { SECRETS, useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeContacts, makePair, makePrivateChat } from '../support/people.js';
import { expectRebuilt, SyncStore } from '../support/sync-store.js';

const app = useApp();

async function send(person: TestPerson, chatId: string, text: string, more: object = {}): Promise<string> {
  const answer = await person.http.post(`/api/chats/${chatId}/messages`, { text, ...more });
  expect(answer.status).toBe(201);
  return answer.data.id as string;
}

/**
 * Syncs until there is nothing: what has been told is not told again, once no transaction is under way anywhere on the
 * database server that began before it.
 */
async function settle(device: SyncStore): Promise<void> {
  await eventually(
    async () => (await device.sync())[0]!,
    ({ users, chats, messages, contacts, removed }) =>
      [users, chats, messages, contacts, ...Object.values(removed)].flat().length === 0,
  );
}

/** Ann's device in step with the server, in a world with a chat with Ben and a group. */
async function makeWorld() {
  const { ann, ben, chatId } = await makePair(app);
  const [cid, dan] = await Promise.all([
    app.registerUser({ name: 'Cid' }),
    app.registerUser({ name: 'Dan' }),
  ]);
  const contactWithCid = await makeContacts(ann, cid);
  const messageIds = [];
  for (const person of [ann, ben, ann, ben])
    messageIds.push(await send(person, chatId, `from ${person.name}`));
  const group = await ann.http.post('/api/chats', {
    type: 'GROUP',
    name: 'Garden',
    participantIds: [ben.id, cid.id],
  });
  expect(group.status).toBe(201);
  const groupId = group.data.id as string;
  const device = new SyncStore(ann.http);
  await settle(device);
  return { ann, ben, cid, dan, chatId, groupId, messageIds, contactWithCid, device };
}

type World = Awaited<ReturnType<typeof makeWorld>>;

async function ok(answer: Promise<{ status: number; body: unknown }>): Promise<void> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(JSON.stringify(body));
}

/** One kind of change a row, and what of it the page must name. */
const CHANGES: [string, (world: World) => Promise<unknown>, (page: SyncBody, world: World) => void][] = [
  [
    'a new message',
    ({ ben, chatId }) => send(ben, chatId, 'new'),
    (page, { chatId }) => {
      expect(page.chats.map(({ id }) => id)).toEqual([chatId]);
      expect(page.messages.map(({ seq, text }) => [seq, text])).toEqual([[5, 'new']]);
    },
  ],
  [
    'an edit, also in the replies to what was edited',
    async ({ ben, ann, chatId, messageIds, device }) => {
      await send(ann, chatId, 'reply', { replyToId: messageIds[1] });
      await settle(device);
      await ok(ben.http.patch(`/api/chats/messages/${messageIds[1]}`, { text: 'changed' }));
    },
    (page) => {
      expect(page.messages.map(({ seq, text, replyTo }) => [seq, text, replyTo?.text])).toEqual([
        [5, 'reply', 'changed'],
        [2, 'changed', undefined],
      ]);
    },
  ],
  [
    'a deletion for everyone',
    ({ ben, messageIds }) => ok(ben.http.delete(`/api/chats/messages/${messageIds[3]}?for=everyone`)),
    (page) => {
      expect(page.messages.map(({ seq, text }) => [seq, text])).toEqual([[4, null]]);
      expect(page.messages[0]?.deletedAt).not.toBeNull();
    },
  ],
  [
    'a deletion for oneself',
    ({ ann, messageIds }) => ok(ann.http.delete(`/api/chats/messages/${messageIds[3]}`)),
    (page, { messageIds }) => {
      expect(page.removed.messages).toEqual([messageIds[3]]);
      expect(page.messages).toEqual([]);
      expect(page.chats[0]?.lastMessage?.id).toBe(messageIds[2]);
    },
  ],
  [
    'a reaction',
    ({ ben, messageIds }) =>
      ok(ben.http.post(`/api/chats/messages/${messageIds[0]}/reactions`, { emoji: '👍' })),
    (page, { ben }) => {
      expect(page.messages.map(({ seq, reactions }) => [seq, reactions])).toEqual([
        [1, [{ emoji: '👍', userIds: [ben.id] }]],
      ]);
    },
  ],
  [
    'a star',
    ({ ann, messageIds }) => ok(ann.http.put(`/api/chats/messages/${messageIds[0]}/star`)),
    (page) => {
      expect(page.messages.map(({ seq, starred }) => [seq, starred])).toEqual([[1, true]]);
    },
  ],
  [
    'the other’s mark',
    async ({ ann, ben, chatId, device }) => {
      await send(ann, chatId, 'read me');
      await settle(device);
      await ok(ben.http.post(`/api/chats/${chatId}/messages/read`, {}));
    },
    (page) => {
      expect(page.chats[0]?.others).toEqual({ deliveredSeq: 5, readSeq: 5 });
    },
  ],
  [
    'one’s own mark, reported by another device',
    ({ ann, chatId }) => ok(ann.http.post(`/api/chats/${chatId}/messages/read`, {})),
    (page) => {
      expect(page.chats[0]).toMatchObject({ unreadCount: 0, my: { readSeq: 4 } });
    },
  ],
  [
    'settings of a chat',
    ({ ann, chatId }) =>
      ok(
        ann.http.patch(`/api/chats/${chatId}/settings`, { pinned: true, archived: true, markedUnread: true }),
      ),
    (page) => {
      expect(page.chats[0]?.my).toMatchObject({ pinned: true, archived: true, markedUnread: true });
    },
  ],
  [
    'a cleared chat',
    ({ ann, chatId }) => ok(ann.http.delete(`/api/chats/${chatId}`)),
    (page) => {
      expect(page.chats[0]).toMatchObject({ lastMessage: null, unreadCount: 0, my: { firstSeq: 5 } });
    },
  ],
  [
    'a new chat',
    async ({ cid, ann }) => {
      const chat = await cid.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ann.id] });
      await send(cid, chat.data.id as string, 'hello');
    },
    (page, { cid }) => {
      expect(page.chats[0]?.name).toBe('Cid');
      expect(page.messages.map(({ text }) => text)).toEqual(['hello']);
      expect(page.users.map(({ id }) => id)).toEqual([cid.id]);
    },
  ],
  [
    'a renamed group',
    ({ ann, groupId }) => ok(ann.http.patch(`/api/chats/${groupId}`, { name: 'Orchard' })),
    (page) => {
      expect(page.chats[0]?.name).toBe('Orchard');
      expect(page.messages.map(({ type }) => type)).toEqual(['SYSTEM']);
    },
  ],
  [
    'a member added',
    async ({ ann, dan, groupId, device }) => {
      await makeContacts(ann, dan);
      await settle(device);
      await ok(ann.http.post(`/api/chats/${groupId}/members`, { userIds: [dan.id] }));
    },
    (page) => {
      expect(page.chats[0]?.memberCount).toBe(4);
    },
  ],
  [
    'a member removed',
    ({ ann, ben, groupId }) => ok(ann.http.delete(`/api/chats/${groupId}/members/${ben.id}`)),
    (page) => {
      expect(page.chats[0]?.memberCount).toBe(2);
    },
  ],
  [
    'a role',
    ({ ann, ben, groupId }) =>
      ok(ann.http.patch(`/api/chats/${groupId}/members/${ben.id}`, { role: 'ADMIN' })),
    (page, { ben }) => {
      expect(page.chats[0]?.members.find(({ user }) => user.id === ben.id)?.role).toBe('ADMIN');
    },
  ],
  [
    'the end of one’s own membership',
    ({ ann, groupId }) => ok(ann.http.post(`/api/chats/${groupId}/leave`)),
    (page, { groupId }) => {
      expect(page.removed.chats).toEqual([groupId]);
      expect(page.messages).toEqual([]);
    },
  ],
  [
    'a new membership: what may now be seen, and nothing older',
    async ({ ann, cid, dan, device }) => {
      await makeContacts(dan, cid);
      await makeContacts(dan, ann);
      const group = await dan.http.post('/api/chats', {
        type: 'GROUP',
        name: 'Dan’s',
        participantIds: [cid.id],
      });
      const id = group.data.id as string;
      await send(dan, id, 'before');
      await settle(device);
      await ok(dan.http.post(`/api/chats/${id}/members`, { userIds: [ann.id] }));
      await send(cid, id, 'after');
    },
    (page) => {
      expect(page.chats[0]?.my.firstSeq).toBe(2);
      expect(page.messages.map(({ seq, type, text }) => [seq, type === 'TEXT' ? text : type])).toEqual([
        [3, 'after'],
        [2, 'SYSTEM'],
      ]);
    },
  ],
  [
    'somebody’s profile, and the chats and contacts that show it',
    ({ ben }) => ok(ben.http.put('/api/auth/update-profile', { name: 'Benjamin' })),
    (page, { ben, chatId, groupId }) => {
      expect(page.users).toMatchObject([{ id: ben.id, name: 'Benjamin' }]);
      expect(page.chats.map(({ id }) => id)).toEqual([chatId, groupId].sort());
      expect(page.chats.find(({ id }) => id === chatId)?.name).toBe('Benjamin');
      expect(page.contacts).toMatchObject([{ user: { name: 'Benjamin' } }]);
      expect(page.messages).toEqual([]);
    },
  ],
  [
    'one’s own profile',
    ({ ann }) => ok(ann.http.put('/api/auth/update-profile', { name: 'Anna', bio: 'new' })),
    (page) => {
      expect(page.me).toMatchObject({ name: 'Anna', bio: 'new' });
      expect(page.users).toEqual([]);
    },
  ],
  [
    'a request made to one',
    ({ ann, dan }) => ok(dan.http.post('/api/contacts/request', { userId: ann.id })),
    (page, { dan }) => {
      expect(page.contacts).toMatchObject([
        { status: 'PENDING', requestedByMe: false, user: { id: dan.id } },
      ]);
      expect(page.users.map(({ id }) => id)).toEqual([dan.id]);
    },
  ],
  [
    'an accepted request',
    async ({ ann, dan, device }) => {
      const { data } = await ann.http.post('/api/contacts/request', { userId: dan.id });
      await settle(device);
      await ok(dan.http.patch(`/api/contacts/request/${data.id}/accept`));
    },
    (page) => {
      expect(page.contacts).toMatchObject([{ status: 'ACCEPTED', requestedByMe: true }]);
    },
  ],
  [
    'a contact that ended',
    ({ cid, contactWithCid }) => ok(cid.http.delete(`/api/contacts/${contactWithCid}`)),
    (page, { contactWithCid }) => {
      expect(page.removed.contacts).toEqual([contactWithCid]);
    },
  ],
  [
    'a block, by either side',
    ({ ann, cid }) => ok(cid.http.post('/api/contacts/block', { userId: ann.id })),
    (page, { contactWithCid }) => {
      expect(page.removed.contacts).toEqual([contactWithCid]);
    },
  ],
  [
    'the end of a block',
    async ({ ann, cid, device }) => {
      await ok(ann.http.post('/api/contacts/block', { userId: cid.id }));
      await settle(device);
      await ok(ann.http.patch(`/api/contacts/unblock/${cid.id}`));
    },
    (page, { contactWithCid }) => {
      expect(page.contacts.map(({ id }) => id)).toEqual([contactWithCid]);
    },
  ],
  [
    'a deleted account',
    async ({ ben, chatId, ann, messageIds, device }) => {
      await send(ann, chatId, 'reply', { replyToId: messageIds[1] });
      await ok(ben.http.post(`/api/chats/messages/${messageIds[0]}/reactions`, { emoji: '👍' }));
      await settle(device);
      await ok(ben.http.delete('/api/auth/delete-profile', { password: ben.password }));
    },
    (page, { chatId, ann }) => {
      const chat = page.chats.find(({ id }) => id === chatId);
      expect(chat?.members.map(({ user }) => user.id)).toEqual([ann.id]);
      expect(page.messages.filter((message) => message.chatId === chatId)).toMatchObject([
        { seq: 5, replyTo: { senderId: null } },
        { seq: 4, senderId: null },
        { seq: 2, senderId: null },
        { seq: 1, reactions: [] },
      ]);
      expect(page.removed.contacts).toHaveLength(1);
    },
  ],
];

describe('what changed since a cursor', () => {
  it.each(CHANGES)('%s', async (_name, change, check) => {
    const world = await makeWorld();
    await change(world);
    const pages = await world.device.sync();
    expect(pages).toHaveLength(1);
    check(pages[0]!, world);
    await expectRebuilt(world.device, world.ann.http);

    await settle(world.device);
    await expectRebuilt(world.device, world.ann.http);
  });
});

describe('the first sync', () => {
  it('sends every chat with its newest 50 messages that are not hidden', async () => {
    const { ann, ben, chatId } = await makePair(app);
    for (let i = 1; i <= 60; i++) await send(ben, chatId, `text ${i}`);
    for (const seq of [60, 30]) await ok(ann.http.delete(`/api/chats/messages/${chatId}.${seq}`));
    await ok(ann.http.put(`/api/chats/messages/${chatId}.59/star`));
    const [page] = await new SyncStore(ann.http).sync();
    const expected = Array.from({ length: 60 }, (_, i) => 60 - i).filter((seq) => seq !== 60 && seq !== 30);
    expect(page!.messages.map(({ seq }) => seq)).toEqual(expected.slice(0, 50));
    expect(page!.messages[0]?.starred).toBe(true);
    expect(page!.removed.messages).toEqual([]);
    expect(page!.users.map(({ id }) => id)).toEqual([ben.id]);
    expect(page!.me.email).toBe(ann.email);
  });

  it('sends neither chats one has left nor contacts behind a block', async () => {
    const { ann, cid, groupId, chatId } = await makeWorld();
    await ok(ann.http.post(`/api/chats/${groupId}/leave`));
    await ok(ann.http.post('/api/contacts/block', { userId: cid.id }));
    const device = new SyncStore(ann.http);
    const [page] = await device.sync();
    expect(page!.chats.map(({ id }) => id)).toEqual([chatId]);
    expect(page!.removed).toEqual({ chats: [], messages: [], contacts: [] });
    await expectRebuilt(device, ann.http);
  });

  it('is empty for a new account', async () => {
    const ann = await app.registerUser();
    const { data } = await ann.http.post<SyncBody>('/api/sync');
    expect(data).toMatchObject({ users: [], chats: [], messages: [], contacts: [], hasMore: false });
  });
});

describe('pages', () => {
  const sizeOf = ({ chats, messages, contacts, removed }: SyncBody): number =>
    chats.length + messages.length + contacts.length + Object.values(removed).flat().length;

  it.each([1, 2, 3, 5, 8, 13, 100])('of %i lead to the same, first and later', async (limit) => {
    const world = await makeWorld();
    const { ann, ben, cid, chatId, groupId, messageIds } = world;
    const device = new SyncStore(ann.http);
    for (const page of await device.sync(limit)) expect(sizeOf(page)).toBeLessThanOrEqual(limit);
    await expectRebuilt(device, ann.http);

    await send(cid, groupId, 'one');
    await send(ben, chatId, 'two', { replyToId: messageIds[1] });
    await ok(ben.http.patch(`/api/chats/messages/${messageIds[1]}`, { text: 'changed' }));
    await ok(ben.http.post(`/api/chats/messages/${messageIds[0]}/reactions`, { emoji: '👍' }));
    await ok(ann.http.delete(`/api/chats/messages/${messageIds[2]}`));
    await ok(ben.http.put('/api/auth/update-profile', { name: 'Benjamin' }));
    await ok(cid.http.put('/api/auth/update-profile', { name: 'Cidney' }));
    await ok(ann.http.post('/api/contacts/block', { userId: cid.id }));
    for (const page of await device.sync(limit)) expect(sizeOf(page)).toBeLessThanOrEqual(limit);
    await expectRebuilt(device, ann.http);

    await ok(ann.http.post(`/api/chats/${groupId}/leave`));
    for (const page of await device.sync(limit)) expect(sizeOf(page)).toBeLessThanOrEqual(limit);
    await expectRebuilt(device, ann.http);
  });

  it('miss nothing of what happens between them', async () => {
    const { ann, ben, chatId, groupId, device } = await makeWorld();
    for (let i = 0; i < 5; i++) await send(ben, chatId, `before ${i}`);
    for (let round = 0; round < 8; round++) {
      const { data } = await ann.http.post<SyncBody>('/api/sync', { cursor: device.cursor, limit: 2 });
      device.apply(data);
      await send(ben, round % 2 === 0 ? chatId : groupId, `between ${round}`);
      await ok(
        ben.http.patch(`/api/chats/messages/${chatId}.${5 + (round % 5)}`, { text: `edited ${round}` }),
      );
    }
    await device.sync(2);
    await device.sync(2);
    await expectRebuilt(device, ann.http);
  });

  it('bring a chat of 20,000 new messages in', async () => {
    const { ben, chatId, device } = await makeWorld();
    // As send_messages would have written them, in one transaction.
    await app.sql(
      `WITH counted AS (
         UPDATE chat SET last_seq = last_seq + 20000, changed_tx = pg_current_xact_id() WHERE id = $1)
       INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, mentions, created_at)
       SELECT $1, 4 + i, $2, 's:' || i, 'TEXT', 'text ' || i, '{}', now() FROM generate_series(1, 20000) i`,
      [chatId, ben.id],
    );
    const pages = await device.sync(2_000);
    expect(pages).toHaveLength(11);
    expect(device.messagesOf(chatId)).toHaveLength(20_004);
  });
});

describe('a cursor', () => {
  it('is refused when it was changed, is another’s, or is no cursor', async () => {
    const { ann, ben, device } = await makeWorld();
    const cursor = device.cursor!;
    const { data: bens } = await ben.http.post<SyncBody>('/api/sync', {});
    const flip = (at: number): string =>
      cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1);
    const bad = [
      bens.cursor,
      flip(3),
      flip(cursor.length - 1),
      '',
      'x',
      '.',
      `${cursor}.x`,
      '%00',
      '\u{1F600}',
    ];
    for (const wrong of bad) {
      const answer = await ann.http.post('/api/sync', { cursor: wrong });
      expect([wrong, answer.status, answer.code]).toEqual([wrong, 400, 'INVALID_CURSOR']);
    }
  });

  it.each([
    [{ cursor: 5 }, 'cursor'],
    [{ cursor: 'x'.repeat(1_001) }, 'cursor'],
    [{ limit: 0 }, 'limit'],
    [{ limit: 2_001 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ limit: '5' }, 'limit'],
    [{ since: 'yesterday' }, 'since'],
  ])('in a body that is not one: %j', async (body, field) => {
    const ann = await app.registerUser();
    const answer = await ann.http.post('/api/sync', body);
    expect(answer.status).toBe(400);
    const details = answer.body.details as { field: string }[];
    expect([...new Set(details.map((detail) => detail.field))]).toEqual([field]);
  });

  it('may be null, which is none', async () => {
    const ann = await app.registerUser();
    expect((await ann.http.post('/api/sync', { cursor: null })).status).toBe(200);
  });

  it('serves again and again: an answer that was lost can be asked for once more', async () => {
    const { ben, ann, chatId, device } = await makeWorld();
    await send(ben, chatId, 'once');
    const { cursor } = device;
    for (let i = 0; i < 3; i++) {
      const { data } = await ann.http.post<SyncBody>('/api/sync', { cursor });
      expect(data.messages.map(({ text }) => text)).toEqual(['once']);
    }
  });

  it('of a later state of the database, which a copy was put in the place of, is answered with 410', async () => {
    const { ann, device } = await makeWorld();
    const cursors = new SyncCursors(new Cursors(new Secrets(SECRETS.JWT_SECRET, SECRETS.MASTER_KEY)));
    const cursor = cursors.decode(ann.id, device.cursor!);
    const ahead = String(BigInt(cursor.from!) + 1_000_000n);
    for (const [later, status] of [
      [cursor, 200],
      [{ ...cursor, from: ahead }, 410],
      [{ ...cursor, next: ahead }, 410],
      [{ ...cursor, from: null, next: ahead }, 410],
    ] as const) {
      const answer = await ann.http.post('/api/sync', { cursor: cursors.encode(ann.id, later) });
      expect([later, answer.status]).toEqual([later, status]);
    }
  });

  it('of another database is answered with 410, between rounds and inside one', async () => {
    const { ann, ben, chatId, device } = await makeWorld();
    for (let i = 0; i < 5; i++) await send(ben, chatId, `text ${i}`);
    const { data: inside } = await ann.http.post<SyncBody>('/api/sync', { cursor: device.cursor, limit: 2 });
    const { data: firstInside } = await ann.http.post<SyncBody>('/api/sync', { limit: 2 });
    await app.sql('UPDATE sync_epoch SET id = gen_random_uuid()');
    for (const cursor of [device.cursor, inside.cursor, firstInside.cursor]) {
      const answer = await ann.http.post('/api/sync', { cursor });
      expect([answer.status, answer.code]).toEqual([410, 'SYNC_RESET']);
    }
    device.cursor = undefined;
    await device.sync();
    await expectRebuilt(device, ann.http);
  });
});

it('shows people whose profile changed to those who know them alone', async () => {
  const { ben, dan, device } = await makeWorld();
  await makePrivateChat(ben, dan);
  await ok(dan.http.put('/api/auth/update-profile', { name: 'Daniel' }));
  const [page] = await device.sync();
  expect(page!.users).toEqual([]);
  expect(page!.chats).toEqual([]);
});

it('tells that the other person of a private chat, who has never done anything in it, is gone', async () => {
  const { ann, ben } = await makePair(app);
  const device = new SyncStore(ann.http);
  await device.sync();
  const { status } = await ben.http.delete('/api/auth/delete-profile', { password: ben.password });
  expect(status).toBe(200);
  await device.sync();
  await expectRebuilt(device, ann.http);
});
