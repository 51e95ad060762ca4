import { CLIENT_EVENTS, type ClientEventName } from '../../src/realtime/client-events.js';
import { useApp, type TestPerson } from '../support/app.js';
import { exchange } from '../support/http.js';
import { openApiOf } from '../support/openapi-check.js';
import { makePrivateChat } from '../support/people.js';
import { PNG } from '../support/pictures.js';
import type { TestSocket } from '../support/socket.js';
import { inbound } from '../whatsapp/support/bodies.js';
import { hire, registerTenant, takeIn } from '../whatsapp/support/channel.js';
import {
  DEVICES,
  ENDS_THE_CALLER,
  EVENTS,
  PASSWORD,
  PUBLIC,
  ROUTES,
  TEXT,
  type Stage,
} from './routes-of-people.js';
import { routesOfTenants } from './routes-of-tenants.js';

/**
 * The authorisation matrix: every route of the OpenAPI document and every client event, called without a token, with
 * an expired one, with a revoked one, by a stranger to the resource, and, so that the others prove something, by
 * somebody who may. A route or an event that has no row here fails the test.
 */
const app = useApp();

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
  const tenant = await registerTenant(app);
  await hire(app, tenant, ann);
  const [waId, timestamp] = ['4915111111111', String(Math.floor(app.clock.nowMs() / 1000))];
  await takeIn(app, inbound(tenant, waId, { timestamp, text: { body: TEXT } }));
  const conversations = (await ann.http.get('/api/conversations')).data as { chatId: string }[];
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
    waId,
    conversationId: conversations[0]!.chatId,
    mediaId: /\/api\/media\/([^?]+)/.exec(profile.profilePic)![1]!,
  };
});

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
    '/api/conversations',
    '/api/messages',
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
  const { ann, ben, chatId, groupId, contactId, pending, sessionId, mediaId, waId, conversationId } = stage;
  const ids = [chatId, groupId, contactId, ...pending, sessionId, mediaId, waId, conversationId];
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
    expect([...routes, ...Object.keys(PUBLIC), ...routesOfTenants()].sort()).toEqual(documented.sort());
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
