import { randomUUID } from 'node:crypto';
import { CLIENT_EVENTS, type ClientEventName } from '../../src/realtime/client-events.js';
import { envelope, statusesBody } from '../fakes/graph-webhooks.js';
import { EVENTS, ROUTES, type Stage } from '../frame/routes-of-people.js';
import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { Answer } from '../support/http.js';
import { PNG } from '../support/pictures.js';
import type { TestSocket } from '../support/socket.js';
import { customerMessage, inbound, newWamid } from './support/bodies.js';
import { APP_SECRET, hire, operator, registerTenant, takeIn, type TestTenant } from './support/channel.js';
import { messagesOf } from './support/state.js';

/**
 * Two tenants with the same customer, and what the agents of one get of the other: every route and event of people
 * that can name something of a tenant's, every list, and everything that happens meanwhile. The routes of tenants
 * themselves are in `tenant-authorisation.test.ts`.
 */
const app = useApp({ env: { APP_SECRET } });

const CUSTOMER = '4915111111111';
const SECRET = 'meant for the agents of one shop';
const THEIRS = 'meant for the other shop';

let ours: TestTenant;
let theirs: TestTenant;
let stage: Stage;
let wamid: string;

beforeAll(async () => {
  const [ann, ben, eve, newcomer] = await Promise.all([1, 2, 3, 4].map(() => app.registerUser()));
  if (!ann || !ben || !eve || !newcomer) throw new Error('nobody');
  ours = await registerTenant(app, { name: 'Our shop' });
  theirs = await registerTenant(app, { name: 'Their shop' });
  await hire(app, ours, ann);
  await hire(app, ours, ben);
  await hire(app, theirs, eve);
  wamid = newWamid();
  const timestamp = String(Math.floor(app.clock.nowMs() / 1000));
  await takeIn(app, inbound(ours, CUSTOMER, { id: wamid, timestamp, text: { body: SECRET } }));
  await takeIn(app, inbound(theirs, CUSTOMER, { timestamp, text: { body: THEIRS } }));
  const [row] = (await ann.http.get('/api/conversations')).data as { chatId: string }[];
  const chatId = row!.chatId;
  const sent = await ann.http.post(`/api/chats/${chatId}/messages`, { text: SECRET });
  expect(sent.status).toBe(201);
  stage = {
    ann,
    ben,
    eve,
    newcomer,
    expired: '',
    revoked: '',
    chatId,
    conversationId: chatId,
    groupId: chatId,
    messageId: `${chatId}.1`,
    contactId: randomUUID(),
    pending: [randomUUID(), randomUUID()],
    sessionId: randomUUID(),
    mediaId: await mediumOf(ann, chatId),
    waId: CUSTOMER,
  };
});

/** A picture that an agent has sent to the customer. */
async function mediumOf(agent: TestPerson, chatId: string): Promise<string> {
  const medium = await agent.http.multipart('POST', '/api/media', {}, [
    { name: 'file', fileName: 'a.png', content: PNG, type: 'image/png' },
  ]);
  const mediaId = medium.data.id as string;
  const sent = await agent.http.post(`/api/chats/${chatId}/messages`, { type: 'IMAGE', mediaId });
  expect(sent.status).toBe(201);
  return mediaId;
}

function secrets(): string[] {
  return [ours.id, ours.name, stage.ann.id, stage.ben.id, stage.chatId, stage.mediaId, SECRET];
}

function leaks(text: string, besides: unknown = null): string[] {
  const given = JSON.stringify(besides);
  return secrets().filter((secret) => text.includes(secret) && !given.includes(secret));
}

function call(person: TestPerson, route: string): Promise<Answer> {
  const [method = ''] = route.split(' ');
  const { path, body } = ROUTES[route]!(stage);
  const headers = { 'Content-Type': 'application/json' };
  return person.http.raw({
    method,
    path,
    ...(body !== undefined && { headers, body: JSON.stringify(body) }),
  });
}

/** What an agent of ours sees, but for who is online. */
async function ourWorld(): Promise<string> {
  const { ann, chatId } = stage;
  const read = (path: string): Promise<unknown> => ann.http.get(path).then(({ data }) => data as unknown);
  const views = ['/api/chats', '/api/conversations', '/api/messages', `/api/chats/${chatId}/members`];
  const passing = ['online', 'lastSeenAt'];
  return JSON.stringify(
    [await Promise.all(views.map(read)), await messagesOf(ann, chatId)],
    (name, value: unknown) => (passing.includes(name) ? null : value),
  );
}

/** Sends of ours come to their end by themselves; only then does the world stand still. */
const quiet = (): Promise<string> => eventually(ourWorld, (text) => !text.includes('"QUEUED"'));

/** Of the routes of people, those that name something of a tenant's. */
const NAMES = { chatId: 'a-chat', messageId: 'a-message', mediaId: 'a-medium', conversationId: 'a-chat' };
const NOBODY = { id: 'nobody' } as TestPerson;
const MARKED = {
  ...NAMES,
  groupId: 'a-chat',
  waId: 'a-customer',
  pending: ['x', 'x'],
  ann: NOBODY,
  ben: NOBODY,
  eve: NOBODY,
  newcomer: NOBODY,
} as unknown as Stage;
const rows = Object.entries(ROUTES).map(([route, make]) => ({ route, row: make(MARKED) }));
const naming = rows
  .filter(({ row }) => /a-(chat|message|medium)/.test(JSON.stringify([row.path, row.body])))
  .map(({ route }) => route);
const listing = rows
  .filter(({ route, row }) => row.stranger === 'own' && route.startsWith('GET '))
  .map(({ route }) => route);

describe('an agent of another tenant', () => {
  it.each(naming)('does not find what is ours by %s', async (route) => {
    const before = await quiet();
    const answer = await call(stage.eve, route);
    expect([403, 404]).toContain(answer.status);
    expect(leaks(answer.bytes.toString(), ROUTES[route]!(stage))).toEqual([]);
    expect(await quiet()).toBe(before);
  });

  it.each([...listing, 'POST /api/sync'])('sees nothing of us in %s', async (route) => {
    const answer = await call(stage.eve, route);
    expect(answer.status).toBeLessThan(300);
    expect(leaks(answer.bytes.toString())).toEqual([]);
  });

  it.each([
    ['GET', () => `/api/conversations?tenantId=${ours.id}`, undefined],
    ['GET', () => `/api/messages?tenantId=${ours.id}`, undefined],
    ['GET', () => `/api/messages?query=agents&tenantId=${ours.id}`, undefined],
    ['GET', () => `/api/messages/${CUSTOMER}?tenantId=${ours.id}`, undefined],
    ['POST', () => `/api/messages?tenantId=${ours.id}`, { waId: CUSTOMER, text: 'hello' }],
  ] as const)('cannot name our tenant: %s %s', async (method, path, body) => {
    const answer =
      method === 'GET' ? await stage.eve.http.get(path()) : await stage.eve.http.post(path(), body);
    expect(answer).toMatchObject({ status: 404, code: 'TENANT_NOT_FOUND' });
  });

  it('reads and answers the common customer in a chat of their own', async () => {
    const page = await stage.eve.http.get(`/api/messages/${CUSTOMER}`);
    expect(page.data.map(({ text }: { text: string }) => text)).toEqual([THEIRS]);
    const sent = await stage.eve.http.post('/api/messages', { waId: CUSTOMER, text: 'of theirs' });
    expect(sent.status).toBe(201);
    expect(sent.data.chatId).not.toBe(stage.chatId);
    const found = await stage.eve.http.get('/api/messages?query=meant');
    expect(found.data.map(({ text }: { text: string }) => text)).toEqual([THEIRS]);
  });

  it('finds nothing of ours with a key of their tenant', async () => {
    const list = await theirs.http.get(`/api/tenants/${theirs.id}/conversations`);
    expect(leaks(list.bytes.toString())).toEqual([]);
  });
});

describe.each(Object.keys(CLIENT_EVENTS) as ClientEventName[])('the event %s', (event) => {
  it('reaches nothing of ours', async () => {
    const { payload } = EVENTS[event](stage);
    if (!JSON.stringify(payload).includes(stage.chatId)) return;
    const before = await quiet();
    const [own, anns] = await Promise.all([app.connect(stage.eve), app.connect(stage.ann)]);
    const ack = await own.emit(event, payload);
    expect(ack).toMatchObject({ status: 'error', code: 'CHAT_NOT_FOUND' });
    await Promise.all([own.barrier(), anns.barrier()]);
    expect([...own.received, ...anns.received].filter((one) => one.event !== 'presence')).toEqual([]);
    own.disconnect();
    anns.disconnect();
    expect(await quiet()).toBe(before);
  });
});

/** Everything that can happen to a tenant, one after the other. */
const HAPPENINGS: Record<string, (anns: TestSocket) => Promise<unknown>> = {
  'a customer writes': () => takeIn(app, inbound(ours, CUSTOMER)),
  'a new customer writes': () => takeIn(app, inbound(ours, '4915133333333')),
  'a customer reacts': () =>
    takeIn(app, inbound(ours, CUSTOMER, { type: 'reaction', reaction: { message_id: wamid, emoji: '👍' } })),
  'a customer edits': () =>
    takeIn(
      app,
      inbound(ours, CUSTOMER, {
        type: 'edit',
        edit: { original_message_id: wamid, message: { type: 'text', text: { body: SECRET } } },
      }),
    ),
  'a status comes': () =>
    takeIn(app, statusesBody(ours, [{ id: wamid, status: 'delivered', timestamp: '1697043223' }])),
  'an agent writes': () => stage.ann.http.post(`/api/chats/${stage.chatId}/messages`, { text: SECRET }),
  'an agent reads': (anns) => anns.emit('mark-read', { chatId: stage.chatId, upToSeq: 1 }),
  'an agent types': (anns) => anns.emit('typing', { chatId: stage.chatId, isTyping: true }),
  'an agent reacts': () =>
    stage.ann.http.post(`/api/chats/messages/${stage.messageId}/reactions`, { emoji: '❤️' }),
  'the tenant writes': () =>
    ours.http.post(`/api/tenants/${ours.id}/send`, { to: `+${CUSTOMER}`, text: SECRET }),
  'the tenant is renamed': () => ours.http.patch(`/api/tenants/${ours.id}`, { name: 'Our shop' }),
  'an agent comes': () => hire(app, ours, stage.newcomer),
  'an agent leaves': () => operator(app).delete(`/api/tenants/${ours.id}/agents/${stage.newcomer.id}`),
  'Meta tells of the account': () =>
    takeIn(app, envelope(ours.wabaId, 'account_update', { event: 'ACCOUNT_OFFBOARDED' })),
};

it.each(Object.keys(HAPPENINGS))('tells the others nothing when %s', async (name) => {
  const [eves, anns] = await Promise.all([app.connect(stage.eve), app.connect(stage.ann)]);
  await eves.ok('app-opened', {});
  await HAPPENINGS[name]!(anns);
  await quiet().catch(() => undefined);
  await Promise.all([eves.barrier(), anns.barrier()]);
  const came = eves.received.filter(({ event }) => !['presence', 'message-status-update'].includes(event));
  expect(came).toEqual([]);
  expect(leaks(JSON.stringify(eves.received))).toEqual([]);
  eves.disconnect();
  anns.disconnect();
});

it('moves no message of ours by a status that came to their number', async () => {
  const before = await ourWorld();
  await takeIn(app, statusesBody(theirs, [{ id: wamid, status: 'read', timestamp: '1697043223' }]));
  expect(await ourWorld()).toBe(before);
});

it('keeps two messages apart that have one wamid and two numbers', async () => {
  const id = newWamid();
  await takeIn(app, inbound(ours, CUSTOMER, customerMessage(CUSTOMER, { id, text: { body: SECRET } })));
  await takeIn(app, inbound(theirs, CUSTOMER, customerMessage(CUSTOMER, { id, text: { body: THEIRS } })));
  const stored = await app.sql<{ tenant_id: string }>(
    'SELECT tenant_id FROM whatsapp_message WHERE wamid = $1 ORDER BY seq',
    [id],
  );
  expect(stored.map((row) => row.tenant_id).sort()).toEqual([ours.id, theirs.id].sort());
});
