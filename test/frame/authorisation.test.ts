import { CLIENT_EVENTS, type ClientEventName } from '../../src/realtime/client-events.js';
import { useApp, type TestPerson } from '../support/app.js';
import { exchange } from '../support/http.js';
import { openApiOf } from '../support/openapi-check.js';
import { makePrivateChat } from '../support/people.js';
import { PNG } from '../support/pictures.js';
import type { TestSocket } from '../support/socket.js';

/**
 * The authorisation matrix: every route of the OpenAPI document and every client event, called without a token, with
 * an expired one, with a revoked one, by a stranger to the resource, and, so that the others prove something, by
 * somebody who may. A route or an event that has no row here fails the test.
 */
const app = useApp();

/** Ann's world. Eve is the stranger: she shares nothing with anybody in it. */
interface Stage {
  ann: TestPerson;
  ben: TestPerson;
  eve: TestPerson;
  expired: string;
  revoked: string;
  chatId: string;
  messageId: string;
  /** Ann's, and Ben is in it. */
  groupId: string;
  contactId: string;
  /** Two people wait for Ann's answer. */
  pending: [string, string];
  /** Nobody has anything to do with this one yet. */
  newcomer: TestPerson;
  /** Ann is signed in a second time. */
  sessionId: string;
  mediaId: string;
}

const PASSWORD = 'a password for all';
const TEXT = 'a text for two pairs of eyes';
/** Where Ann is signed in too. */
const DEVICES = ['phone of ann', 'tablet of ann'];
let stage: Stage;

beforeAll(async () => {
  const lapsed = await app.registerUser();
  app.clock.advance(16 * 60_000);
  const [ann, ben, eve, newcomer, one, two, leaver] = (await Promise.all(
    ['Ann', 'Ben', 'Eve', 'Newcomer', 'One', 'Two', 'Leaver'].map((name) =>
      app.registerUser({ name, password: PASSWORD }),
    ),
  )) as [TestPerson, TestPerson, TestPerson, TestPerson, TestPerson, TestPerson, TestPerson];
  await leaver.http.post('/api/auth/logout');
  const chatId = await makePrivateChat(ann, ben);
  const group = { type: 'GROUP', name: 'A group', participantIds: [ben.id] };
  const groupId = (await ann.http.post('/api/chats', group)).data.id as string;
  const contact = (await ann.http.get('/api/contacts')).data[0] as { id: string };
  const pending = (await Promise.all(
    [one, two].map(
      async (person) =>
        (await person.http.post('/api/contacts/request', { userId: ann.id })).data.id as string,
    ),
  )) as [string, string];
  const message = await ben.http.post(`/api/chats/${chatId}/messages`, { text: TEXT });
  for (const deviceId of DEVICES) {
    await app.http().post('/api/auth/login', { email: ann.email, password: PASSWORD, deviceId });
  }
  const second = await app.http().post('/api/auth/login', { email: ann.email, password: PASSWORD });
  const sessions = (await app.http(second.data.token as string).get('/api/auth/sessions')).data as {
    id: string;
    current: boolean;
  }[];
  const picture = await ann.http.multipart('PUT', '/api/auth/update-profile', {}, [
    { name: 'profilePic', fileName: 'ann.png', content: PNG, type: 'image/png' },
  ]);
  const profile = (picture.data.user ?? picture.data) as { profilePic: string };
  stage = {
    ann,
    ben,
    eve,
    newcomer,
    expired: lapsed.token,
    revoked: leaver.token,
    chatId,
    messageId: message.data.id as string,
    groupId,
    contactId: contact.id,
    pending,
    sessionId: sessions.find(({ current }) => current)!.id,
    mediaId: /\/api\/media\/([^?]+)/.exec(profile.profilePic)![1]!,
  };
});

interface Row {
  path: string;
  body?: unknown;
  /** One file instead of a body. */
  form?: { name: string; fileName: string; content: string };
  /** What the stranger is told. `own`: they get an answer that holds nothing but their own. */
  stranger: 'own' | { status: number; code?: string };
  /** Who may, when it is not Ann, and what they get. */
  by?: TestPerson;
  status?: number;
}

const NO_CHAT = { status: 404, code: 'CHAT_NOT_FOUND' };
const NO_MESSAGE = { status: 404, code: 'MESSAGE_NOT_FOUND' };
const NO_DEVICE = { status: 404, code: 'DEVICE_NOT_FOUND' };
const NO_CONTACT = { status: 404, code: 'CONTACT_NOT_FOUND' };

/** Routes that need no token, and why. */
const PUBLIC: Record<string, string> = {
  'GET /': 'health',
  'GET /health': 'health',
  'GET /health/live': 'health',
  'GET /health/ready': 'health',
  'GET /metrics': 'operations; a proxy keeps it inside',
  'POST /api/auth/register': 'makes an account',
  'POST /api/auth/login': 'gives a token',
  'POST /api/auth/refresh': 'takes a refresh token',
  'POST /api/auth/forgot-password': 'sends a mail to the owner of the address',
  'POST /api/auth/reset-password': 'takes a token from that mail',
};

/** In an order in which Ann can do all of it one after the other. */
const ROUTES: Record<string, (s: Stage) => Row> = {
  'GET /api/auth/profile': () => ({ path: '/api/auth/profile', stranger: 'own' }),
  'PUT /api/auth/update-profile': () => ({
    path: '/api/auth/update-profile',
    body: { bio: 'mine' },
    stranger: 'own',
  }),
  'POST /api/sync': () => ({ path: '/api/sync', body: { limit: 10 }, stranger: 'own' }),
  'GET /api/auth/export': () => ({ path: '/api/auth/export', stranger: 'own' }),
  'GET /api/devices': () => ({ path: '/api/devices', stranger: 'own' }),
  // No provider is configured here.
  'PUT /api/devices/{deviceId}/push': () => ({
    path: `/api/devices/${encodeURIComponent(DEVICES[0]!)}/push`,
    body: { provider: 'fcm', token: 'a token' },
    stranger: { status: 422, code: 'PROVIDER_UNAVAILABLE' },
    status: 422,
  }),
  'DELETE /api/devices/{deviceId}': () => ({
    path: `/api/devices/${encodeURIComponent(DEVICES[0]!)}`,
    stranger: NO_DEVICE,
  }),
  'GET /api/auth/sessions': () => ({ path: '/api/auth/sessions', stranger: 'own' }),
  'DELETE /api/auth/sessions/{id}': ({ sessionId }) => ({
    path: `/api/auth/sessions/${sessionId}`,
    stranger: { status: 404, code: 'SESSION_NOT_FOUND' },
  }),
  'GET /api/users': ({ ben }) => ({ path: `/api/users?ids=${ben.id}`, stranger: 'own' }),
  'POST /api/media': () => ({
    path: '/api/media',
    form: { name: 'file', fileName: 'a.txt', content: 'hello' },
    stranger: 'own',
    status: 201,
  }),
  // Ann's picture is part of what everybody who is signed in can find of her.
  'GET /api/media/{id}': ({ mediaId }) => ({ path: `/api/media/${mediaId}`, stranger: { status: 200 } }),
  'GET /api/contacts': () => ({ path: '/api/contacts', stranger: 'own' }),
  'GET /api/contacts/pending': () => ({ path: '/api/contacts/pending', stranger: 'own' }),
  'GET /api/contacts/blocked': () => ({ path: '/api/contacts/blocked', stranger: 'own' }),
  'GET /api/contacts/search': () => ({
    path: '/api/contacts/search?query=nobody-of-that-name',
    stranger: 'own',
  }),
  'PATCH /api/contacts/request/{contactId}/accept': ({ pending }) => ({
    path: `/api/contacts/request/${pending[0]}/accept`,
    stranger: NO_CONTACT,
  }),
  'DELETE /api/contacts/request/{contactId}/reject': ({ pending }) => ({
    path: `/api/contacts/request/${pending[1]}/reject`,
    stranger: NO_CONTACT,
  }),
  'POST /api/chats': ({ ben }) => ({
    path: '/api/chats',
    body: { type: 'PRIVATE', participantIds: [ben.id] },
    stranger: { status: 403, code: 'NOT_A_CONTACT' },
  }),
  'GET /api/chats': () => ({ path: '/api/chats', stranger: 'own' }),
  'GET /api/notifications': () => ({ path: '/api/notifications', stranger: 'own' }),
  'GET /api/notifications/count': () => ({ path: '/api/notifications/count', stranger: 'own' }),
  'GET /api/notifications/all-counts': () => ({ path: '/api/notifications/all-counts', stranger: 'own' }),
  'GET /api/notifications/push': () => ({ path: '/api/notifications/push', stranger: 'own' }),
  'POST /api/notifications/clear/{chatId}': ({ chatId }) => ({
    path: `/api/notifications/clear/${chatId}`,
    stranger: NO_CHAT,
  }),
  'POST /api/notifications/mark-contacts-viewed': () => ({
    path: '/api/notifications/mark-contacts-viewed',
    stranger: 'own',
  }),
  'GET /api/chats/{chatId}': ({ chatId }) => ({ path: `/api/chats/${chatId}`, stranger: NO_CHAT }),
  'PATCH /api/chats/{chatId}': ({ groupId }) => ({
    path: `/api/chats/${groupId}`,
    body: { name: 'Another name' },
    stranger: NO_CHAT,
  }),
  'PATCH /api/chats/{chatId}/settings': ({ groupId }) => ({
    path: `/api/chats/${groupId}/settings`,
    body: { pinned: true },
    stranger: NO_CHAT,
  }),
  'GET /api/chats/{chatId}/members': ({ groupId }) => ({
    path: `/api/chats/${groupId}/members`,
    stranger: NO_CHAT,
  }),
  'POST /api/chats/{chatId}/members': ({ groupId, ben }) => ({
    path: `/api/chats/${groupId}/members`,
    body: { userIds: [ben.id] },
    stranger: NO_CHAT,
  }),
  'PATCH /api/chats/{chatId}/members/{userId}': ({ groupId, ben }) => ({
    path: `/api/chats/${groupId}/members/${ben.id}`,
    body: { role: 'ADMIN' },
    stranger: NO_CHAT,
  }),
  'DELETE /api/chats/{chatId}/members/{userId}': ({ groupId, ben }) => ({
    path: `/api/chats/${groupId}/members/${ben.id}`,
    stranger: NO_CHAT,
  }),
  'DELETE /api/chats/{chatId}': ({ groupId }) => ({ path: `/api/chats/${groupId}`, stranger: NO_CHAT }),
  'POST /api/chats/{chatId}/leave': ({ groupId }) => ({
    path: `/api/chats/${groupId}/leave`,
    stranger: NO_CHAT,
  }),
  'GET /api/chats/{chatId}/messages': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages`,
    stranger: NO_CHAT,
  }),
  'POST /api/chats/{chatId}/messages': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages`,
    body: { text: 'hello' },
    stranger: NO_CHAT,
    status: 201,
  }),
  'POST /api/chats/{chatId}/messages/delivered': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages/delivered`,
    body: {},
    stranger: NO_CHAT,
  }),
  'POST /api/chats/{chatId}/messages/read': ({ chatId }) => ({
    path: `/api/chats/${chatId}/messages/read`,
    body: {},
    stranger: NO_CHAT,
  }),
  'PATCH /api/chats/messages/{messageId}/status': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/status`,
    body: { status: 'READ' },
    stranger: NO_MESSAGE,
  }),
  'GET /api/chats/messages/search': () => ({
    path: '/api/chats/messages/search?query=pairs%20of%20eyes',
    stranger: 'own',
  }),
  'GET /api/chats/messages/{messageId}/receipts': ({ messageId, ben }) => ({
    path: `/api/chats/messages/${messageId}/receipts`,
    stranger: NO_MESSAGE,
    by: ben,
  }),
  'PATCH /api/chats/messages/{messageId}': ({ messageId, ben }) => ({
    path: `/api/chats/messages/${messageId}`,
    body: { text: `${TEXT}, edited` },
    stranger: NO_MESSAGE,
    by: ben,
  }),
  'POST /api/chats/messages/{messageId}/reactions': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/reactions`,
    body: { emoji: '👍' },
    stranger: NO_MESSAGE,
  }),
  'GET /api/chats/messages/{messageId}/replies': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/replies`,
    stranger: NO_MESSAGE,
  }),
  'PUT /api/chats/messages/{messageId}/star': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/star`,
    stranger: NO_MESSAGE,
  }),
  'GET /api/chats/messages/starred': () => ({ path: '/api/chats/messages/starred', stranger: 'own' }),
  'DELETE /api/chats/messages/{messageId}/star': ({ messageId }) => ({
    path: `/api/chats/messages/${messageId}/star`,
    stranger: NO_MESSAGE,
  }),
  'POST /api/chats/messages/{messageId}/forward': ({ messageId, chatId }) => ({
    path: `/api/chats/messages/${messageId}/forward`,
    body: { chatIds: [chatId] },
    stranger: NO_MESSAGE,
    status: 201,
  }),
  'DELETE /api/chats/messages/{messageId}': ({ messageId, ben }) => ({
    path: `/api/chats/messages/${messageId}?for=everyone`,
    stranger: NO_MESSAGE,
    by: ben,
  }),
  // Anybody may ask anybody, and may block anybody.
  'POST /api/contacts/request': ({ newcomer }) => ({
    path: '/api/contacts/request',
    body: { userId: newcomer.id },
    stranger: { status: 201 },
    status: 201,
  }),
  'POST /api/contacts/block': ({ newcomer }) => ({
    path: '/api/contacts/block',
    body: { userId: newcomer.id },
    stranger: { status: 200 },
  }),
  'PATCH /api/contacts/unblock/{userId}': ({ newcomer }) => ({
    path: `/api/contacts/unblock/${newcomer.id}`,
    stranger: { status: 200 },
  }),
  'DELETE /api/contacts/{contactId}': ({ contactId }) => ({
    path: `/api/contacts/${contactId}`,
    stranger: NO_CONTACT,
  }),
  'POST /api/auth/change-password': () => ({
    path: '/api/auth/change-password',
    body: { currentPassword: PASSWORD, newPassword: 'another password' },
    stranger: 'own',
  }),
  'POST /api/auth/logout': ({ ben }) => ({ path: '/api/auth/logout', stranger: 'own', by: ben }),
  'DELETE /api/auth/delete-profile': () => ({
    path: '/api/auth/delete-profile',
    body: { password: 'another password' },
    stranger: 'own',
  }),
};

/** Rows whose call ends the stranger's own session or account. */
const ENDS_THE_CALLER = ['POST /api/auth/logout', 'DELETE /api/auth/delete-profile'];

const EVENTS: Record<ClientEventName, (s: Stage) => { payload: unknown; stranger: string }> = {
  'app-opened': () => ({ payload: {}, stranger: 'own' }),
  'join-chat': ({ chatId }) => ({ payload: { chatId }, stranger: 'CHAT_NOT_FOUND' }),
  'leave-chat': ({ chatId }) => ({ payload: { chatId }, stranger: 'CHAT_NOT_FOUND' }),
  typing: ({ chatId }) => ({ payload: { chatId, isTyping: true }, stranger: 'CHAT_NOT_FOUND' }),
  'send-message': ({ chatId }) => ({
    payload: { chatId, clientId: 'x', text: 'hello' },
    stranger: 'CHAT_NOT_FOUND',
  }),
  'mark-delivered': ({ chatId }) => ({ payload: { chatId, upToSeq: 1 }, stranger: 'CHAT_NOT_FOUND' }),
  'mark-read': ({ chatId }) => ({ payload: { chatId, upToSeq: 1 }, stranger: 'CHAT_NOT_FOUND' }),
  'register-device': () => ({ payload: { deviceId: 'new', deviceName: 'New' }, stranger: 'own' }),
  'remove-device': () => ({ payload: { deviceId: DEVICES[1] }, stranger: 'DEVICE_NOT_FOUND' }),
  'subscribe-presence': ({ ann }) => ({ payload: { userIds: [ann.id] }, stranger: 'own' }),
  'contact-request-sent': ({ ann }) => ({ payload: { receiverId: ann.id }, stranger: 'own' }),
};

function call(route: string, token?: string) {
  const [method = ''] = route.split(' ');
  const { path, body, form } = ROUTES[route]!(stage);
  if (form) {
    const disposition = `form-data; name="${form.name}"; filename="${form.fileName}"`;
    return app.http(token).raw({
      method,
      path,
      headers: { 'Content-Type': 'multipart/form-data; boundary=x' },
      body: `--x\r\nContent-Disposition: ${disposition}\r\n\r\n${form.content}\r\n--x--\r\n`,
    });
  }
  const isJson = body !== undefined;
  return app.http(token).raw({
    method,
    path,
    ...(isJson && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
}

/** All that these people can see of their world, but for who is online. */
async function worldOf(people: readonly TestPerson[]): Promise<unknown> {
  const paths = [
    '/api/auth/profile',
    '/api/auth/sessions',
    '/api/devices',
    '/api/contacts',
    '/api/contacts/pending',
    '/api/contacts/blocked',
    '/api/chats',
    `/api/chats/${stage.chatId}/messages`,
  ];
  const views = people.flatMap((person) =>
    paths.map(async (path) => (await person.http.get(path)).data as unknown),
  );
  const passing = ['online', 'lastSeenAt'];
  const seen = JSON.stringify(await Promise.all(views), (name, value: unknown) =>
    passing.includes(name) ? null : value,
  );
  return JSON.parse(seen);
}

/** What an answer to a stranger must not hold. */
function secrets(): string[] {
  const { ann, ben, chatId, groupId, contactId, pending, sessionId, mediaId } = stage;
  const ids = [chatId, groupId, contactId, ...pending, sessionId, mediaId];
  return [ann.id, ben.id, ann.email, ben.email, ...ids, ...DEVICES, TEXT];
}

const routes = Object.keys(ROUTES);
const events = Object.keys(CLIENT_EVENTS) as ClientEventName[];

describe('the matrix', () => {
  it('has a row for every route of the document, and for nothing else', async () => {
    const { paths } = await openApiOf(app.url);
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...routes, ...Object.keys(PUBLIC)].sort()).toEqual(documented.sort());
  });
});

describe.each(routes)('%s', (route) => {
  it.each([
    ['without a token', () => undefined, 'UNAUTHENTICATED'],
    ['with a token nobody gave', () => `${stage.ann.token}x`, 'TOKEN_INVALID'],
    ['with an expired token', () => stage.expired, 'TOKEN_EXPIRED'],
    ['with a revoked token', () => stage.revoked, 'SESSION_REVOKED'],
  ])('is refused %s', async (_name, token, code) => {
    const answer = await call(route, token());
    expect(answer).toMatchObject({ status: 401, code });
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
  });
});

describe('a stranger', () => {
  it.each(routes.filter((route) => ROUTES[route] && !ENDS_THE_CALLER.includes(route)))(
    'gets nothing from %s',
    async (route) => {
      const { eve } = stage;
      const before = await worldOf([stage.ann, stage.ben]);
      const answer = await call(route, eve.token);
      const { stranger } = ROUTES[route]!(stage);
      if (stranger === 'own') {
        expect(answer.status).toBeLessThan(300);
        const text = answer.bytes.toString();
        expect(secrets().filter((secret) => text.includes(secret))).toEqual([]);
      } else {
        expect(answer).toMatchObject(stranger);
      }
      expect(await worldOf([stage.ann, stage.ben])).toEqual(before);
    },
  );

  it.each(ENDS_THE_CALLER)('ends nobody else with %s', async (route) => {
    const stranger = await app.registerUser({ password: 'another password' });
    const before = await worldOf([stage.ann, stage.ben]);
    expect((await call(route, stranger.token)).status).toBe(200);
    expect(await worldOf([stage.ann, stage.ben])).toEqual(before);
  });
});

describe.each(events)('the event %s', (event) => {
  it.each([
    ['without a token', () => undefined, 'UNAUTHENTICATED'],
    ['with a token nobody gave', () => `${stage.ann.token}x`, 'TOKEN_INVALID'],
    ['with an expired token', () => stage.expired, 'TOKEN_EXPIRED'],
    ['with a revoked token', () => stage.revoked, 'SESSION_REVOKED'],
  ])('does nothing for who connects %s', async (_name, token, code) => {
    const before = await worldOf([stage.ann, stage.ben]);
    const said = await sendWithoutConnecting(token(), event, EVENTS[event](stage).payload);
    expect(said).toContain(`"code":"${code}"`);
    expect(said).not.toContain('"status":"success"');
    expect(await worldOf([stage.ann, stage.ben])).toEqual(before);
  });

  it('gives a stranger nothing', async () => {
    const before = await worldOf([stage.ann, stage.ben]);
    const [own, anns, bens] = await Promise.all(
      [stage.eve, stage.ann, stage.ben].map((person) => app.connect(person)),
    );
    const { payload, stranger } = EVENTS[event](stage);
    const ack = await own!.emit(event, payload);
    if (stranger === 'own') {
      expect(ack.status).toBe('success');
      const text = JSON.stringify(ack);
      expect(
        secrets().filter((secret) => text.includes(secret) && !JSON.stringify(payload).includes(secret)),
      ).toEqual([]);
    } else {
      expect(ack).toMatchObject({ status: 'error', code: stranger });
    }
    for (const socket of [own, anns, bens]) {
      await socket!.barrier();
      const came = socket!.received.map((one) => one.event).filter((name) => name !== 'presence');
      expect(came).toEqual(socket === own && event === 'register-device' ? ['devices-updated'] : []);
      socket!.disconnect();
    }
    expect(await worldOf([stage.ann, stage.ben])).toEqual(before);
  });

  it('is answered to who may', async () => {
    const socket = await app.connect(stage.ann);
    expect(await socket.emit(event, EVENTS[event](stage).payload)).toMatchObject({ status: 'success' });
    socket.disconnect();
  });

  it('reaches nobody once the session is revoked', async () => {
    const login = await app.http().post('/api/auth/login', { email: stage.ann.email, password: PASSWORD });
    const token = login.data.token as string;
    const socket: TestSocket = await app.connect({ token });
    await app.http(token).post('/api/auth/logout');
    await socket.closed;
    const before = await worldOf([stage.ben]);
    const said = await sendWithoutConnecting(token, event, EVENTS[event](stage).payload);
    expect(said).toContain('"code":"SESSION_REVOKED"');
    expect(await worldOf([stage.ben])).toEqual(before);
  });
});

describe('who may', () => {
  it.each(routes)('can call %s', async (route) => {
    const { by = stage.ann, status = 200 } = ROUTES[route]!(stage);
    expect((await call(route, by.token)).status).toBe(status);
  });
});

/**
 * Speaks Engine.IO by hand (long polling, protocol 4), because a client library sends nothing before it is let in:
 * asks to connect, and sends the event whatever the answer. Returns all that the server said.
 */
async function sendWithoutConnecting(
  token: string | undefined,
  event: string,
  payload: unknown,
): Promise<string> {
  const poll = async (query: string, body?: string): Promise<string> => {
    const path = `/socket.io/?EIO=4&transport=polling${query}`;
    const init =
      body === undefined
        ? { method: 'GET', path }
        : { method: 'POST', path, body, headers: { 'Content-Type': 'text/plain' } };
    return (await exchange(app.url, undefined, init)).bytes.toString();
  };
  const opened = await poll('');
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  const said: string[] = [];
  await poll(`&sid=${sid}`, `40${JSON.stringify(token === undefined ? {} : { token })}`);
  said.push(await poll(`&sid=${sid}`));
  await poll(`&sid=${sid}`, `420${JSON.stringify([event, payload])}`);
  said.push(await poll(`&sid=${sid}`));
  return said.join('\n');
}
