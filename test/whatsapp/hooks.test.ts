import { startApp, useApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { DELIVERIES_KEPT_MS, HOOK_SWEEP_MS, LOOK_AGAIN_MS } from '../../src/whatsapp/hooks/hook-wakeups.js';
import { RETRY_DELAYS_MS } from '../../src/whatsapp/hooks/hook-sender.js';
import { registerTenant, type TestTenant } from './support/channel.js';
import { channelOf, cross, makeConversation, tell } from './support/conversations.js';
import { HookReceiver, isOurs, type ReceivedHook } from './support/hook-receiver.js';

const ENV = { HOOKS_ALLOW_PRIVATE: 'true' };
const SECRET = 'a secret of the tenant';
const app = useApp({ env: ENV });
let receiver: HookReceiver;
let tenant: TestTenant;
let chatId: string;

beforeEach(async () => {
  receiver = await new HookReceiver().start();
  tenant = await registerTenant(app);
  chatId = await makeConversation(app, tenant, { name: 'Kerry', waId: '15550001' });
});

afterEach(async () => {
  await app.sql('DELETE FROM tenant_hook');
  await app.sql('DELETE FROM hook_delivery');
  await receiver.close();
});

function path(rest = ''): string {
  return `/api/tenants/${tenant.id}/webhooks${rest}`;
}

async function setHook(events?: string[]): Promise<void> {
  const answer = await tenant.http.put(path(), {
    url: receiver.url,
    secret: SECRET,
    ...(events && { events }),
  });
  expect(answer.status).toBe(200);
}

/** Moves time until so many deliveries have been made of what happened. */
async function fed(count: number, of: TestApp = app, tenantId = tenant.id): Promise<void> {
  await eventually(
    async () => {
      of.clock.advance(LOOK_AGAIN_MS);
      return (await app.sql('SELECT 1 FROM hook_delivery WHERE tenant_id = $1', [tenantId])).length;
    },
    (made) => made >= count,
  );
}

interface Delivery {
  id: string;
  event: string;
  state: string;
  attempts: number;
  nextAttemptAt: string | null;
  lastStatus: number | null;
  lastError: string | null;
  deliveredAt: string | null;
}

async function deliveries(accept: (list: Delivery[]) => boolean = () => true): Promise<Delivery[]> {
  return eventually(
    async () => (await tenant.http.get<Delivery[]>(path('/deliveries?limit=100'))).data,
    accept,
  );
}

function allIn(state: string): (list: Delivery[]) => boolean {
  return (list) => list.length > 0 && list.every((delivery) => delivery.state === state);
}

function eventsOf(received: readonly ReceivedHook[]): string[] {
  return received
    .map(({ body }) => `${body.event} ${(body.data as { status?: string }).status ?? ''}`.trim())
    .sort();
}

describe('a webhook', () => {
  it('is set, shown without its secret, changed and removed', async () => {
    expect((await tenant.http.get(path())).code).toBe('WEBHOOK_NOT_FOUND');
    const made = await tenant.http.put(path(), {
      url: receiver.url,
      secret: SECRET,
      events: ['message.status'],
    });
    expect(made.data).toMatchObject({ url: receiver.url, events: ['message.status'] });
    app.clock.advance(1);
    const changed = await tenant.http.put(path(), { url: `${receiver.url}/2` });
    expect(changed.data).toMatchObject({
      url: `${receiver.url}/2`,
      events: ['message.received', 'message.outgoing', 'message.status'],
      createdAt: (made.data as { createdAt: string }).createdAt,
    });
    const seen = await tenant.http.get(path());
    expect(seen.data).toEqual(changed.data);
    const stored = JSON.stringify(await app.sql('SELECT * FROM tenant_hook'));
    for (const text of [stored, seen.bytes.toString(), app.logs.join()]) expect(text).not.toContain(SECRET);
    expect((await tenant.http.delete(path())).status).toBe(200);
    expect((await tenant.http.get(path())).code).toBe('WEBHOOK_NOT_FOUND');
    expect((await tenant.http.delete(path())).code).toBe('WEBHOOK_NOT_FOUND');
  });

  it.each([
    ['url', { url: 'not an address' }],
    ['url', { url: 'ftp://example.com/' }],
    ['url', { url: 'https://user:password@example.com/' }],
    ['url', { url: `https://example.com/${'a'.repeat(2_000)}` }],
    ['url', { url: 5 }],
    ['secret', { secret: 'short' }],
    ['secret', { secret: null }],
    ['secret', { secret: undefined }],
    ['events', { events: [] }],
    ['events', { events: ['message.read'] }],
    ['events', { events: ['message.status', 'message.status'] }],
    ['events', { events: 'message.status' }],
    ['colour', { colour: 'red' }],
  ])('refuses another %s: case %#', async (field, change) => {
    const body = { url: 'https://93.184.216.34/', secret: SECRET, ...change };
    const { status, body: answer } = await tenant.http.put(path(), body);
    expect(status).toBe(400);
    expect((answer as { details: unknown }).details).toMatchObject([{ field }]);
  });

  it('goes with its tenant', async () => {
    await setHook();
    await cross(app, tenant, chatId);
    await fed(1);
    await receiver.until(1);
    await tenant.http.delete(`/api/tenants/${tenant.id}`);
    expect(await app.sql('SELECT 1 FROM tenant_hook')).toEqual([]);
    expect(await app.sql('SELECT 1 FROM hook_delivery')).toEqual([]);
  });
});

describe('what happens', () => {
  it('is told with everything that is to be known, signed with the time', async () => {
    await setHook();
    const message = await cross(app, tenant, chatId, { text: 'Is it open? 🌷' });
    await fed(1);
    const [hook] = (await receiver.until(1)) as [ReceivedHook];
    expect(hook.body).toMatchObject({
      event: 'message.received',
      tenantId: tenant.id,
      data: {
        message: {
          id: message.id,
          chatId,
          seq: 1,
          type: 'TEXT',
          text: 'Is it open? 🌷',
          mediaId: null,
          senderId: null,
          createdAt: message.createdAt,
          whatsapp: {
            waMessageId: message.whatsapp?.waMessageId,
            direction: 'IN',
            from: '15550001',
            sentAt: message.whatsapp?.sentAt,
            payload: { type: 'text', text: { body: 'Is it open? 🌷' } },
          },
        },
        customer: { waId: '15550001', phone: '+15550001', name: 'Kerry' },
      },
    });
    expect(hook.headers).toMatchObject({
      'content-type': 'application/json',
      'x-parley-event': 'message.received',
      'x-parley-delivery': hook.body.id,
    });
    const now = app.clock.nowMs();
    expect(isOurs(hook, SECRET, now)).toBe(true);
    expect(isOurs(hook, 'another secret', now)).toBe(false);
    expect(isOurs({ ...hook, text: `${hook.text} ` }, SECRET, now)).toBe(false);
    expect(isOurs(hook, SECRET, now + 3600_000)).toBe(false);
    const [delivery] = await deliveries(allIn('DELIVERED'));
    expect(delivery).toMatchObject({ id: hook.body.id, attempts: 1, lastStatus: 204, lastError: null });
  });

  it('is every status that a message has had, each once, with its time and its error', async () => {
    await setHook();
    const sent = await cross(app, tenant, chatId, { direction: 'OUT', wamid: 'wamid.out', status: 'QUEUED' });
    const failed = await cross(app, tenant, chatId, {
      direction: 'OUT',
      wamid: 'wamid.bad',
      status: 'QUEUED',
    });
    await fed(2);
    await tell(app, sent, 'sent');
    await tell(app, sent, 'delivered');
    await tell(app, failed, 'failed');
    const readAt = app.clock.now();
    await tell(app, sent, 'read');
    await tell(app, sent, 'delivered');
    await fed(6);
    const received = await receiver.until(6);
    expect(eventsOf(received)).toEqual([
      'message.outgoing',
      'message.outgoing',
      'message.status DELIVERED',
      'message.status FAILED',
      'message.status READ',
      'message.status SENT',
    ]);
    const statusOf = (status: string): unknown =>
      received.find(({ body }) => (body.data as { status?: string }).status === status)?.body.data;
    expect(statusOf('READ')).toMatchObject({
      messageId: sent.id,
      chatId,
      waMessageId: 'wamid.out',
      at: readAt.toISOString(),
      error: null,
      customer: { waId: '15550001' },
    });
    expect(statusOf('FAILED')).toMatchObject({ messageId: failed.id, error: { code: '131026' } });
  });

  it('is told as far as it is wanted, from the moment on when it is', async () => {
    await cross(app, tenant, chatId, { text: 'before' });
    app.clock.advance(1);
    await setHook(['message.received']);
    await cross(app, tenant, chatId, { direction: 'OUT', status: 'SENT', text: 'not wanted' });
    await cross(app, tenant, chatId, { isHistory: true, text: 'of last year' });
    await cross(app, tenant, chatId, { text: 'after' });
    await fed(1);
    const received = await receiver.until(1);
    expect(received.map(({ body }) => (body.data as { message: { text: string } }).message.text)).toEqual([
      'after',
    ]);
    expect(await deliveries()).toHaveLength(1);
  });

  it('is nobody else’s business', async () => {
    const other = await registerTenant(app);
    const others = await new HookReceiver().start();
    try {
      const hook = { url: others.url, secret: 'secret of another' };
      expect((await other.http.put(`/api/tenants/${other.id}/webhooks`, hook)).status).toBe(200);
      await setHook();
      const otherChat = await makeConversation(app, other);
      await cross(app, tenant, chatId, { text: 'mine' });
      await cross(app, other, otherChat, { text: 'theirs' });
      await fed(1);
      await fed(1, app, other.id);
      expect((await receiver.until(1)).map(({ body }) => body.tenantId)).toEqual([tenant.id]);
      expect((await others.until(1)).map(({ body }) => body.tenantId)).toEqual([other.id]);
      const theirs = (await other.http.get<Delivery[]>(`/api/tenants/${other.id}/webhooks/deliveries`)).data;
      const replay = await tenant.http.post(path(`/deliveries/${theirs[0]?.id ?? ''}/replay`));
      expect(replay.code).toBe('DELIVERY_NOT_FOUND');
    } finally {
      await others.close();
    }
  });

  it('is all told once, however much it is', async () => {
    await setHook();
    await Promise.all(
      Array.from({ length: 600 }, (_, index) => cross(app, tenant, chatId, { text: String(index) })),
    );
    await fed(600);
    const received = await receiver.until(600);
    expect(
      new Set(received.map(({ body }) => (body.data as { message: { id: string } }).message.id)).size,
    ).toBe(600);
    expect(received).toHaveLength(600);
  });

  it('is not passed over when a slower transaction commits after a faster one', async () => {
    await setHook();
    const message = await cross(app, tenant, chatId, {
      direction: 'OUT',
      status: 'SENT',
      wamid: 'wamid.slow',
    });
    await fed(1);
    const slow = await startSlow(message.seq);
    try {
      await cross(app, tenant, chatId, { text: 'faster' });
      for (let look = 0; look < 5; look++) {
        app.clock.advance(LOOK_AGAIN_MS);
        await app.sql('SELECT 1');
      }
    } finally {
      await slow.commit();
    }
    await fed(3);
    expect(eventsOf(await receiver.until(3))).toEqual([
      'message.outgoing',
      'message.received',
      'message.status DELIVERED',
    ]);
  });

  /** A transaction that has told a status and takes its time to commit. */
  async function startSlow(seq: number): Promise<{ commit: () => Promise<void> }> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    await client.query('BEGIN');
    await client.query(
      `UPDATE whatsapp_message SET delivered_at = now(), changed_tx = pg_current_xact_id() WHERE chat_id = $1 AND seq = $2`,
      [chatId, seq],
    );
    return {
      commit: async () => {
        await client.query('COMMIT');
        await client.end();
      },
    };
  }

  it('is told by another process when the one that knew of it is gone', async () => {
    await setHook();
    const second = await startApp({ shareDatabaseWith: app, env: ENV });
    const message = await channelOf(second).write({
      chatId,
      tenantId: tenant.id,
      phoneNumberId: tenant.phoneNumberId,
      senderId: null,
      type: 'TEXT',
      text: 'the last words',
      status: 'SENT',
      direction: 'IN',
      wamid: 'wamid.last',
      from: '15550001',
      to: null,
      sentAt: null,
      payload: {},
    });
    expect(message.outcome).toBe('CREATED');
    await second.close();
    app.clock.advance(HOOK_SWEEP_MS);
    await fed(1);
    expect(await receiver.until(1)).toHaveLength(1);
  });
});

describe('a system that does not answer well', () => {
  it('is told again, later and later, and given up at last; replayed, it is told as if nothing had been', async () => {
    await setHook();
    receiver.answerStatus(500);
    await cross(app, tenant, chatId);
    await fed(1);
    let attempts = 1;
    for (const delayMs of RETRY_DELAYS_MS) {
      const [delivery] = await deliveries(
        (list) => list[0]?.attempts === attempts && list[0].lastStatus === 500,
      );
      expect(delivery).toMatchObject({ state: 'PENDING', lastError: 'answered 500' });
      const waitMs = Date.parse(delivery?.nextAttemptAt ?? '') - app.clock.nowMs();
      expect(waitMs).toBeLessThanOrEqual(delayMs);
      expect(waitMs).toBeGreaterThan(0);
      expect(receiver.received).toHaveLength(attempts);
      await app.sql('UPDATE hook_delivery SET last_status = NULL');
      app.clock.advance(waitMs);
      attempts++;
      await receiver.until(attempts);
    }
    const [given] = await deliveries(allIn('FAILED'));
    expect(given).toMatchObject({ attempts: 8, nextAttemptAt: null, lastStatus: 500, deliveredAt: null });

    receiver.answerStatus(200);
    const replay = await tenant.http.post(path(`/deliveries/${given?.id ?? ''}/replay`));
    expect(replay.status).toBe(202);
    expect(replay.data).toMatchObject({ id: given?.id, state: 'PENDING', attempts: 0 });
    const [delivered] = await deliveries(allIn('DELIVERED'));
    expect(delivered).toMatchObject({ id: given?.id, attempts: 1, lastStatus: 200, lastError: null });
    const first = receiver.received[0];
    const last = receiver.received.at(-1);
    expect(last?.body).toEqual(first?.body);
    expect(last?.headers['x-parley-signature']).not.toBe(first?.headers['x-parley-signature']);
    expect(last && isOurs(last, SECRET, app.clock.nowMs())).toBe(true);

    await tenant.http.post(path(`/deliveries/${given?.id ?? ''}/replay`));
    expect(await receiver.until(10)).toHaveLength(10);
    expect((await tenant.http.post(path('/deliveries/none/replay'))).code).toBe('DELIVERY_NOT_FOUND');
  });

  it('leads nowhere else', async () => {
    const elsewhere = await new HookReceiver().start();
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        receiver.answerStatus(status, { Location: elsewhere.url });
        await setHook();
        await cross(app, tenant, chatId);
        await fed(1);
        await deliveries((list) => list[0]?.lastStatus === status && list[0].state === 'PENDING');
        await tenant.http.delete(path());
      }
      expect(elsewhere.connections).toBe(0);
    } finally {
      await elsewhere.close();
    }
  });

  it('holds up nobody else', async () => {
    const other = await registerTenant(app);
    const others = await new HookReceiver().start();
    try {
      receiver.answer = () => undefined;
      await setHook();
      await other.http.put(`/api/tenants/${other.id}/webhooks`, { url: others.url, secret: SECRET });
      const otherChat = await makeConversation(app, other);
      await Promise.all(Array.from({ length: 40 }, () => cross(app, tenant, chatId)));
      await fed(40);
      await cross(app, other, otherChat);
      await fed(1, app, other.id);
      expect(await others.until(1)).toHaveLength(1);
      expect(receiver.received.length).toBeLessThanOrEqual(2);
    } finally {
      await others.close();
    }
  });

  it('is shown in pages and by state, and forgotten after a week', async () => {
    await setHook();
    for (const text of ['1', '2', '3']) {
      await cross(app, tenant, chatId, { text });
      await fed(Number(text));
    }
    const all = await deliveries((list) => list.length === 3 && allIn('DELIVERED')(list));
    const first = await tenant.http.get<Delivery[]>(path('/deliveries?limit=2&state=DELIVERED'));
    const cursor = first.page.nextCursor ?? '';
    const second = await tenant.http.get<Delivery[]>(
      path(`/deliveries?limit=2&state=DELIVERED&cursor=${cursor}`),
    );
    expect([...first.data, ...second.data]).toEqual(all);
    expect((await tenant.http.get(path('/deliveries?state=FAILED'))).data).toEqual([]);
    expect((await tenant.http.get(path(`/deliveries?cursor=${cursor}`))).code).toBe('INVALID_CURSOR');
    expect((await tenant.http.get(path('/deliveries?state=LOST'))).status).toBe(400);
    await app.sql('UPDATE hook_delivery SET created_at = $1', [
      new Date(app.clock.nowMs() - DELIVERIES_KEPT_MS),
    ]);
    app.clock.advance(HOOK_SWEEP_MS);
    await deliveries((list) => list.length === 0);
  });
});
