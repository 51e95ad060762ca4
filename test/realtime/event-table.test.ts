import { ChatUpdated, ConversationOpened } from '../../src/chats/chats.events.js';
import type { ClientServer } from '../../src/realtime/client-socket.js';
import { RealtimeServer } from '../../src/realtime/realtime.server.js';
import { SERVER_EVENTS, type ServerEventName } from '../../src/realtime/server-events.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { makeContacts, makePrivateChat } from '../support/people.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { TestSocket } from '../support/socket.js';
import { publish } from '../whatsapp/support/agents.js';
import {
  cross,
  makeConversation,
  makeTenant,
  tell,
  type BareTenant,
} from '../whatsapp/support/conversations.js';

/** Who may be told: Ann acts, on her `sendingSocket` where that is a socket's doing. */
const AUDIENCE = [
  'sendingSocket',
  'ownOtherDevice',
  'ownOtherInstance',
  'otherPerson',
  'otherPersonOtherInstance',
  'stranger',
] as const;
type Audience = (typeof AUDIENCE)[number];

interface Scene {
  ann: TestPerson;
  ben: TestPerson;
  /** Whose socket is the stranger's. */
  eve: TestPerson;
  /** Ann's session of the two devices that are not the sending one. */
  annElsewhere: { token: string; sessionId: string };
  chatId: string;
  /** Whose conversation the chat is, if any's. */
  tenant: BareTenant;
  sockets: Record<Audience, TestSocket>;
}

interface Row {
  /** The receivers; nobody else may get the event. */
  reaches: readonly Audience[];
  /** How many of them Ann's own sockets get, if not one. */
  ownCopies?: number;
  /** True when Ann and Ben are no contacts yet. */
  betweenStrangers?: boolean;
  prepare?: (scene: Scene) => Promise<void>;
  cause: (scene: Scene) => Promise<unknown>;
}

const OTHER: readonly Audience[] = ['otherPerson', 'otherPersonOtherInstance'];
const OWN: readonly Audience[] = ['sendingSocket', 'ownOtherDevice', 'ownOtherInstance'];
const OWN_OTHERS: readonly Audience[] = ['ownOtherDevice', 'ownOtherInstance'];
const EVERYBODY: readonly Audience[] = [...OWN, ...OTHER];

let here: TestApp;
let there: TestApp;
let redis: TestRedis;

/** The compiler refuses a missing event, and the test below one that is never executed. */
const TABLE: Record<ServerEventName, Row> = {
  'new-message': {
    reaches: [...OWN_OTHERS, ...OTHER],
    cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('send-message', { chatId, text: 'hello' }),
  },
  'message-status-update': {
    reaches: OTHER,
    prepare: benWrites,
    cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('mark-delivered', { chatId, upToSeq: 1 }),
  },
  'messages-delivered': {
    reaches: OTHER,
    prepare: benWrites,
    cause: ({ sockets }) => sockets.sendingSocket.ok('app-opened'),
  },
  'chat-read': {
    reaches: OWN_OTHERS,
    prepare: benWrites,
    cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('mark-read', { chatId, upToSeq: 1 }),
  },
  'new-chat': {
    reaches: ['sendingSocket', ...OWN_OTHERS, ...OTHER],
    betweenStrangers: true,
    prepare: async ({ ann, ben }) => {
      await makeContacts(ann, ben);
    },
    cause: ({ ann, ben }) => ann.http.post('/api/chats', { type: 'PRIVATE', participantIds: [ben.id] }),
  },
  'message-edited': {
    reaches: [...OWN_OTHERS, ...OTHER, 'sendingSocket'],
    prepare: annWrites,
    cause: ({ ann, chatId }) => ann.http.patch(`/api/chats/messages/${chatId}.1`, { text: 'better' }),
  },
  'message-deleted': {
    reaches: [...OWN_OTHERS, ...OTHER, 'sendingSocket'],
    prepare: annWrites,
    cause: ({ ann, chatId }) => ann.http.delete(`/api/chats/messages/${chatId}.1?for=everyone`),
  },
  'message-reaction': {
    reaches: [...OWN_OTHERS, ...OTHER, 'sendingSocket'],
    prepare: benWrites,
    cause: ({ ann, chatId }) => ann.http.post(`/api/chats/messages/${chatId}.1/reactions`, { emoji: '👍' }),
  },
  'message-hidden': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    prepare: benWrites,
    cause: ({ ann, chatId }) => ann.http.delete(`/api/chats/messages/${chatId}.1?for=me`),
  },
  'message-starred': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    prepare: benWrites,
    cause: ({ ann, chatId }) => ann.http.put(`/api/chats/messages/${chatId}.1/star`),
  },
  'chat-updated': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    cause: ({ ann, chatId }) => ann.http.patch(`/api/chats/${chatId}/settings`, { pinned: true }),
  },
  'chat-cleared': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    prepare: benWrites,
    cause: ({ ann, chatId }) => ann.http.delete(`/api/chats/${chatId}`),
  },
  'chat-removed': {
    reaches: OTHER,
    prepare: (scene) => annMakesGroup(scene, [scene.ben]),
    cause: ({ ann, ben, chatId }) => ann.http.delete(`/api/chats/${chatId}/members/${ben.id}`),
  },
  'notifications-cleared': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    prepare: benWrites,
    cause: ({ ann, chatId }) => ann.http.post(`/api/notifications/clear/${chatId}`),
  },
  'contact-requests-viewed': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    betweenStrangers: true,
    prepare: benAsks,
    cause: ({ ann }) => ann.http.post('/api/notifications/mark-contacts-viewed'),
  },
  'devices-updated': {
    reaches: ['sendingSocket', ...OWN_OTHERS],
    cause: ({ sockets }) =>
      sockets.sendingSocket.ok('register-device', { deviceId: 'laptop', deviceName: 'Laptop' }),
  },
  'user-typing': {
    reaches: OTHER,
    prepare: async ({ chatId, sockets }) => {
      // The stranger tries too.
      await Promise.all(Object.values(sockets).map((socket) => socket.emit('join-chat', { chatId })));
    },
    cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('typing', { chatId, isTyping: true }),
  },
  presence: {
    reaches: OTHER,
    // The stranger subscribes too, to somebody whose presence is for contacts alone.
    prepare: async ({ ann, sockets }) => {
      await ann.http.put('/api/auth/update-profile', { settings: { lastSeen: 'contacts' } });
      for (const name of [...OTHER, 'stranger'] as const) {
        await sockets[name].ok('subscribe-presence', { userIds: [ann.id] });
      }
    },
    cause: ({ ann }) => ann.http.put('/api/auth/update-profile', { settings: { lastSeen: 'nobody' } }),
  },
  'new-contact-request': {
    reaches: OTHER,
    betweenStrangers: true,
    cause: ({ ann, ben }) => ann.http.post('/api/contacts/request', { userId: ben.id }),
  },
  'contact-request-accepted': {
    reaches: OTHER,
    betweenStrangers: true,
    prepare: benAsks,
    cause: async ({ ann }) => {
      const { data } = await ann.http.get('/api/contacts/pending');
      return ann.http.patch(`/api/contacts/request/${data[0].id}/accept`);
    },
  },
  'contact-request-rejected': {
    reaches: OTHER,
    betweenStrangers: true,
    prepare: benAsks,
    cause: async ({ ann }) => {
      const { data } = await ann.http.get('/api/contacts/pending');
      return ann.http.delete(`/api/contacts/request/${data[0].id}/reject`);
    },
  },
  'blocked-by-contact': {
    reaches: OTHER,
    cause: ({ ann, ben }) => ann.http.post('/api/contacts/block', { userId: ben.id }),
  },
  'unblocked-by-contact': {
    reaches: OTHER,
    prepare: async ({ ann, ben }) => {
      await ann.http.post('/api/contacts/block', { userId: ben.id });
    },
    cause: ({ ann, ben }) => ann.http.patch(`/api/contacts/unblock/${ben.id}`),
  },
  'session-revoked': {
    reaches: OWN_OTHERS,
    cause: ({ ann, annElsewhere }) => ann.http.delete(`/api/auth/sessions/${annElsewhere.sessionId}`),
  },
  resync: {
    reaches: AUDIENCE,
    cause: () => redis.cutSubscribers(),
  },
};

/** In a group the audience of some events differs. Ben is a member from the start unless the row says otherwise. */
const GROUP_TABLE: [title: string, event: ServerEventName, row: Row][] = [
  [
    'a rename',
    'chat-updated',
    {
      reaches: ['sendingSocket', ...OWN_OTHERS, ...OTHER],
      // What all get, and the whole chat, in which Ann's marks have moved over the SYSTEM message.
      ownCopies: 2,
      cause: ({ ann, chatId }) => ann.http.patch(`/api/chats/${chatId}`, { name: 'Orchard' }),
    },
  ],
  [
    'the SYSTEM message of a rename',
    'new-message',
    {
      reaches: ['sendingSocket', ...OWN_OTHERS, ...OTHER],
      cause: ({ ann, chatId }) => ann.http.patch(`/api/chats/${chatId}`, { name: 'Orchard' }),
    },
  ],
  [
    'somebody who is added',
    'new-chat',
    {
      reaches: OTHER,
      prepare: async (scene) => {
        await makeContacts(scene.ann, scene.eve);
        await annMakesGroup(scene, [scene.eve]);
      },
      cause: ({ ann, ben, chatId }) => ann.http.post(`/api/chats/${chatId}/members`, { userIds: [ben.id] }),
    },
  ],
  [
    'a removal, among those who stay',
    'chat-updated',
    {
      reaches: ['sendingSocket', ...OWN_OTHERS],
      ownCopies: 2,
      cause: ({ ann, ben, chatId }) => ann.http.delete(`/api/chats/${chatId}/members/${ben.id}`),
    },
  ],
  [
    'the lowest mark, which Eve’s does not hold back',
    'message-status-update',
    {
      // Eve is a member, and wrote nothing.
      reaches: OTHER,
      prepare: async (scene) => {
        await makeContacts(scene.ann, scene.eve);
        await annMakesGroup(scene, [scene.ben, scene.eve]);
        await benWrites(scene);
        await scene.eve.http.post(`/api/chats/${scene.chatId}/messages/read`, {});
      },
      cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('mark-read', { chatId, upToSeq: 1 }),
    },
  ],
  [
    'reading',
    'chat-read',
    {
      reaches: OWN_OTHERS,
      prepare: async (scene) => {
        await annMakesGroup(scene, [scene.ben]);
        await benWrites(scene);
      },
      cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('mark-read', { chatId, upToSeq: 1 }),
    },
  ],
];

/** In a conversation of a tenant for which Ann and Ben work, and Eve does not. */
const TEAM_TABLE: [title: string, event: ServerEventName, row: Row][] = [
  [
    'a customer’s message',
    'new-message',
    { reaches: EVERYBODY, cause: ({ tenant, chatId }) => cross(here, tenant, chatId) },
  ],
  [
    'the status of one message',
    'message-status-update',
    {
      reaches: EVERYBODY,
      cause: async ({ tenant, chatId }) => {
        await tell(here, await cross(here, tenant, chatId, { direction: 'OUT' }), 'delivered');
      },
    },
  ],
  [
    'reading',
    'chat-read',
    {
      reaches: [...OWN_OTHERS, ...OTHER],
      cause: async ({ tenant, chatId, sockets }) => {
        await cross(here, tenant, chatId);
        await sockets.sendingSocket.ok('mark-read', { chatId, upToSeq: 1 });
      },
    },
  ],
  [
    'a colleague who types',
    'user-typing',
    {
      reaches: OTHER,
      prepare: async (scene) => {
        await openConversation(scene);
        const { chatId, sockets } = scene;
        await Promise.all(Object.values(sockets).map((socket) => socket.emit('join-chat', { chatId })));
      },
      cause: ({ chatId, sockets }) => sockets.sendingSocket.ok('typing', { chatId, isTyping: true }),
    },
  ],
  [
    'a conversation that begins',
    'new-chat',
    {
      reaches: EVERYBODY,
      cause: async ({ tenant, chatId }) => {
        publish(here, new ConversationOpened(chatId, tenant.id, await agentsSeqOf(tenant)));
      },
    },
  ],
  [
    'what all agents see of a conversation',
    'chat-updated',
    {
      reaches: EVERYBODY,
      cause: async ({ tenant, chatId }) => {
        publish(here, new ChatUpdated(chatId, await agentsSeqOf(tenant), tenant.id));
      },
    },
  ],
  [
    'an agent’s own settings',
    'chat-updated',
    {
      reaches: OWN,
      cause: ({ ann, chatId }) => ann.http.patch(`/api/chats/${chatId}/settings`, { pinned: true }),
    },
  ],
];

async function openConversation(scene: Scene): Promise<void> {
  scene.tenant = await makeTenant(here, [scene.ann, scene.ben]);
  scene.chatId = await makeConversation(here, scene.tenant);
}

async function agentsSeqOf({ id }: BareTenant): Promise<number> {
  const [row] = await here.sql<{ agents_seq: number }>('SELECT agents_seq FROM tenant WHERE id = $1', [id]);
  return row?.agents_seq ?? 0;
}

async function annMakesGroup(scene: Scene, others: readonly TestPerson[]): Promise<void> {
  const participantIds = others.map(({ id }) => id);
  const { data } = await scene.ann.http.post('/api/chats', { type: 'GROUP', name: 'Garden', participantIds });
  scene.chatId = data.id as string;
}

async function annWrites({ ann, chatId }: Scene): Promise<void> {
  await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'mine' });
}

async function benWrites({ ben, chatId }: Scene): Promise<void> {
  await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'read me' });
}

async function benAsks({ ann, ben }: Scene): Promise<void> {
  await ben.http.post('/api/contacts/request', { userId: ann.id });
}

async function makeScene(row: Row): Promise<Scene> {
  const [ann, ben, eve] = await Promise.all([here.registerUser(), here.registerUser(), here.registerUser()]);
  const chatId = row.betweenStrangers ? '' : await makePrivateChat(ann, ben);
  const login = await ann.http.post('/api/auth/login', { email: ann.email, password: ann.password });
  const annElsewhere = { token: login.data.token as string, sessionId: '' };
  const sessions = await here.http(annElsewhere.token).get('/api/auth/sessions');
  annElsewhere.sessionId = sessions.data.find((session: { current: boolean }) => session.current).id;
  const sockets: Scene['sockets'] = {
    sendingSocket: await here.connect(ann),
    ownOtherDevice: await here.connect(annElsewhere),
    ownOtherInstance: await there.connect(annElsewhere),
    otherPerson: await here.connect(ben),
    otherPersonOtherInstance: await there.connect(ben),
    stranger: await there.connect(eve),
  };
  return { ann, ben, eve, annElsewhere, chatId, tenant: { id: '', phoneNumberId: '' }, sockets };
}

/** A packet that everyone gets, on the same way as every other: what was emitted before it has arrived with it. */
async function everyoneIsUpToDate(sockets: readonly TestSocket[]): Promise<void> {
  const io = Reflect.get(here.running.nest.get(RealtimeServer), 'io') as ClientServer;
  io.emit('resync', {});
  await Promise.all(sockets.filter((socket) => socket.connected).map((socket) => socket.next('resync')));
}

beforeAll(async () => {
  redis = await startRedis();
  here = await startApp({ redisUrl: redis.url });
  there = await startApp({ redisUrl: redis.url, shareDatabaseWith: here });
});

afterAll(async () => {
  await there.close();
  await here.close();
  await redis.stop();
});

async function expectAudience(event: ServerEventName, row: Row): Promise<void> {
  const scene = await makeScene(row);
  await row.prepare?.(scene);
  await everyoneIsUpToDate(Object.values(scene.sockets));
  for (const socket of Object.values(scene.sockets)) socket.forget();

  await row.cause(scene);
  const copiesFor = (name: Audience): number => (OWN.includes(name) ? (row.ownCopies ?? 1) : 1);
  for (const name of row.reaches) {
    for (let i = 0; i < copiesFor(name); i++) await scene.sockets[name].next(event);
  }
  if (event !== 'resync') await everyoneIsUpToDate(Object.values(scene.sockets));

  const reached = AUDIENCE.filter((name) => scene.sockets[name].all(event).length > 0);
  expect(reached).toEqual(AUDIENCE.filter((name) => row.reaches.includes(name)));
  if (event !== 'resync') {
    for (const name of row.reaches) expect(scene.sockets[name].all(event)).toHaveLength(copiesFor(name));
  }
  for (const socket of Object.values(scene.sockets)) socket.disconnect();
}

describe.each(Object.keys(SERVER_EVENTS) as ServerEventName[])('%s', (event) => {
  const row = TABLE[event];

  it(`reaches ${row.reaches.join(', ')} and nobody else`, () => expectAudience(event, row));
});

describe.each(GROUP_TABLE)('in a group, %s', (_title, event, row) => {
  it(`as ${event} reaches ${row.reaches.join(', ')} and nobody else`, () =>
    expectAudience(event, {
      ...row,
      prepare: row.prepare ?? ((scene) => annMakesGroup(scene, [scene.ben])),
    }));
});

describe.each(TEAM_TABLE)('in a conversation, %s', (_title, event, row) => {
  it(`as ${event} reaches ${row.reaches.join(', ')} and nobody else`, () =>
    expectAudience(event, { ...row, prepare: row.prepare ?? openConversation }));
});
