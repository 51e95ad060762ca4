import { SECRETS, useApp, type TestApp, type TestPerson } from '../support/app.js';
import type { TestHttp } from '../support/http.js';

const app = useApp();
const TOKEN = 'EAAG-a-token-of-meta';
const NOBODY = '0b0e6b4c-5d8c-4f35-9f1d-0f0c0b0a0908';
let numbers = 0;

function operator(of: TestApp = app): TestHttp {
  return of.http(SECRETS.MASTER_KEY);
}

interface Registered {
  id: string;
  phoneNumberId: string;
  apiKey: string;
  http: TestHttp;
}

async function register(fields: object = {}): Promise<Registered> {
  const phoneNumberId = `10654035224${String(++numbers).padStart(4, '0')}`;
  const answer = await operator().post('/api/tenants/register', {
    name: 'Flower shop',
    phoneNumberId,
    accessToken: TOKEN,
    ...fields,
  });
  expect(answer.status).toBe(201);
  const { id, apiKey } = answer.data as { id: string; apiKey: string };
  return { id, phoneNumberId, apiKey, http: app.http(apiKey) };
}

describe('registering a tenant', () => {
  it('answers it with its key, and never its token', async () => {
    const answer = await operator().post('/api/tenants/register', {
      name: 'Flower shop',
      phoneNumberId: '1',
      accessToken: TOKEN,
      wabaId: '77',
    });
    expect(answer.data).toMatchObject({
      name: 'Flower shop',
      phoneNumberId: '1',
      wabaId: '77',
      status: 'active',
      statusReason: null,
      autoReply: true,
      enforceWindow: true,
      messagesPerSecond: 80,
    });
    const { id, apiKey } = answer.data as { id: string; apiKey: string };
    const seen = await app.http(apiKey).get(`/api/tenants/${id}`);
    expect(seen.status).toBe(200);
    expect(seen.data).not.toHaveProperty('apiKey');
    const everything = [answer, seen, await operator().get('/api/tenants')]
      .map(({ bytes }) => bytes.toString())
      .join();
    expect(everything).not.toContain(TOKEN);
  });

  it('stores neither the token nor the key in the clear, and writes them into no log', async () => {
    const { id, apiKey } = await register();
    const rows = await app.sql('SELECT t::text AS row FROM tenant t WHERE id = $1', [id]);
    expect(rows).toHaveLength(1);
    for (const text of [JSON.stringify(rows), app.logs.join()]) {
      expect(text).not.toContain(TOKEN);
      expect(text).not.toContain(apiKey);
    }
  });

  it('connects a number once, also for two who ask at once', async () => {
    const body = { name: 'A', phoneNumberId: '2', accessToken: TOKEN };
    const answers = await Promise.all([1, 2, 3].map(() => operator().post('/api/tenants/register', body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.code).toBe('PHONE_NUMBER_TAKEN');
  });

  it('takes a token that starts with mock_ for a number without a window, unless it is wanted', async () => {
    const mock = await register({ accessToken: 'mock_1' });
    expect((await mock.http.get(`/api/tenants/${mock.id}`)).data.enforceWindow).toBe(false);
    const strict = await register({ accessToken: 'mock_2', enforceWindow: true });
    expect((await strict.http.get(`/api/tenants/${strict.id}`)).data.enforceWindow).toBe(true);
  });

  it.each([
    ['name', ' '],
    ['name', 'n'.repeat(101)],
    ['phoneNumberId', '+1 555'],
    ['phoneNumberId', 12],
    ['accessToken', ''],
    ['accessToken', 'two words'],
    ['wabaId', '../x'],
    ['autoReply', null],
    ['enforceWindow', 'yes'],
    ['messagesPerSecond', 0],
    ['messagesPerSecond', 1001],
    ['colour', 'red'],
  ])('refuses %s %j', async (field, value) => {
    const body = { name: 'A', phoneNumberId: '3', accessToken: TOKEN, [field]: value };
    const { status, body: answer } = await operator().post('/api/tenants/register', body);
    expect(status).toBe(400);
    expect((answer as { details: unknown }).details).toMatchObject([{ field }]);
  });
});

describe('who may call', () => {
  let one: Registered;
  let other: Registered;
  let person: TestPerson;
  beforeAll(async () => {
    one = await register();
    other = await register();
    person = await app.registerUser();
  });

  it.each([
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/api-key'],
    ['POST', '/agents'],
    ['GET', '/agents'],
    ['DELETE', `/agents/${NOBODY}`],
    ['PUT', '/webhooks'],
    ['GET', '/webhooks'],
    ['DELETE', '/webhooks'],
    ['GET', '/webhooks/deliveries'],
    ['POST', `/webhooks/deliveries/${NOBODY}/replay`],
  ])('%s …%s is closed to strangers and to other tenants, under both names', async (method, path) => {
    for (const place of [`/api/tenants/${one.id}${path}`, `/tenants/${one.id}${path}`]) {
      const call = async (token?: string): Promise<string> => {
        const answer = await app.http(token).raw({ method, path: place });
        return `${answer.status} ${answer.code ?? ''}`;
      };
      expect(await call()).toBe('401 UNAUTHENTICATED');
      expect(await call(person.token)).toBe('401 TOKEN_INVALID');
      expect(await call(`${one.apiKey}x`)).toBe('401 TOKEN_INVALID');
      expect(await call(`${SECRETS.MASTER_KEY}x`)).toBe('401 TOKEN_INVALID');
      expect(await call(other.apiKey)).toBe('404 TENANT_NOT_FOUND');
    }
    expect((await one.http.get(`/api/tenants/${one.id}`)).status).toBe(200);
  });

  it('answers the operator and the tenant, under both names', async () => {
    for (const http of [operator(), one.http]) {
      for (const path of ['/api/tenants', '/tenants']) {
        expect((await http.get(`${path}/${one.id}`)).data.id).toBe(one.id);
      }
    }
  });

  it('lists and registers for the operator alone', async () => {
    const body = { name: 'A', phoneNumberId: '4', accessToken: TOKEN };
    for (const path of ['/api/tenants', '/tenants']) {
      expect((await one.http.get(path)).code).toBe('FORBIDDEN');
      expect((await one.http.post(`${path}/register`, body)).code).toBe('FORBIDDEN');
      expect((await app.http(person.token).get(path)).code).toBe('TOKEN_INVALID');
      expect((await app.http().post(`${path}/register`, body)).code).toBe('UNAUTHENTICATED');
      expect((await operator().get(path)).status).toBe(200);
    }
  });

  it('knows no tenant but those there are', async () => {
    for (const id of [NOBODY, 'no-id', '%00']) {
      expect((await operator().get(`/api/tenants/${id}`)).code).toBe('TENANT_NOT_FOUND');
    }
  });
});

describe('changing a tenant', () => {
  it('changes what is given and nothing else', async () => {
    const { id, http } = await register({ wabaId: '5' });
    const changes = { name: 'Café 🌷', autoReply: false, enforceWindow: false, messagesPerSecond: 250 };
    const answer = await http.patch(`/api/tenants/${id}`, changes);
    expect(answer.data).toMatchObject({ ...changes, wabaId: '5', status: 'active' });
    const back = await http.patch(`/api/tenants/${id}`, { enforceWindow: null });
    expect(back.data).toMatchObject({ ...changes, enforceWindow: true });
    expect((await http.get(`/api/tenants/${id}`)).data).toEqual(back.data);
  });

  it.each([
    { name: null },
    { name: '' },
    { accessToken: null },
    { autoReply: null },
    { messagesPerSecond: null },
  ])('refuses %j', async (changes) => {
    const { id, http } = await register();
    expect((await http.patch(`/api/tenants/${id}`, changes)).status).toBe(400);
  });

  it('lets only the operator say whose messages it gets', async () => {
    const one = await register({ wabaId: '6' });
    const two = await register();
    for (const changes of [{ phoneNumberId: '999' }, { wabaId: '7' }, { wabaId: null }]) {
      expect((await one.http.patch(`/api/tenants/${one.id}`, changes)).code).toBe('FORBIDDEN');
      const answer = await operator().patch(`/api/tenants/${one.id}`, changes);
      expect(answer.data).toMatchObject(changes);
    }
    const taken = await operator().patch(`/api/tenants/${one.id}`, { phoneNumberId: two.phoneNumberId });
    expect(taken.code).toBe('PHONE_NUMBER_TAKEN');
  });

  it('makes it active again with a new token', async () => {
    const { id, http } = await register();
    await app.sql(`UPDATE tenant SET status = 'disconnected', status_reason = 'expired' WHERE id = $1`, [id]);
    expect((await http.get(`/api/tenants/${id}`)).data).toMatchObject({
      status: 'disconnected',
      statusReason: 'expired',
    });
    const renamed = await http.patch(`/api/tenants/${id}`, { name: 'Still without' });
    expect(renamed.data.status).toBe('disconnected');
    const answer = await http.patch(`/api/tenants/${id}`, { accessToken: 'mock_new' });
    expect(answer.data).toMatchObject({ status: 'active', statusReason: null, enforceWindow: false });
  });

  it('gives it a new key, and refuses the old one from then on', async () => {
    const { id, http, apiKey } = await register();
    const answer = await http.post(`/api/tenants/${id}/api-key`);
    const renewed = (answer.data as { apiKey: string }).apiKey;
    expect(renewed).not.toBe(apiKey);
    expect((await http.get(`/api/tenants/${id}`)).code).toBe('TOKEN_INVALID');
    expect((await app.http(renewed).get(`/api/tenants/${id}`)).status).toBe(200);
  });
});

describe('disconnecting a tenant', () => {
  it('erases its secrets, frees the number and closes its key', async () => {
    const { id, http, phoneNumberId } = await register();
    expect((await http.delete(`/api/tenants/${id}`)).status).toBe(200);
    expect((await http.get(`/api/tenants/${id}`)).code).toBe('TOKEN_INVALID');
    expect((await operator().get(`/api/tenants/${id}`)).code).toBe('TENANT_NOT_FOUND');
    expect((await operator().delete(`/api/tenants/${id}`)).code).toBe('TENANT_NOT_FOUND');
    expect(await app.sql('SELECT access_token, api_key_hash FROM tenant WHERE id = $1', [id])).toEqual([
      { access_token: null, api_key_hash: null },
    ]);
    const again = await register({ phoneNumberId });
    expect(again.id).not.toBe(id);
  });
});

describe('the list of tenants', () => {
  it('goes from the newest to the oldest, a page at a time, without those that are gone', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index++) made.unshift((await register()).id);
    const gone = await register();
    await gone.http.delete(`/api/tenants/${gone.id}`);
    const listed: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = await operator().get<{ id: string }[]>(`/api/tenants?limit=2${query}`);
      listed.push(...page.data.map(({ id }) => id));
      cursor = page.page.nextCursor;
    } while (cursor !== null);
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed.filter((id) => made.includes(id))).toHaveLength(5);
    expect(listed).not.toContain(gone.id);
    expect((await operator().get('/api/tenants?cursor=x.y')).code).toBe('INVALID_CURSOR');
  });
});
