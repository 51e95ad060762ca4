import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { envelope, messagesBody } from '../fakes/graph-webhooks.js';
import { useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { Answer } from '../support/http.js';
import { customerMessage, inbound } from './support/bodies.js';
import { APP_SECRET, deliver, operator, registerTenant, takeIn, type TestTenant } from './support/channel.js';

const app = useApp({ env: { APP_SECRET } });

interface Letter {
  id: string;
  tenantId: string | null;
  phoneNumberId: string | null;
  field: string | null;
  path: string;
  reason: string;
  detail: string | null;
  item: { value?: unknown };
  resolvedAt: string | null;
}

async function lettersOf(tenant: TestTenant): Promise<Letter[]> {
  const answer = await tenant.http.get<Letter[]>(`/api/tenants/${tenant.id}/dead-letters`);
  expect(answer.status).toBe(200);
  return answer.data;
}

async function allLetters(): Promise<Letter[]> {
  return (await operator(app).get<Letter[]>('/api/dead-letters?limit=100')).data;
}

/** How often a text is there as a message. */
async function countOf(text: string): Promise<number> {
  const [row] = await app.sql<{ n: number }>('SELECT count(*)::int AS n FROM message WHERE text = $1', [
    text,
  ]);
  return row?.n ?? 0;
}

function saying(tenant: TestTenant, text: string): Record<string, unknown> {
  return inbound(tenant, '919937320320', { type: 'text', text: { body: text } });
}

/** From now on messages with this text fail in the database. Returns what ends it. */
async function breakMessages(text: string): Promise<() => Promise<void>> {
  const name = `break_${randomUUID().replaceAll('-', '')}`;
  await app.sql(`CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'broken by a test'; END $$`);
  await app.sql(
    `CREATE TRIGGER ${name} BEFORE INSERT ON message FOR EACH ROW WHEN (NEW.text = '${text}') EXECUTE FUNCTION ${name}()`,
  );
  return async () => {
    await app.sql(`DROP TRIGGER ${name} ON message`);
  };
}

describe('what cannot be applied', () => {
  it('is kept as it came, and costs its neighbours nothing', async () => {
    const tenant = await registerTenant(app);
    const messages = [
      customerMessage('919937320320', { type: 'text', text: { body: 'before' } }),
      'not a message',
      customerMessage('919937320320', { type: 'text', text: { body: 'after' } }),
    ];
    await takeIn(app, messagesBody(tenant, messages as never, null));
    expect([await countOf('before'), await countOf('after')]).toEqual([1, 1]);
    expect(await lettersOf(tenant)).toEqual([
      expect.objectContaining({
        tenantId: tenant.id,
        phoneNumberId: tenant.phoneNumberId,
        field: 'messages',
        path: 'entry[0].changes[0].value.messages[1]',
        reason: 'BAD_ITEM',
        item: { value: 'not a message' },
        resolvedAt: null,
      }),
    ]);
  });

  it('is kept once, however often the event is done', async () => {
    const tenant = await registerTenant(app);
    await takeIn(app, messagesBody(tenant, [17] as never, null));
    await app.sql('UPDATE webhook_event SET processed_at = NULL, claimed_until = NULL');
    app.clock.advance(10_000);
    await eventually(
      () => app.sql('SELECT 1 FROM webhook_event WHERE processed_at IS NULL'),
      (open) => open.length === 0,
    );
    expect(await lettersOf(tenant)).toHaveLength(1);
  });

  it.each([
    ['a field that nobody knows', 'a_field_of_tomorrow', { anything: ['at', { all: 'é\u0000' }] }],
    ['U+0000 and a lone surrogate', 'another_of_tomorrow', { text: 'a\u0000b\ud800c' }],
  ])('may hold %s', async (_what, field, value) => {
    await takeIn(app, envelope('1', field, value));
    expect(await allLetters()).toContainEqual(expect.objectContaining({ field, reason: 'UNKNOWN_FIELD' }));
  });

  it('is listed newest first, in pages', async () => {
    const tenant = await registerTenant(app);
    for (let index = 0; index < 5; index++) {
      await takeIn(app, messagesBody(tenant, [index] as never, null));
      app.clock.advance(10);
    }
    const items: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: Answer<Letter[]> = await tenant.http.get<Letter[]>(
        `/api/tenants/${tenant.id}/dead-letters?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`,
      );
      items.push(...page.data.map(({ item }) => item.value));
      cursor = page.page.nextCursor;
    } while (cursor !== null);
    expect(items).toEqual([4, 3, 2, 1, 0]);
  });

  it('is nobody else’s', async () => {
    const [mine, other] = [await registerTenant(app), await registerTenant(app)];
    await takeIn(app, messagesBody(mine, ['mine'] as never, null));
    const [letter] = await lettersOf(mine);
    expect(await lettersOf(other)).toEqual([]);
    expect(await other.http.get(`/api/tenants/${mine.id}/dead-letters`)).toMatchObject({ status: 404 });
    const path = (tenant: TestTenant): string => `/api/tenants/${tenant.id}/dead-letters/${letter?.id}/retry`;
    expect(await other.http.post(path(other))).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect(await other.http.post(path(mine))).toMatchObject({ status: 404 });
    expect(await mine.http.get('/api/dead-letters')).toMatchObject({ status: 403 });
    expect(await mine.http.post(`/api/dead-letters/${letter?.id}/retry`)).toMatchObject({ status: 403 });
    expect(await app.http().get('/api/dead-letters')).toMatchObject({ status: 401 });
  });
});

describe('trying once more', () => {
  it('applies what has been mended', async () => {
    const tenant = await registerTenant(app);
    const text = 'mended';
    const mend = await breakMessages(text);
    await takeIn(app, saying(tenant, text));
    const [letter] = await lettersOf(tenant);
    expect(letter).toMatchObject({ reason: 'FAILED' });
    const retry = `/api/tenants/${tenant.id}/dead-letters/${letter?.id}/retry`;

    const failing = await tenant.http.post<Letter>(retry);
    expect(failing).toMatchObject({
      status: 200,
      data: { id: letter?.id, reason: 'FAILED', resolvedAt: null },
    });
    expect(await countOf(text)).toBe(0);

    await mend();
    const done = await tenant.http.post<Letter>(retry);
    expect(done).toMatchObject({ status: 200, data: { id: letter?.id, resolvedAt: expect.any(String) } });
    expect(await countOf(text)).toBe(1);
    expect(await lettersOf(tenant)).toEqual([]);
    expect(await tenant.http.post(retry)).toMatchObject({ status: 422, code: 'NOT_RETRYABLE' });
  });

  it('leaves what makes no sense where it is', async () => {
    const tenant = await registerTenant(app);
    await takeIn(app, messagesBody(tenant, [null] as never, null));
    const [letter] = await lettersOf(tenant);
    const again = await operator(app).post<Letter>(`/api/dead-letters/${letter?.id}/retry`);
    expect(again).toMatchObject({ status: 200, data: { reason: 'BAD_ITEM', resolvedAt: null } });
    expect(await lettersOf(tenant)).toHaveLength(1);
  });

  it.each(['x', '00000000-0000-0000-0000-000000000000'])('finds nothing under %s', async (id) => {
    expect(await operator(app).post(`/api/dead-letters/${id}/retry`)).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
  });
});

describe('a number that nobody has registered', () => {
  it('has its messages once somebody registers it', async () => {
    const number = { phoneNumberId: '700000000000001', wabaId: '1', displayPhoneNumber: '15550001111' };
    const texts = ['the first to nobody', 'the second to nobody'];
    for (const text of texts) {
      await deliver(app, inbound(number, '919937320320', { type: 'text', text: { body: text } }));
    }
    const waiting = await eventually(
      async () => (await allLetters()).filter(({ phoneNumberId }) => phoneNumberId === number.phoneNumberId),
      (letters) => letters.length === 2,
    );
    expect(waiting[0]).toMatchObject({ reason: 'UNKNOWN_NUMBER', tenantId: null });

    const tenant = await registerTenant(app, number);
    await eventually(
      async () => [await countOf(texts[0] ?? ''), await countOf(texts[1] ?? '')],
      ([first, second]) => first === 1 && second === 1,
    );
    await eventually(
      () => lettersOf(tenant),
      (letters) => letters.length === 0,
    );
  });
});
