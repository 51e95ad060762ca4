import type { ConversationBody } from '../../src/whatsapp/conversations/conversations.dto.js';
import { ConversationsService } from '../../src/whatsapp/conversations/conversations.service.js';
import { TenantsService } from '../../src/whatsapp/tenants/tenants.service.js';
import type { MessageBody } from '../../src/chats/message.dto.js';
import { SECRETS, useApp } from '../support/app.js';
import type { TestHttp } from '../support/http.js';
import { makePrivateChat } from '../support/people.js';
import { cross, makeTenant, setAgent, tell, type BareTenant } from './support/conversations.js';

const app = useApp();

async function openFor(tenant: BareTenant, waId: string, name: string): Promise<string> {
  const { nest } = app.running;
  const whole = await nest.get(TenantsService, { strict: false }).get(tenant.id);
  return (await nest.get(ConversationsService, { strict: false }).open(whole, { waId, name })).chatId;
}

/** Ann works for a tenant with two customers, the second of whom wrote last. */
async function makeWorld() {
  const ann = await app.registerUser({ name: 'Ann' });
  const tenant = await makeTenant(app, [ann]);
  const kerry = await openFor(tenant, '5511987654321', 'Kerry');
  const lou = await openFor(tenant, '15550002', 'Lou');
  await cross(app, tenant, kerry, { text: 'Where is my parcel?' });
  app.clock.advance(1000);
  const answer = await cross(app, tenant, kerry, { direction: 'OUT', text: 'On its way', marks: 'ALL' });
  app.clock.advance(1000);
  const sentAt = new Date(app.clock.now().getTime() - 5_000);
  await cross(app, tenant, lou, { text: 'Hello parcel', sentAt });
  app.clock.advance(1000);
  return { ann, tenant, kerry, lou, answer, sentAt };
}

async function textsOf(http: TestHttp, path: string): Promise<(string | null)[]> {
  const answer = await http.get<MessageBody[]>(path);
  expect(answer.status).toBe(200);
  return answer.data.map(({ text }) => text);
}

describe('the list of conversations', () => {
  it.each(['/api/conversations', '/api/messages/conversations'])(
    'has one row a customer, the last active first: %s',
    async (path) => {
      const { ann, tenant, kerry, lou, answer, sentAt } = await makeWorld();
      await tell(app, answer, 'delivered');
      const { status, data } = await ann.http.get<ConversationBody[]>(path);
      expect(status).toBe(200);
      expect(data).toEqual([
        {
          waId: '15550002',
          name: 'Lou',
          chatId: lou,
          tenantId: tenant.id,
          lastMessage: expect.objectContaining({ text: 'Hello parcel', seq: 1 }),
          lastMessageAt: sentAt.toISOString(),
          status: 'SENT',
          unreadCount: 1,
        },
        expect.objectContaining({ name: 'Kerry', chatId: kerry, status: 'DELIVERED', unreadCount: 0 }),
      ]);
    },
  );

  it('is paged', async () => {
    const { ann, kerry, lou } = await makeWorld();
    const first = await ann.http.get<ConversationBody[]>('/api/conversations?limit=1');
    expect(first.data.map(({ chatId }) => chatId)).toEqual([lou]);
    const second = await ann.http.get<ConversationBody[]>(
      `/api/conversations?limit=1&cursor=${first.page.nextCursor}`,
    );
    expect(second.data.map(({ chatId }) => chatId)).toEqual([kerry]);
    expect(second.page.nextCursor).toBeNull();
  });

  it('shows a customer without a message', async () => {
    const { ann, tenant } = await makeWorld();
    await openFor(tenant, '15550009', 'Nia');
    const { data } = await ann.http.get<ConversationBody[]>('/api/conversations');
    expect(data.find(({ name }) => name === 'Nia')).toMatchObject({
      lastMessage: null,
      lastMessageAt: null,
      status: null,
      unreadCount: 0,
    });
  });

  it('leaves out what was merged into another', async () => {
    const { ann, kerry, lou } = await makeWorld();
    await app.sql('UPDATE conversation SET merged_into_id = $2 WHERE chat_id = $1', [lou, kerry]);
    const { data } = await ann.http.get<ConversationBody[]>('/api/conversations');
    expect(data.map(({ chatId }) => chatId)).toEqual([kerry]);
  });

  it('does not show an agent what they have cleared', async () => {
    const { ann, lou } = await makeWorld();
    expect((await ann.http.delete(`/api/chats/${lou}`)).status).toBe(200);
    const { data } = await ann.http.get<ConversationBody[]>('/api/conversations');
    expect(data.find(({ chatId }) => chatId === lou)).toMatchObject({ lastMessage: null, unreadCount: 0 });
    expect(await textsOf(ann.http, '/api/messages')).toEqual(['On its way', 'Where is my parcel?']);
  });

  it('is open to the tenant’s own system, and to that of no other', async () => {
    const { tenant, lou, kerry } = await makeWorld();
    const operator = app.http(SECRETS.MASTER_KEY);
    for (const path of [`/api/tenants/${tenant.id}/conversations`, `/tenants/${tenant.id}/conversations`]) {
      const { status, data } = await operator.get<ConversationBody[]>(path);
      expect(status).toBe(200);
      expect(data.map(({ chatId }) => chatId)).toEqual([lou, kerry]);
    }
    const other = await operator.post('/api/tenants/register', {
      name: 'Other',
      phoneNumberId: tenant.id,
      accessToken: 'mock_other',
    });
    const stranger = app.http(other.data.apiKey as string);
    expect((await stranger.get(`/api/tenants/${tenant.id}/conversations`)).status).toBe(404);
    expect((await stranger.get<unknown[]>(`/api/tenants/${other.data.id}/conversations`)).data).toEqual([]);
  });
});

describe('which tenant', () => {
  const ROUTES: [string, (http: TestHttp, query: string) => Promise<{ status: number; body: unknown }>][] = [
    ['GET /api/conversations', (http, query) => http.get(`/api/conversations${query}`)],
    ['GET /api/messages', (http, query) => http.get(`/api/messages${query}`)],
    ['GET /api/messages/:waId', (http, query) => http.get(`/api/messages/15550002${query}`)],
    [
      'POST /api/messages',
      (http, query) => http.post(`/api/messages${query}`, { waId: '15550002', text: 'hello' }),
    ],
  ];

  it.each(ROUTES)('must be said by who works for several: %s', async (_name, call) => {
    const { ann, tenant } = await makeWorld();
    const second = await makeTenant(app, [ann]);
    expect(await call(ann.http, '')).toMatchObject({ status: 409, body: { code: 'SEVERAL_TENANTS' } });
    expect((await call(ann.http, `?tenantId=${tenant.id}`)).status).toBeLessThan(300);
    await setAgent(app, second, ann, false);
    expect((await call(ann.http, '')).status).toBeLessThan(300);
  });

  it.each(ROUTES)('must be one’s own: %s', async (_name, call) => {
    const { ann } = await makeWorld();
    const other = await makeTenant(app, []);
    for (const id of [other.id, 'nonsense']) {
      expect(await call(ann.http, `?tenantId=${id}`)).toMatchObject({
        status: 404,
        body: { code: 'TENANT_NOT_FOUND' },
      });
    }
  });

  it('is none for others, who see nothing', async () => {
    const { tenant } = await makeWorld();
    const dan = await app.registerUser({ name: 'Dan' });
    expect((await dan.http.get<unknown[]>('/api/conversations')).data).toEqual([]);
    expect((await dan.http.get<unknown[]>('/api/messages')).data).toEqual([]);
    expect((await dan.http.get<unknown[]>('/api/messages?query=parcel')).data).toEqual([]);
    expect((await dan.http.get('/api/messages/15550002')).status).toBe(404);
    expect((await dan.http.post('/api/messages', { waId: '15550002', text: 'x' })).status).toBe(404);
    await setAgent(app, tenant, dan, true);
    expect((await dan.http.get<unknown[]>('/api/conversations')).data).toHaveLength(2);
    await setAgent(app, tenant, dan, false);
    expect((await dan.http.get<unknown[]>('/api/conversations')).data).toEqual([]);
  });
});

describe('the messages of a customer', () => {
  it.each(['5511987654321', '551187654321', '%2B55%2011%2098765-4321'])(
    'are found by every form of their number: %s',
    async (number) => {
      const { ann } = await makeWorld();
      expect(await textsOf(ann.http, `/api/messages/${number}`)).toEqual([
        'On its way',
        'Where is my parcel?',
      ]);
    },
  );

  it('are paged like those of a chat', async () => {
    const { ann } = await makeWorld();
    const first = await ann.http.get<MessageBody[]>('/api/messages/5511987654321?limit=1');
    expect(first.data.map(({ text }) => text)).toEqual(['On its way']);
    expect(
      await textsOf(ann.http, `/api/messages/5511987654321?limit=1&cursor=${first.page.nextCursor}`),
    ).toEqual(['Where is my parcel?']);
    expect(await textsOf(ann.http, '/api/messages/5511987654321?afterSeq=1')).toEqual(['On its way']);
  });

  it.each(['15559999', 'kerry', '1', 'US.1234567890'])('are none of one who is unknown: %s', async (who) => {
    const { ann } = await makeWorld();
    expect((await ann.http.get(`/api/messages/${who}`)).body).toMatchObject({
      statusCode: 404,
      code: 'CUSTOMER_NOT_FOUND',
    });
  });
});

describe('the messages of all customers', () => {
  it('come newest first, in pages', async () => {
    const { ann } = await makeWorld();
    expect(await textsOf(ann.http, '/api/messages')).toEqual([
      'Hello parcel',
      'On its way',
      'Where is my parcel?',
    ]);
    const first = await ann.http.get<MessageBody[]>('/api/messages?limit=2');
    expect(await textsOf(ann.http, `/api/messages?limit=2&cursor=${first.page.nextCursor}`)).toEqual([
      'Where is my parcel?',
    ]);
  });

  it('are searched', async () => {
    const { ann, answer } = await makeWorld();
    expect(await textsOf(ann.http, '/api/messages?query=parcel')).toEqual([
      'Hello parcel',
      'Where is my parcel?',
    ]);
    const first = await ann.http.get<MessageBody[]>('/api/messages?query=parcel&limit=1');
    expect(
      await textsOf(ann.http, `/api/messages?query=parcel&limit=1&cursor=${first.page.nextCursor}`),
    ).toEqual(['Where is my parcel?']);
    expect((await ann.http.delete(`/api/chats/messages/${answer.id}`)).status).toBe(200);
    expect(await textsOf(ann.http, '/api/messages?query=way')).toEqual([]);
    expect(await textsOf(ann.http, '/api/messages')).toHaveLength(2);
  });

  it.each(['?limit=0', '?cursor=nonsense', '?query=', '?query=%20', '?what=else'])(
    'are refused for a bad query: %s',
    async (query) => {
      const { ann } = await makeWorld();
      expect((await ann.http.get(`/api/messages${query}`)).status).toBe(400);
    },
  );
});

describe('writing to a customer', () => {
  it.each([
    ['/api/messages', { waId: '5511987654321', text: 'Hi' }],
    [
      '/api/messages',
      { wa_id: '551187654321', messageBody: 'Hi', from: 918329446654, to: { any: 'thing' }, name: 'K' },
    ],
    ['/send-message', { waId: '+55 11 98765-4321', text: 'Hi', from: null }],
  ])('at %s with %j', async (path, body) => {
    const { ann, kerry } = await makeWorld();
    const answer = await ann.http.post<MessageBody>(path, body);
    expect(answer.status).toBe(201);
    expect(answer.data).toMatchObject({ chatId: kerry, seq: 3, text: 'Hi', senderId: ann.id, type: 'TEXT' });
    expect(answer.data.whatsapp).toMatchObject({ direction: 'OUT' });
  });

  it('is done once for each `clientId`', async () => {
    const { ann } = await makeWorld();
    const body = { waId: '5511987654321', text: 'Hi', clientId: 'one' };
    const first = await ann.http.post<MessageBody>('/api/messages', body);
    const again = await ann.http.post<MessageBody>('/api/messages', body);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.data.id).toBe(first.data.id);
  });

  it('begins a conversation where the tenant may', async () => {
    const { ann, tenant } = await makeWorld();
    const answer = await ann.http.post<MessageBody>('/api/messages', {
      waId: '15557777',
      text: 'Welcome',
      name: 'Olga',
    });
    expect(answer.status).toBe(201);
    const { data } = await ann.http.get<ConversationBody[]>('/api/conversations');
    expect(data[0]).toMatchObject({ waId: '15557777', name: 'Olga', tenantId: tenant.id });
  });

  it('leaves no trace where it may not', async () => {
    const { ann, tenant } = await makeWorld();
    await app.sql('UPDATE tenant SET enforce_window = true WHERE id = $1', [tenant.id]);
    const answer = await ann.http.post('/api/messages', { waId: '15557777', text: 'Welcome' });
    expect(answer).toMatchObject({ status: 422, body: { code: 'WINDOW_CLOSED' } });
    expect((await ann.http.get<unknown[]>('/api/conversations')).data).toHaveLength(2);
  });

  it.each([
    [{ text: 'Hi' }, 'waId'],
    [{ waId: 'Kerry', text: 'Hi' }, 'waId'],
    [{ waId: '15550002' }, 'text'],
    [{ waId: '15550002', text: ' ' }, 'text'],
    [{ waId: '15550002', text: 'Hi', more: 1 }, 'more'],
  ])('refuses %j', async (body, field) => {
    const { ann } = await makeWorld();
    const answer = await ann.http.post('/api/messages', body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ details: [expect.objectContaining({ field })] });
  });
});

describe('search', () => {
  it('finds what people and customers wrote in one list', async () => {
    const { ann, kerry } = await makeWorld();
    const chatId = await makePrivateChat(ann, await app.registerUser());
    const own = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'the parcel again' });
    expect(own.status).toBe(201);
    expect(await textsOf(ann.http, '/api/chats/messages/search?query=parcel')).toEqual([
      'the parcel again',
      'Hello parcel',
      'Where is my parcel?',
    ]);
    expect(await textsOf(ann.http, '/api/messages?query=parcel')).toHaveLength(2);
    expect(await textsOf(ann.http, `/api/chats/messages/search?query=parcel&chatId=${kerry}`)).toEqual([
      'Where is my parcel?',
    ]);
  });

  it('goes on over days, and ends with the agent’s work', async () => {
    const { tenant, kerry } = await makeWorld();
    for (let day = 0; day < 5; day++) {
      app.clock.advance(3 * 24 * 3600 * 1000);
      await cross(app, tenant, kerry, { text: `on day ${day}` });
    }
    const agent = await app.registerUser();
    await setAgent(app, tenant, agent, true);
    const texts: (string | null)[] = [];
    for (let path = '/api/messages?query=day&limit=2'; ;) {
      const { data, page } = await agent.http.get<MessageBody[]>(path);
      texts.push(...data.map(({ text }) => text));
      if (page.nextCursor === null) break;
      path = `/api/messages?query=day&limit=2&cursor=${page.nextCursor}`;
    }
    expect(texts).toEqual([4, 3, 2, 1, 0].map((day) => `on day ${day}`));
    expect(await textsOf(agent.http, '/api/messages?query=parcel')).toHaveLength(2);
    await setAgent(app, tenant, agent, false);
    expect(await textsOf(agent.http, '/api/chats/messages/search?query=day')).toEqual([]);
  });

  it('follows a revision', async () => {
    const { ann: agent, lou } = await makeWorld();
    const found = async (word: string): Promise<number> =>
      (await textsOf(agent.http, `/api/messages?query=${word}`)).length;
    expect([await found('hello'), await found('changed')]).toEqual([1, 0]);
    await app.sql(
      `UPDATE message SET text = 'changed', rev = 2, search = search_vector(search_prefix(chat_id, seq), 'changed')
        WHERE chat_id = $1`,
      [lou],
    );
    expect([await found('hello'), await found('changed')]).toEqual([0, 1]);
    const [row] = await app.sql<{ same: boolean }>(
      `WITH old AS (SELECT search FROM message WHERE chat_id = $1),
        new AS (UPDATE message SET search = search WHERE chat_id = $1 RETURNING search)
        SELECT old.search = new.search AS same FROM old, new`,
      [lou],
    );
    expect(row?.same).toBe(true);
  });
});
