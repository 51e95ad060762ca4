import { SECRETS, useApp } from '../support/app.js';
import type { Answer } from '../support/http.js';
import { APP_SECRET } from '../whatsapp/support/channel.js';
import { makeTenantStage, secretsOf } from '../whatsapp/support/stage.js';
import { chatsOf, messagesOf } from '../whatsapp/support/state.js';
import {
  LAST_ROUTES,
  OPERATOR_ROUTES,
  TENANT_ROUTES,
  type TenantRow,
  type TenantStage,
} from './routes-of-tenants.js';

/**
 * The routes of tenants and of the operator, with no key, with one that nobody gave, with the token of the tenant's
 * own agent, with the key of another tenant, and with the right one. `authorisation.test.ts` sees to it that every
 * route has a row.
 */
const app = useApp({ env: { APP_SECRET, HOOKS_ALLOW_PRIVATE: 'true' } });

let ours: TenantStage;
let others: TenantStage;

beforeAll(async () => {
  ours = await makeTenantStage(app, '4915111111111');
  others = await makeTenantStage(app, '4915122222222');
});

function call(route: string, { path, body }: TenantRow, key: string | undefined): Promise<Answer> {
  const [method = ''] = route.split(' ');
  const isJson = body !== undefined;
  return app.http(key).raw({
    method,
    path,
    ...(isJson && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
}

/** All that the tenant and its agent can see. */
async function worldOf(stage: TenantStage): Promise<unknown> {
  const { tenant, agent } = stage;
  const paths = [
    '',
    '/agents',
    '/conversations',
    '/templates',
    '/flows',
    '/dead-letters',
    '/messages/failed',
  ];
  const views = paths.map(
    async (path) => (await tenant.http.get(`/api/tenants/${tenant.id}${path}`)).data as unknown,
  );
  const chats = await chatsOf(agent);
  const messages = chats.map((chat) => messagesOf(agent, chat.id as string));
  const passing = ['online', 'lastSeenAt'];
  return JSON.parse(
    JSON.stringify([await Promise.all(views), chats, await Promise.all(messages)], (name, value: unknown) =>
      passing.includes(name) ? null : value,
    ),
  );
}

/** Mock sends come to their end by themselves; only then does the world stand still. */
async function settledWorldOf(stage: TenantStage): Promise<unknown> {
  for (let last = ''; ;) {
    const world = await worldOf(stage);
    const text = JSON.stringify(world);
    if (text === last && !text.includes('"QUEUED"')) return world;
    last = text;
  }
}

const ALL = { ...OPERATOR_ROUTES, ...TENANT_ROUTES, ...LAST_ROUTES };
const routes = Object.keys(ALL);
const aliasOf = (row: TenantRow): TenantRow => ({
  ...row,
  path: row.path.replace('/api/tenants', '/tenants'),
});

describe.each(routes)('%s', (route) => {
  it.each([
    ['without a key', () => undefined, 'UNAUTHENTICATED'],
    ['with a key nobody gave', () => `${SECRETS.MASTER_KEY}x`, 'TOKEN_INVALID'],
    ["with an agent's token", () => ours.agent.token, 'TOKEN_INVALID'],
  ])('is refused %s', async (_name, key, code) => {
    const row = ALL[route]!(ours);
    for (const one of [row, aliasOf(row)]) {
      const answer = await call(route, one, key());
      expect(answer).toMatchObject({ status: 401, code });
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
  });

  it('gives another tenant nothing, and changes nothing', async () => {
    const before = await settledWorldOf(ours);
    const row = ALL[route]!(ours);
    const refusal =
      route in OPERATOR_ROUTES
        ? { status: 403, code: 'FORBIDDEN' }
        : { status: 404, code: 'TENANT_NOT_FOUND' };
    for (const one of [row, aliasOf(row)]) {
      const answer = await call(route, one, others.tenant.apiKey);
      expect(answer).toMatchObject(refusal);
      expect(secretsOf(ours).filter((secret) => answer.bytes.toString().includes(secret))).toEqual([]);
    }
    expect(await settledWorldOf(ours)).toEqual(before);
  });
});

/** Something to make rows of before there is a stage. */
const NOBODY = { tenant: { id: 'x' }, agent: { id: 'x' }, newcomer: { id: 'x' } } as unknown as TenantStage;
const named = routes.filter((route) => ALL[route]!(NOBODY).isOwn);

it.each(named)('does not find what is ours among what is theirs: %s', async (route) => {
  // Both tenants have a template of this name, which is each one's own.
  const row = ALL[route]!({ ...ours, tenant: others.tenant });
  if (row.path.includes('/templates/')) return;
  const before = await settledWorldOf(ours);
  const answer = await call(route, row, others.tenant.apiKey);
  expect(answer.status).toBe(404);
  expect(await settledWorldOf(ours)).toEqual(before);
});

it.each(Object.keys(TENANT_ROUTES).filter((route) => route.startsWith('GET ')))(
  'shows a tenant nothing of another: %s',
  async (route) => {
    const answer = await call(route, TENANT_ROUTES[route]!(others), others.tenant.apiKey);
    const text = answer.bytes.toString();
    const shared = secretsOf(others);
    expect(secretsOf(ours).filter((secret) => !shared.includes(secret) && text.includes(secret))).toEqual([]);
  },
);

describe('who may', () => {
  it.each(Object.keys(OPERATOR_ROUTES))('as the operator can call %s', async (route) => {
    const row = OPERATOR_ROUTES[route]!(ours);
    expect((await call(route, row, SECRETS.MASTER_KEY)).status).toBe(row.status ?? 200);
  });

  it.each(Object.keys(TENANT_ROUTES))('as the operator can call %s', async (route) => {
    const row = TENANT_ROUTES[route]!(others);
    expect((await call(route, row, SECRETS.MASTER_KEY)).status).toBe(row.status ?? 200);
  });

  it.each(Object.keys({ ...TENANT_ROUTES, ...LAST_ROUTES }))('as the tenant can call %s', async (route) => {
    const row = ALL[route]!(ours);
    const answer = await call(route, aliasOf(row), ours.tenant.apiKey);
    expect(answer.status).toBe(row.status ?? 200);
    if (route.endsWith('/api-key')) ours.tenant.apiKey = answer.data.apiKey as string;
  });
});
