import type { ClientServer } from '../../src/realtime/client-socket.js';
import { RealtimeServer } from '../../src/realtime/realtime.server.js';
import { SERVER_EVENTS, type ServerEventName } from '../../src/realtime/server-events.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { makeContacts, makePrivateChat } from '../support/people.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import type { TestSocket } from '../support/socket.js';

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
  /** Ann's session of the two devices that are not the sending one. */
  annElsewhere: { token: string; sessionId: string };
  chatId: string;
  sockets: Record<Audience, TestSocket>;
}

interface Row {
  /** The receivers; nobody else may get the event. */
  reaches: readonly Audience[];
  /** True when Ann and Ben are no contacts yet. */
  betweenStrangers?: boolean;
  prepare?: (scene: Scene) => Promise<void>;
  cause: (scene: Scene) => Promise<unknown>;
}

const OTHER: readonly Audience[] = ['otherPerson', 'otherPersonOtherInstance'];
const OWN_OTHERS: readonly Audience[] = ['ownOtherDevice', 'ownOtherInstance'];

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
  return { ann, ben, annElsewhere, chatId, sockets };
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

describe.each(Object.keys(SERVER_EVENTS) as ServerEventName[])('%s', (event) => {
  const row = TABLE[event];

  it(`reaches ${row.reaches.join(', ')} and nobody else`, async () => {
    const scene = await makeScene(row);
    await row.prepare?.(scene);
    await everyoneIsUpToDate(Object.values(scene.sockets));
    for (const socket of Object.values(scene.sockets)) socket.forget();

    await row.cause(scene);
    await Promise.all(row.reaches.map((name) => scene.sockets[name].next(event)));
    if (event !== 'resync') await everyoneIsUpToDate(Object.values(scene.sockets));

    const reached = AUDIENCE.filter((name) => scene.sockets[name].all(event).length > 0);
    expect(reached).toEqual(AUDIENCE.filter((name) => row.reaches.includes(name)));
    if (event !== 'resync') {
      for (const name of row.reaches) expect(scene.sockets[name].all(event)).toHaveLength(1);
    }
    for (const socket of Object.values(scene.sockets)) socket.disconnect();
  });
});
