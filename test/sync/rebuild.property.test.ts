import fc from 'fast-check';
import type { SyncBody } from '../../src/sync/sync.dto.js';
import { useApp, type TestPerson } from '../support/app.js';
import type { TestHttp } from '../support/http.js';
import { makeContacts, makePrivateChat } from '../support/people.js';
import { expectRebuilt, SyncStore } from '../support/sync-store.js';

const app = useApp();

/** Numbers that pick a person, a chat, a message: whatever there is at that place, modulo how many there are. */
interface Choice {
  name: string;
  who: number;
  whom: number;
  chat: number;
  message: number;
  contact: number;
  value: number;
}

interface Step {
  group: Choice[];
  device: 'offline' | 'page' | 'online';
  limit: number;
}

interface World {
  people: TestPerson[];
  chatIds: string[];
  contactIds: string[];
  messageIds: string[];
}

interface Target {
  http: TestHttp;
  other: TestPerson;
  chatId: string;
  messageId: string;
  contactId: string;
  value: number;
}

type Action = (target: Target, world: World) => Promise<{ status: number; data?: unknown; body?: unknown }>;

const at = <T>(items: readonly T[], index: number): T => items[index % items.length]!;
const EMOJIS = ['👍', '❤️', '🇩🇪', '👩‍👩‍👧', ''];
const seqOf = (messageId: string): number => Number(messageId.split('.')[1]);

/** Everything that people can do, each through its route. Most of it is refused now and then, which is a test too. */
const ACTIONS: Record<string, Action> = {
  send: ({ http, chatId, value }) => http.post(`/api/chats/${chatId}/messages`, { text: `text ${value}` }),
  reply: ({ http, chatId, messageId, value }) =>
    http.post(`/api/chats/${chatId}/messages`, { text: `reply ${value}`, replyToId: messageId }),
  mention: ({ http, chatId, other }) =>
    http.post(`/api/chats/${chatId}/messages`, { text: `@${other.name}`, mentions: [other.id] }),
  edit: ({ http, messageId, value }) =>
    http.patch(`/api/chats/messages/${messageId}`, { text: `edited ${value}` }),
  deleteForEveryone: ({ http, messageId }) => http.delete(`/api/chats/messages/${messageId}?for=everyone`),
  hide: ({ http, messageId }) => http.delete(`/api/chats/messages/${messageId}?for=me`),
  react: ({ http, messageId, value }) =>
    http.post(`/api/chats/messages/${messageId}/reactions`, { emoji: at(EMOJIS, value) }),
  star: ({ http, messageId }) => http.put(`/api/chats/messages/${messageId}/star`),
  unstar: ({ http, messageId }) => http.delete(`/api/chats/messages/${messageId}/star`),
  forward: ({ http, messageId, value }, { chatIds }) =>
    http.post(`/api/chats/messages/${messageId}/forward`, { chatIds: [at(chatIds, value)] }),
  read: ({ http, chatId, messageId }) =>
    http.post(`/api/chats/${chatId}/messages/read`, { upToSeq: seqOf(messageId) }),
  readAll: ({ http, chatId }) => http.post(`/api/chats/${chatId}/messages/read`, {}),
  deliver: ({ http, chatId }) => http.post(`/api/chats/${chatId}/messages/delivered`, {}),
  settings: ({ http, chatId, value }) =>
    http.patch(
      `/api/chats/${chatId}/settings`,
      at(
        [
          { pinned: true },
          { pinned: false, archived: true },
          { archived: false },
          { markedUnread: true },
          { mutedUntil: '2030-01-01T00:00:00.000Z' },
          { mutedUntil: null },
        ],
        value,
      ),
    ),
  clear: ({ http, chatId }) => http.delete(`/api/chats/${chatId}`),
  createGroup: ({ http, other, value }) =>
    http.post('/api/chats', { type: 'GROUP', name: `Group ${value}`, participantIds: [other.id] }),
  openPrivate: ({ http, other }) => http.post('/api/chats', { type: 'PRIVATE', participantIds: [other.id] }),
  rename: ({ http, chatId, value }) => http.patch(`/api/chats/${chatId}`, { name: `Name ${value}` }),
  add: ({ http, chatId, other }) => http.post(`/api/chats/${chatId}/members`, { userIds: [other.id] }),
  remove: ({ http, chatId, other }) => http.delete(`/api/chats/${chatId}/members/${other.id}`),
  role: ({ http, chatId, other, value }) =>
    http.patch(`/api/chats/${chatId}/members/${other.id}`, { role: at(['ADMIN', 'MEMBER', 'OWNER'], value) }),
  leave: ({ http, chatId }) => http.post(`/api/chats/${chatId}/leave`),
  request: ({ http, other }) => http.post('/api/contacts/request', { userId: other.id }),
  accept: ({ http, contactId }) => http.patch(`/api/contacts/request/${contactId}/accept`),
  reject: ({ http, contactId }) => http.delete(`/api/contacts/request/${contactId}/reject`),
  endContact: ({ http, contactId }) => http.delete(`/api/contacts/${contactId}`),
  block: ({ http, other }) => http.post('/api/contacts/block', { userId: other.id }),
  unblock: ({ http, other }) => http.patch(`/api/contacts/unblock/${other.id}`),
  profile: ({ http, value }) =>
    http.put(
      '/api/auth/update-profile',
      at(
        [
          { name: `Name ${value}` },
          { bio: `Bio ${value}` },
          { settings: { readReceipts: false } },
          { settings: { readReceipts: true } },
        ],
        value,
      ),
    ),
};

const NAMES = Object.keys(ACTIONS);
const ABOUT_A_MESSAGE = ['reply', 'read'];
/** What makes the others worth something happens more often. */
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 2, arbitrary: fc.constantFrom('send', 'reply', 'request', 'unblock', 'accept', 'add') },
);
const action = fc.record({
  name,
  who: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(3) }),
  whom: fc.nat(3),
  chat: fc.nat(7),
  message: fc.nat(15),
  contact: fc.nat(7),
  value: fc.nat(30),
});
/** Actions of one group happen at the same time; then the device is offline, takes one page, or catches up. */
const step: fc.Arbitrary<Step> = fc.record({
  group: fc.array(action, { minLength: 1, maxLength: 4 }),
  device: fc.constantFrom('offline' as const, 'offline' as const, 'page' as const, 'online' as const),
  limit: fc.constantFrom(1, 3, 10, 500),
});

async function makeWorld(): Promise<World> {
  const people = await Promise.all(
    ['Ann', 'Ben', 'Cid', 'Dan'].map((each) => app.registerUser({ name: each })),
  );
  const [ann, ben, cid, dan] = people as [TestPerson, TestPerson, TestPerson, TestPerson];
  const chatId = await makePrivateChat(ann, ben);
  const contactIds = [
    await makeContacts(ann, cid),
    await makeContacts(ben, cid),
    await makeContacts(cid, dan),
  ];
  const group = { type: 'GROUP', name: 'Group', participantIds: [ben.id, cid.id] };
  const groupId = (await ann.http.post('/api/chats', group)).data.id as string;
  const world: World = { people, chatIds: [chatId, groupId], contactIds, messageIds: [] };
  for (const [person, id] of [
    [ben, chatId],
    [ann, groupId],
    [cid, groupId],
  ] as const) {
    const sent = await person.http.post(`/api/chats/${id}/messages`, { text: 'first' });
    world.messageIds.push(sent.data.id as string);
  }
  return world;
}

/** Lets the chosen person do it; who may not leaves it to the next. */
async function perform(
  { name: kind, ...choice }: Choice,
  world: World,
  done: Map<string, number>,
): Promise<void> {
  for (let turn = 0; turn < world.people.length; turn++) {
    const me = at(world.people, choice.who + turn);
    const messageId = at(world.messageIds, choice.message);
    const chatId = ABOUT_A_MESSAGE.includes(kind) ? messageId.split('.')[0]! : at(world.chatIds, choice.chat);
    const answer = await ACTIONS[kind]!(
      {
        http: me.http,
        other: at(world.people, choice.whom),
        chatId,
        messageId,
        contactId: at(world.contactIds, choice.contact),
        value: choice.value,
      },
      world,
    );
    if (answer.status >= 500) throw new Error(`${kind} answered ${JSON.stringify(answer.body)}`);
    if (answer.status < 300) {
      done.set(kind, (done.get(kind) ?? 0) + 1);
      remember(kind, answer.data, world);
      return;
    }
  }
}

function remember(kind: string, data: unknown, world: World): void {
  const { id } = (data ?? {}) as { id?: string };
  if (id === undefined) return;
  if (['send', 'reply', 'mention'].includes(kind)) world.messageIds.push(id);
  if (kind === 'createGroup' || kind === 'openPrivate') world.chatIds.push(id);
  if (kind === 'request') world.contactIds.push(id);
}

/** Each action once, with the device in step after every one. */
const ONE_OF_EACH = [
  ...['send', 'reply', 'mention', 'edit', 'react', 'star', 'unstar', 'forward', 'deliver', 'read', 'readAll'],
  ...['settings', 'hide', 'deleteForEveryone', 'openPrivate', 'createGroup', 'rename', 'block', 'unblock'],
  ...[
    'request',
    'reject',
    'request',
    'accept',
    'add',
    'role',
    'remove',
    'leave',
    'endContact',
    'profile',
    'clear',
  ],
];

function oneOfEach(): Step[] {
  const newest = { message: 0, value: 0 };
  return ONE_OF_EACH.map((kind, i) => ({
    group: [
      {
        ...newest,
        name: kind,
        who: 0,
        whom: kind === 'request' || kind === 'add' ? 3 : 1,
        chat: 1,
        contact: 3 + Number(i > ONE_OF_EACH.indexOf('reject')),
      },
    ],
    device: 'online' as const,
    limit: 500,
  }));
}

it('rebuilds on an offline device exactly what the REST routes show', async () => {
  const done = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const world = await makeWorld();
      const [ann] = world.people as [TestPerson];
      const device = new SyncStore(ann.http);
      await device.sync();
      for (const { group, device: doing, limit } of [...steps, { group: [], device: 'online', limit: 500 }]) {
        app.clock.advance(1_000);
        await Promise.all(group.map((each) => perform(each, world, done)));
        if (doing === 'page') {
          const answer = await ann.http.post<SyncBody>('/api/sync', { cursor: device.cursor, limit });
          device.apply(answer.data);
        } else if (doing === 'online') {
          // The first time ends a round that a page may have begun before all of this.
          await device.sync(limit);
          await device.sync(limit);
          await expectRebuilt(device, ann.http);
        }
      }
      // A new device gets there too.
      const fresh = new SyncStore(ann.http);
      await fresh.sync();
      await expectRebuilt(fresh, ann.http);
    }),
    { numRuns: 25, examples: [[oneOfEach()]] },
  );
  // Nothing has only ever been refused.
  expect(NAMES.filter((each) => !done.has(each))).toEqual([]);
}, 240_000);
