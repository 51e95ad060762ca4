import { CLIENT_EVENTS, type ClientEventName } from '../../src/realtime/client-events.js';
import { SECRETS, useApp, type TestPerson } from '../support/app.js';
import type { TestHttp } from '../support/http.js';
import { openApiOf, type Operation, type Schema } from '../support/openapi-check.js';
import { makePrivateChat } from '../support/people.js';
import { hire, registerTenant } from '../whatsapp/support/channel.js';

/**
 * Every route of the OpenAPI document and every client event, with hostile values in the place of each path
 * parameter, each query parameter and each field, one at a time: whatever comes is refused with a 4xx and its code or
 * is harmless, nothing is logged as a fault, and what was refused has changed nothing.
 */
const app = useApp({ env: { LOG_LEVEL: 'info' } });

const LONG = 'x'.repeat(4_097);
const deep = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);

const HOSTILE_VALUES: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['an empty text', ''],
  ['white space', ' \t\n\u200b'],
  ['4,097 characters', LONG],
  ['100,000 characters', 'y'.repeat(100_000)],
  ['U+0000', 'a\u0000b'],
  ['a lone surrogate', 'a\ud800'],
  ['a sentence', 'this is 👍 not one emoji'],
  ['a number', 1],
  ['a huge number', 1e308],
  ['a negative number', -1],
  ['a fraction', 1.5],
  ['2^31', 2_147_483_648],
  ['true', true],
  ['a list', []],
  ['a list of lists', [[[]]]],
  ['a list of 100,000', Array.from({ length: 20_000 }, () => 'a')],
  ['an object', {}],
  ['an object that shadows Object', JSON.parse('{"__proto__":{"admin":true},"constructor":1,"toString":2}')],
  ['an object 60 deep', deep(60)],
  ['SQL', "'; DROP TABLE message; --"],
  ['a query of tsquery', "a & (b | !c):* <-> 'd"],
  ['a pattern', '%_\\%(.*)+$'],
  ['a path', '../../../../etc/passwd'],
  ['right to left', '\u202egnp.exe'],
];

const HOSTILE_IDS = [
  'x',
  '..%2f..%2f',
  '%00',
  '%ED%A0%80',
  '0',
  '-1',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  '00000000-0000-0000-0000-000000000000',
  '00000000-0000-0000-0000-000000000000.1',
  '00000000-0000-0000-0000-000000000000.99999999999',
  'z'.repeat(5_000),
  "';--",
];

let ann: TestPerson;
let ben: TestPerson;
let eve: TestPerson;
/** Ids of things that exist: the caller's own, and of people the caller has nothing to do with. */
let known: Record<'own' | 'foreign', Record<string, string>>;

beforeAll(async () => {
  [ann, ben, eve] = (await Promise.all([1, 2, 3].map(() => app.registerUser()))) as [
    TestPerson,
    TestPerson,
    TestPerson,
  ];
  const other = await app.registerUser();
  const own = await makePrivateChat(ann, ben);
  const foreign = await makePrivateChat(eve, other);
  await ann.http.post(`/api/chats/${own}/messages`, { text: 'ours' });
  await eve.http.post(`/api/chats/${foreign}/messages`, { text: 'theirs' });
  const [ours, theirs] = await Promise.all([registerTenant(app), registerTenant(app)]);
  await hire(app, ours, ann);
  await hire(app, theirs, eve);
  const idsOf = (chatId: string, userId: string, tenantId: string): Record<string, string> => ({
    chatId,
    userId,
    tenantId,
    messageId: `${chatId}.1`,
    id: chatId,
    contactId: chatId,
    deviceId: 'phone',
    waId: '4915111111111',
    key: 'a.template',
  });
  known = { own: idsOf(own, ben.id, ours.id), foreign: idsOf(foreign, other.id, theirs.id) };
});

/** How many rows each table has, and which transaction changed one last. */
async function worldOf(): Promise<unknown> {
  const people = ['app_user', 'chat', 'member', 'message', 'contact', 'block', 'media', 'device', 'reaction'];
  const channel = ['tenant', 'tenant_agent', 'customer', 'conversation', 'whatsapp_message', 'webhook_event'];
  const tables = [...people, ...channel];
  const counts = tables.map((table) => `SELECT '${table}' AS name, count(*)::int AS rows FROM ${table}`);
  const revised = 'SELECT max(changed_tx::text::bigint)::text AS tx FROM message';
  return [await app.sql(counts.join(' UNION ALL ')), await app.sql(revised)];
}

function faultsSince(start: number): string[] {
  return app.logs.slice(start).filter((line) => (JSON.parse(line) as { level: unknown }).level === 50);
}

interface Route {
  method: string;
  template: string;
  operation: Operation;
}

async function routesOf(): Promise<Route[]> {
  const { paths } = await openApiOf(app.url);
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      template,
      operation,
    })),
  );
}

/** These end the caller's session, account or tenant, however they are called. */
const ENDS_THE_CALLER = ['POST /api/auth/logout', 'DELETE /api/tenants/{tenantId}'];

/** The same as under `/api/tenants`. */
const isAlias = (template: string): boolean => template.startsWith('/tenants');

/** Who may call a route with anything at all. */
function callerOf(template: string): TestHttp {
  const isOfTenants = template.startsWith('/api/tenants') || template.startsWith('/api/dead-letters');
  return isOfTenants ? app.http(SECRETS.MASTER_KEY) : ann.http;
}

function pathOf(template: string, ids: Record<string, string>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? ids.id ?? 'x');
}

async function resolve(schema: Schema | undefined): Promise<Schema> {
  if (schema?.$ref === undefined) return schema ?? {};
  const { components } = await openApiOf(app.url);
  return components.schemas[schema.$ref.replace('#/components/schemas/', '')] ?? {};
}

/** One request for every hostile value in every place of a route, the rest of it plausible. */
async function* hostileRequests({ method, template, operation }: Route) {
  const body = await resolve(operation.requestBody?.content['application/json']?.schema);
  const fields = Object.keys(body.properties ?? {});
  const plausible = Object.fromEntries(
    (Array.isArray(body.required) ? (body.required as string[]) : []).map((name) => [name, 'plausible']),
  );
  const send = (path: string, json?: unknown) => ({
    method,
    path,
    ...(json !== undefined && {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(json),
    }),
  });
  const own = pathOf(template, known.own);
  for (const match of template.matchAll(/\{(\w+)\}/g)) {
    for (const id of HOSTILE_IDS) yield send(pathOf(template, { ...known.own, [match[1] ?? '']: id }));
  }
  yield send(pathOf(template, known.foreign), fields.length > 0 ? plausible : undefined);
  for (const { name } of (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')) {
    for (const [, value] of HOSTILE_VALUES) {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (text.length > 8_000 || !text.isWellFormed()) continue;
      yield send(`${own}?${name}=${encodeURIComponent(text)}`);
    }
    yield send(`${own}?${name}=a&${name}=b`);
    yield send(`${own}?${name}[a]=b`);
    yield send(`${own}?${name}=%ED%A0%80`);
  }
  for (const field of fields) {
    for (const [, value] of HOSTILE_VALUES) yield send(own, { ...plausible, [field]: value });
  }
  if (fields.length > 0) yield send(own, JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":{}}}'));
}

describe('every route', () => {
  it('refuses what is hostile with a 4xx, or is harmless', async () => {
    const problems: string[] = [];
    for (const route of await routesOf()) {
      const name = `${route.method} ${route.template}`;
      if (ENDS_THE_CALLER.includes(name) || isAlias(route.template)) continue;
      for await (const request of hostileRequests(route)) {
        const before = await worldOf();
        const start = app.logs.length;
        const answer = await callerOf(route.template).raw(request, { undocumented: true });
        const call = `${name} ${request.path.slice(0, 120)} ${request.body?.slice(0, 120) ?? ''}`;
        const isRefused = answer.status >= 400;
        if (answer.status >= 500) problems.push(`${answer.status} for ${call}`);
        if (isRefused && route.template.startsWith('/api/') && answer.body.code === undefined) {
          problems.push(`no code for ${call}`);
        }
        if (faultsSince(start).length > 0) problems.push(`a fault in the log for ${call}`);
        if (isRefused && JSON.stringify(await worldOf()) !== JSON.stringify(before)) {
          problems.push(`something changed by ${call}`);
        }
      }
    }
    expect(problems).toEqual([]);
  }, 450_000);
});

describe.each(Object.keys(CLIENT_EVENTS) as ClientEventName[])('the event %s', (event) => {
  it('refuses what is hostile, and keeps its socket', async () => {
    const start = app.logs.length;
    const socket = await app.connect(ann);
    const { chatId = '' } = known.foreign;
    const plausible = {
      chatId: known.own.chatId,
      upToSeq: 1,
      userIds: [],
      text: 'a',
      deviceId: 'd',
      deviceName: 'n',
    };
    for (const [, value] of HOSTILE_VALUES) {
      for (const payload of [
        value,
        ...Object.keys(plausible).map((field) => ({ ...plausible, [field]: value })),
      ]) {
        const ack = await socket.emit(event, payload);
        if (ack.status === 'error') expect(ack.code).not.toBe('INTERNAL');
      }
    }
    expect(await socket.emit(event, { ...plausible, chatId })).not.toMatchObject({ code: 'INTERNAL' });
    expect(socket.connected).toBe(true);
    expect(faultsSince(start)).toEqual([]);
    socket.disconnect();
  });
});
