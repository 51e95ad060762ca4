import { setImmediate } from 'node:timers/promises';
import pg from 'pg';
import { AgentsJoined, AgentsLeft } from '../../src/chats/chats.events.js';
import type { PgSignals } from '../../src/infra/events/pg-signals.js';
import { EventBus } from '../../src/infra/events/event-bus.js';
import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { registerTenant, type TestTenant } from './support/channel.js';

const app = useApp();
const events: (AgentsJoined | AgentsLeft)[] = [];
const signals: PgSignals['chat-access-changed'][] = [];
let listener: pg.Client;
let tenant: TestTenant;
let ann: TestPerson;
let ben: TestPerson;

beforeAll(async () => {
  const bus = app.running.nest.get(EventBus);
  for (const event of [AgentsJoined, AgentsLeft]) bus.on(event, (published) => void events.push(published));
  listener = new pg.Client({ connectionString: app.databaseUrl });
  listener.on('notification', ({ payload }) => {
    const { name, payload: signal } = JSON.parse(payload ?? '') as { name: string; payload: never };
    if (name === 'chat-access-changed') signals.push(signal);
  });
  await listener.connect();
  await listener.query('LISTEN parley');
  [ann, ben] = await Promise.all([app.registerUser({ name: 'Ann' }), app.registerUser({ name: 'Ben' })]);
});

afterAll(() => listener.end());

beforeEach(async () => {
  tenant = await registerTenant(app);
  events.length = 0;
  signals.length = 0;
});

function path(rest = ''): string {
  return `/api/tenants/${tenant.id}/agents${rest}`;
}

async function add(person: TestPerson, role?: string): Promise<number> {
  return (await tenant.http.post(path(), { userId: person.id, ...(role && { role }) })).status;
}

async function agentsSeq(): Promise<unknown> {
  return (await app.sql('SELECT agents_seq FROM tenant WHERE id = $1', [tenant.id]))[0]?.agents_seq;
}

/** What was signalled on commit, in its order. */
async function signalled(count: number): Promise<typeof signals> {
  await eventually(
    () => setImmediate(signals.length),
    (seen) => seen >= count,
  );
  return signals;
}

describe('agents', () => {
  it('come with a role, are listed in the order of their coming, and go', async () => {
    const answer = await tenant.http.post(path(), { userId: ann.id, role: 'ADMIN' });
    expect(answer.status).toBe(201);
    expect(answer.data).toMatchObject({ user: { id: ann.id, name: 'Ann' }, role: 'ADMIN' });
    app.clock.advance(1);
    expect(await add(ben)).toBe(201);
    const first = await tenant.http.get(path('?limit=1'));
    expect(first.data).toMatchObject([{ user: { id: ann.id } }]);
    const second = await tenant.http.get(path(`?limit=1&cursor=${first.page.nextCursor ?? ''}`));
    expect(second.data).toMatchObject([{ user: { id: ben.id }, role: 'MEMBER' }]);
    expect(second.page.nextCursor).toBeNull();
    expect((await tenant.http.delete(path(`/${ann.id}`))).status).toBe(200);
    expect((await tenant.http.get(path())).data).toMatchObject([{ user: { id: ben.id } }]);
    expect((await tenant.http.delete(path(`/${ann.id}`))).code).toBe('MEMBER_NOT_FOUND');
  });

  it('are told to everybody who keeps what they may see, with the seq of the change', async () => {
    await add(ann);
    await add(ben);
    await tenant.http.delete(path(`/${ann.id}`));
    await add(ann);
    expect(await agentsSeq()).toBe(4);
    const expected = [
      { userIds: [ann.id], change: 'joined', seq: 1 },
      { userIds: [ben.id], change: 'joined', seq: 2 },
      { userIds: [ann.id], change: 'left', seq: 3 },
      { userIds: [ann.id], change: 'joined', seq: 4 },
    ];
    expect(await signalled(4)).toEqual(expected.map((signal) => ({ chatId: tenant.id, ...signal })));
    expect(events).toEqual([
      new AgentsJoined(tenant.id, [ann.id], 1),
      new AgentsJoined(tenant.id, [ben.id], 2),
      new AgentsLeft(tenant.id, [ann.id], 3),
      new AgentsJoined(tenant.id, [ann.id], 4),
    ]);
  });

  it('may be added again, which changes their role alone', async () => {
    await add(ann);
    expect(await add(ann)).toBe(200);
    const answer = await tenant.http.post(path(), { userId: ann.id, role: 'OWNER' });
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({ role: 'OWNER' });
    expect(await add(ann)).toBe(200);
    expect((await tenant.http.get(path())).data).toMatchObject([{ role: 'OWNER' }]);
    expect(await agentsSeq()).toBe(1);
    expect(events).toHaveLength(1);
  });

  it('come once, however many ask at once', async () => {
    const statuses = await Promise.all([add(ann), add(ann), add(ben), add(ann)]);
    expect(statuses.filter((status) => status === 201)).toHaveLength(2);
    expect(await agentsSeq()).toBe(2);
    expect((await tenant.http.get(path())).data).toHaveLength(2);
  });

  it('must be somebody, with a role there is', async () => {
    for (const userId of ['0b0e6b4c-5d8c-4f35-9f1d-0f0c0b0a0908', 'nobody', '']) {
      expect((await tenant.http.post(path(), { userId })).code).toBe('USER_NOT_FOUND');
    }
    for (const body of [
      {},
      { userId: 5 },
      { userId: ann.id, role: 'BOSS' },
      { userId: ann.id, role: null },
    ]) {
      expect((await tenant.http.post(path(), body)).code).toBe('VALIDATION_FAILED');
    }
    expect((await tenant.http.delete(path('/nobody'))).code).toBe('MEMBER_NOT_FOUND');
    expect(await agentsSeq()).toBe(0);
  });

  it('are as many as they are, whoever else works for another tenant', async () => {
    const other = await registerTenant(app);
    await other.http.post(`/api/tenants/${other.id}/agents`, { userId: ben.id });
    expect((await tenant.http.delete(path(`/${ben.id}`))).code).toBe('MEMBER_NOT_FOUND');
    expect((await tenant.http.get(path())).data).toEqual([]);
    expect((await other.http.get(`/api/tenants/${other.id}/agents`)).data).toHaveLength(1);
  });

  it('go with the tenant', async () => {
    await add(ann);
    await add(ben);
    await tenant.http.delete(`/api/tenants/${tenant.id}`);
    const last = (await signalled(3)).at(-1);
    expect(last).toMatchObject({ chatId: tenant.id, change: 'left', seq: 3 });
    expect(last?.userIds.sort()).toEqual([ann.id, ben.id].sort());
    expect(events.at(-1)).toBeInstanceOf(AgentsLeft);
    const present = 'SELECT 1 FROM tenant_agent WHERE tenant_id = $1 AND left_at IS NULL';
    expect(await app.sql(present, [tenant.id])).toEqual([]);
  });

  it('go with their account, without a trace', async () => {
    const cid = await app.registerUser({ name: 'Cid' });
    const other = await registerTenant(app);
    await add(cid);
    await tenant.http.delete(path(`/${cid.id}`));
    await other.http.post(`/api/tenants/${other.id}/agents`, { userId: cid.id });
    events.length = 0;
    const answer = await cid.http.delete('/api/auth/delete-profile', { password: cid.password });
    expect(answer.status).toBe(200);
    expect(events).toEqual([new AgentsLeft(other.id, [cid.id], 2)]);
    expect(await app.sql('SELECT 1 FROM tenant_agent WHERE user_id = $1', [cid.id])).toEqual([]);
    expect((await other.http.get(`/api/tenants/${other.id}/agents`)).data).toEqual([]);
  });

  it('are not added after their account is gone, however close the two are', async () => {
    const cid = await app.registerUser({ name: 'Cid' });
    await Promise.all([
      add(cid),
      cid.http.delete('/api/auth/delete-profile', { password: cid.password }),
      add(cid),
    ]);
    expect(await app.sql('SELECT 1 FROM tenant_agent WHERE user_id = $1', [cid.id])).toEqual([]);
  });
});
