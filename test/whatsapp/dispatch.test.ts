import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { CALL_LEASE_MS, SEND_SWEEP_MS } from '../../src/whatsapp/outbound/dispatcher.js';
import { operator } from './support/channel.js';
import {
  CALL_TIMEOUT_MS,
  awaitSettled,
  awaitStored,
  connectTenant,
  makeCustomer,
  newNumber,
  send,
  storedOf,
  useStage,
  writes,
  type Sent,
} from './support/sending.js';

const DAY_MS = 24 * 3_600_000;
const stage = useStage();

function textsTo(waId: string): string[] {
  return stage.graph.sentTo(waId).map(({ body }) => (body as { text: { body: string } }).text.body);
}

async function awaitTexts(waId: string, count: number): Promise<string[]> {
  return eventually(
    async () => {
      await nextTurn();
      return textsTo(waId);
    },
    (texts) => texts.length >= count,
  );
}

describe('the order of one conversation', () => {
  it('is that of acceptance, however many wait', async () => {
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(stage.app, tenant);
    const wanted = Array.from({ length: 20 }, (_, index) => `text ${index}`);
    for (const text of wanted) await send(tenant, waId, { text });
    expect(await awaitTexts(waId, 20)).toEqual(wanted);
  });

  it('holds while the first one waits for its next try, and other customers do not wait', async () => {
    const { app, graph, clock } = stage;
    const tenant = await connectTenant(stage);
    const [waId, other] = [await makeCustomer(app, tenant), await makeCustomer(app, tenant)];
    graph.planFor(waId, { code: 131056 }, { code: 131056 });
    const first = await send(tenant, waId, { text: 'first' });
    await awaitStored(
      app,
      first.messageId,
      ({ attempts, dispatch }) => attempts === 1 && dispatch === 'READY',
    );
    const second = await send(tenant, waId, { text: 'second' });
    await awaitSettled(app, (await send(tenant, other, { text: 'elsewhere' })).messageId);
    expect(await storedOf(app, second.messageId)).toMatchObject({ dispatch: 'READY', attempts: 0 });

    clock.advance(1_000);
    const again = await awaitStored(
      app,
      first.messageId,
      ({ attempts, dispatch }) => attempts === 2 && dispatch === 'READY',
    );
    expect(again.next_attempt_at?.getTime()).toBe(clock.nowMs() + 4_000);
    clock.advance(4_000);
    expect(await awaitTexts(waId, 2)).toEqual(['first', 'second']);
  });

  it('goes on behind one that has failed and one whose outcome is unknown', async () => {
    const { app, graph } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    graph.planFor(waId, { code: 131026 }, 'late-error');
    const failed = await send(tenant, waId, { text: 'failed' });
    const unknown = await send(tenant, waId, { text: 'unknown' });
    const last = await send(tenant, waId, { text: 'last' });
    expect(await awaitSettled(app, last.messageId)).toMatchObject({ status: 'SENT' });
    expect(await storedOf(app, failed.messageId)).toMatchObject({ status: 'FAILED' });
    expect(await storedOf(app, unknown.messageId)).toMatchObject({ status: 'QUEUED', dispatch: 'UNKNOWN' });
    expect(textsTo(waId)).toEqual(['unknown', 'last']);
  });
});

describe('the buckets', () => {
  it('let 45 go to one customer at once, and then one every 6 seconds', async () => {
    const { app, graph, clock } = stage;
    graph.limits = { pair: true };
    const logged = graph.log.length;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    const sent: Sent[] = [];
    for (let index = 0; index < 48; index++) sent.push(await send(tenant, waId, { text: `text ${index}` }));
    await awaitTexts(waId, 45);
    const [next] = sent.slice(45);
    const waiting = await awaitStored(
      app,
      next?.messageId ?? '',
      ({ next_attempt_at: at }) => (at?.getTime() ?? 0) > clock.nowMs(),
    );
    expect(waiting.next_attempt_at?.getTime()).toBe(clock.nowMs() + 6_000);
    expect(textsTo(waId)).toHaveLength(45);
    for (const count of [46, 47, 48]) {
      clock.advance(5_999);
      expect(textsTo(waId)).toHaveLength(count - 1);
      clock.advance(1);
      await awaitTexts(waId, count);
      await eventually(
        () => storedOf(app, sent[count]?.messageId ?? sent[47]?.messageId ?? ''),
        ({ dispatch, next_attempt_at: at }) => dispatch === null || (at?.getTime() ?? 0) > clock.nowMs(),
      );
    }
    expect(graph.log.slice(logged)).not.toContain('send 400');
    graph.limits = {};
  });

  it('let a number send what it may a second, and no more in any second', async () => {
    const { app, graph, clock } = stage;
    graph.limits = { perSecond: 5 };
    const tenant = await connectTenant(stage);
    await app.sql('UPDATE tenant SET messages_per_second = 5 WHERE id = $1', [tenant.id]);
    const customers = await Promise.all(Array.from({ length: 12 }, () => makeCustomer(app, tenant)));
    const before = graph.accepted.length;
    const sent = await Promise.all(customers.map((waId) => send(tenant, waId)));
    const counted = (count: number): Promise<number> =>
      eventually(
        async () => {
          const rows = await app.sql<{ waiting: number }>(
            `SELECT count(*)::int AS waiting FROM whatsapp_message
              WHERE tenant_id = $1 AND dispatch = 'READY' AND next_attempt_at > $2`,
            [tenant.id, clock.now()],
          );
          return graph.accepted.length - before + (rows[0]?.waiting ?? 0) === 12
            ? graph.accepted.length - before
            : -1;
        },
        (accepted) => accepted === count,
      );
    await counted(5);
    clock.advance(999);
    await counted(5);
    clock.advance(1);
    await counted(10);
    clock.advance(1_000);
    await counted(12);
    for (const { messageId } of sent)
      expect(await awaitSettled(app, messageId)).toMatchObject({ attempts: 1 });
    graph.limits = {};
  });
});

describe('the window', () => {
  it('is looked at again when the message is sent', async () => {
    const { app, graph, clock } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    await app.sql("UPDATE tenant SET status = 'disconnected' WHERE id = $1", [tenant.id]);
    const { messageId } = await send(tenant, waId);
    clock.advance(DAY_MS);
    await app.sql("UPDATE tenant SET status = 'active' WHERE id = $1", [tenant.id]);
    clock.advance(SEND_SWEEP_MS);
    const failed = await awaitSettled(app, messageId);
    expect(failed).toMatchObject({ status: 'FAILED', attempts: 0, error: { code: 'WINDOW_CLOSED' } });
    expect(graph.sentTo(waId)).toHaveLength(0);
    const late = await tenant.http.post(`/api/tenants/${tenant.id}/send`, { to: `+${waId}`, text: 'late' });
    expect([late.status, late.body]).toMatchObject([422, { code: 'WINDOW_CLOSED' }]);
  });

  it('is closed to who has never written, who then leaves no trace', async () => {
    const { app } = stage;
    const tenant = await connectTenant(stage);
    const waId = newNumber();
    const answer = await tenant.http.post(`/api/tenants/${tenant.id}/send`, {
      to: `+${waId}`,
      text: 'hello',
    });
    expect([answer.status, answer.body]).toMatchObject([422, { code: 'WINDOW_CLOSED' }]);
    expect(await app.sql('SELECT 1 FROM customer WHERE tenant_id = $1', [tenant.id])).toHaveLength(0);
  });
});

describe('a send whose end nobody knows', () => {
  it.each(['late-hang', 'late-cut', 'late-error', 'garbage', 'empty', 'hang', 'cut', 'error'] as const)(
    'is OUTCOME_UNKNOWN after "%s", and never sent again by itself',
    async (step) => {
      const { app, graph, clock } = stage;
      const tenant = await connectTenant(stage);
      const waId = await makeCustomer(app, tenant);
      graph.planFor(waId, step);
      const { messageId } = await send(tenant, waId);
      if (step.endsWith('hang')) {
        await awaitStored(app, messageId, ({ dispatch }) => dispatch === 'CALLING');
        await eventually(
          () => {
            clock.advance(CALL_TIMEOUT_MS / 4);
            return storedOf(app, messageId);
          },
          ({ dispatch }) => dispatch === 'UNKNOWN',
        );
      }
      const open = await awaitSettled(app, messageId);
      expect(open).toMatchObject({
        status: 'QUEUED',
        dispatch: 'UNKNOWN',
        error: { code: 'OUTCOME_UNKNOWN' },
      });
      clock.advance(CALL_LEASE_MS + SEND_SWEEP_MS);
      await awaitSettled(app, (await send(tenant, waId, { text: 'next' })).messageId);
      expect(textsTo(waId).filter((text) => text === 'hello').length).toBeLessThanOrEqual(1);
      expect(await storedOf(app, messageId)).toMatchObject({ dispatch: 'UNKNOWN', attempts: 1 });
    },
  );

  it('is settled by the status that comes with our own id', async () => {
    const { app, graph } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    graph.planFor(waId, 'late-cut');
    const { messageId } = await send(tenant, waId);
    await awaitSettled(app, messageId);
    const [accepted] = graph.sentTo(waId);
    if (!accepted) throw new Error('nothing was sent');
    const url = `${app.url}/whatsapp/webhook`;
    expect(await graph.tellStatus(url, 'the secret of the app at Meta', accepted, 'delivered')).toMatchObject(
      { status: 200 },
    );
    const settled = await awaitStored(app, messageId, ({ status }) => status === 'DELIVERED');
    expect(settled).toMatchObject({ dispatch: null, wamid: accepted.wamid, error: null });
  });

  it('and one whose sender died is, once its time is up', async () => {
    const { app, graph, clock } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    await app.sql("UPDATE tenant SET status = 'disconnected' WHERE id = $1", [tenant.id]);
    const { messageId } = await send(tenant, waId);
    const [chatId, seq] = messageId.split('.');
    await app.sql(
      `UPDATE whatsapp_message SET dispatch = 'CALLING', claimed_at = $3::timestamptz, attempts = 1,
        next_attempt_at = $3::timestamptz + interval '60 seconds' WHERE chat_id = $1 AND seq = $2`,
      [chatId, seq, clock.now()],
    );
    await app.sql("UPDATE tenant SET status = 'active' WHERE id = $1", [tenant.id]);
    clock.advance(CALL_LEASE_MS - SEND_SWEEP_MS);
    expect(await storedOf(app, messageId)).toMatchObject({ dispatch: 'CALLING' });
    clock.advance(2 * SEND_SWEEP_MS);
    expect(await awaitSettled(app, messageId)).toMatchObject({
      dispatch: 'UNKNOWN',
      error: { code: 'OUTCOME_UNKNOWN' },
    });
    expect(graph.sentTo(waId)).toHaveLength(0);
  });
});

describe('what Meta never heard of', () => {
  it('is tried 5 times, ever more slowly, and then a dead letter that can be sent again', async () => {
    const { app, graph, clock } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    graph.planFor(waId, ...Array.from({ length: 5 }, () => ({ code: 131056 })));
    const { messageId } = await send(tenant, waId);
    for (const [attempt, waitMs] of [
      [1, 1_000],
      [2, 4_000],
      [3, 16_000],
      [4, 64_000],
    ] as const) {
      const waiting = await awaitStored(
        app,
        messageId,
        ({ attempts, dispatch }) => attempts === attempt && dispatch === 'READY',
      );
      expect(waiting.next_attempt_at?.getTime()).toBe(clock.nowMs() + waitMs);
      clock.advance(waitMs);
    }
    expect(await awaitSettled(app, messageId)).toMatchObject({
      status: 'FAILED',
      attempts: 5,
      error: { code: '131056' },
    });
    const failed = await tenant.http.get<{ messageId: string }[]>(
      `/api/tenants/${tenant.id}/messages/failed`,
    );
    expect(failed.data).toMatchObject([
      { messageId, status: 'FAILED', to: waId, type: 'TEXT', text: 'hello', attempts: 5 },
    ]);

    const retried = await tenant.http.post(`/api/tenants/${tenant.id}/messages/${messageId}/retry`);
    expect([retried.status, retried.data]).toMatchObject([202, { messageId, status: 'queued' }]);
    expect(await awaitSettled(app, messageId)).toMatchObject({ status: 'SENT', attempts: 1, error: null });
    const again = await tenant.http.post(`/api/tenants/${tenant.id}/messages/${messageId}/retry`);
    expect([again.status, again.body]).toMatchObject([422, { code: 'NOT_RETRYABLE' }]);
    const none = await tenant.http.get(`/api/tenants/${tenant.id}/messages/failed`);
    expect(none.data).toEqual([]);
  });
});

describe('a tenant whose token has died', () => {
  it('is disconnected, keeps its queue, and goes on with a new token, in order', async () => {
    const { app, graph } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    const next = 'EAAGanotherTokenOfTheSameNumber';
    graph.revokeToken(tenant.phoneNumberId, next);
    const sent = [];
    for (const text of ['one', 'two', 'three']) sent.push(await send(tenant, waId, { text }));
    const state = (): Promise<{ status: string; statusReason?: string | null }> =>
      operator(app)
        .get<{ status: string }>(`/api/tenants/${tenant.id}`)
        .then(({ data }) => data);
    await eventually(state, ({ status }) => status === 'disconnected');
    for (const { messageId } of sent)
      await awaitStored(
        app,
        messageId,
        ({ dispatch, status }) => dispatch === 'READY' && status === 'QUEUED',
      );
    expect(graph.sentTo(waId)).toHaveLength(0);

    const patched = await operator(app).patch(`/api/tenants/${tenant.id}`, { accessToken: next });
    expect(patched.status).toBe(200);
    expect(await awaitTexts(waId, 3)).toEqual(['one', 'two', 'three']);
    for (const { messageId } of sent)
      expect(await awaitSettled(app, messageId)).toMatchObject({ status: 'SENT', attempts: 1 });
    const said = app.logs.join('\n');
    expect(said).toContain('a tenant must connect again');
    expect(said).not.toContain(next);
    expect(said).not.toContain(tenant.number.accessToken);
  });
});

describe('a limit of the number', () => {
  it('brakes all its customers, and no other number', async () => {
    const { app, graph, clock } = stage;
    const [tenant, other] = [await connectTenant(stage), await connectTenant(stage)];
    const [waId, second, third] = [
      await makeCustomer(app, tenant),
      await makeCustomer(app, tenant),
      await makeCustomer(app, other),
    ];
    graph.planFor(waId, { code: 130429, headers: { 'Retry-After': '7' } });
    const first = await send(tenant, waId);
    await awaitStored(
      app,
      first.messageId,
      ({ attempts, dispatch }) => attempts === 1 && dispatch === 'READY',
    );
    const held = await send(tenant, second);
    await awaitSettled(app, (await send(other, third)).messageId);
    clock.advance(6_999);
    expect(await storedOf(app, held.messageId)).toMatchObject({ dispatch: 'READY', attempts: 0 });
    clock.advance(1);
    expect(await awaitSettled(app, held.messageId)).toMatchObject({ status: 'SENT' });
    expect(await awaitSettled(app, first.messageId)).toMatchObject({ status: 'SENT' });
  });
});

describe('what no job knows', () => {
  it('is found by the sweep', async () => {
    const { app, clock } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    await app.sql("UPDATE tenant SET status = 'disconnected' WHERE id = $1", [tenant.id]);
    const { messageId } = await send(tenant, waId);
    await app.sql('DELETE FROM bullmq.job').catch(() => undefined);
    await app.sql("UPDATE tenant SET status = 'active' WHERE id = $1", [tenant.id]);
    clock.advance(SEND_SWEEP_MS);
    expect(await awaitSettled(app, messageId)).toMatchObject({ status: 'SENT' });
  });

  it('of a tenant that was deleted fails', async () => {
    const { app, graph, clock } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    await app.sql("UPDATE tenant SET status = 'disconnected' WHERE id = $1", [tenant.id]);
    const { messageId } = await send(tenant, waId);
    expect((await operator(app).delete(`/api/tenants/${tenant.id}`)).status).toBe(200);
    clock.advance(SEND_SWEEP_MS);
    expect(await awaitSettled(app, messageId)).toMatchObject({
      status: 'FAILED',
      error: { code: 'TENANT_DELETED' },
    });
    expect(graph.sentTo(waId)).toHaveLength(0);
  });
});

describe('the number that Meta knows a customer by', () => {
  it('is learned from its answer, and the number that is written to stays', async () => {
    const { app, graph } = stage;
    const tenant = await connectTenant(stage, { enforceWindow: false });
    const [given, known] = ['5511987654321', '551187654321'];
    graph.waIds.set(given, known);
    const { messageId, chatId } = await send(tenant, given);
    await awaitSettled(app, messageId);
    await eventually(
      () => app.sql('SELECT wa_id FROM customer WHERE tenant_id = $1', [tenant.id]),
      (rows) => rows[0]?.wa_id === known,
    );
    await writes(app, tenant, known);
    const again = await send(tenant, given, { text: 'again' });
    expect(again.chatId).toBe(chatId);
    await awaitSettled(app, again.messageId);
    expect(graph.sentTo(given)).toHaveLength(2);
  });
});

describe('the dead letters', () => {
  it('come in pages, newest first, with those of which nobody knows', async () => {
    const { app, graph, clock } = stage;
    const tenant = await connectTenant(stage);
    const waId = await makeCustomer(app, tenant);
    graph.planFor(waId, { code: 131026 }, 'error', { code: 131026 });
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) {
      clock.advance(1);
      const { messageId } = await send(tenant, waId);
      await awaitSettled(app, messageId);
      ids.unshift(messageId);
    }
    const path = `/api/tenants/${tenant.id}/messages/failed`;
    const first = await tenant.http.get<{ messageId: string; status: string }[]>(`${path}?limit=2`);
    expect(first.data.map(({ messageId, status }) => [messageId, status])).toEqual([
      [ids[0], 'FAILED'],
      [ids[1], 'QUEUED'],
    ]);
    const rest = await tenant.http.get(`${path}?limit=2&cursor=${first.page.nextCursor ?? ''}`);
    expect(rest.data).toMatchObject([{ messageId: ids[2], status: 'FAILED' }]);
    expect(rest.page.nextCursor).toBeNull();
    expect((await tenant.http.get(`${path}?cursor=changed`)).code).toBe('INVALID_CURSOR');
    const retried = await tenant.http.post(`/api/tenants/${tenant.id}/messages/${ids[1] ?? ''}/retry`);
    expect(retried.status).toBe(202);
    expect(await awaitSettled(app, ids[1] ?? '')).toMatchObject({ status: 'SENT', error: null });
  });
});
