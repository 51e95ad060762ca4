import { SWEEP_MS } from '../../src/whatsapp/bot/bot.service.js';
import { messagesBody } from '../fakes/graph-webhooks.js';
import { startApp, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { customerMessage } from './support/bodies.js';
import { APP_SECRET, registerTenant, takeIn, type TestTenant } from './support/channel.js';

/**
 * What a process leaves that dies between the commit of a customer's message and the answer to it, and what several
 * processes do that find it at once.
 */
const app = useApp({ env: { APP_SECRET } });
let tenant: TestTenant;
let customers = 0;

beforeEach(async () => {
  tenant = await registerTenant(app);
});

const STEPS = ['first', 'second', 'third'];

/** Each message of a customer leads to the next step. */
async function setSteps(): Promise<void> {
  const flows = STEPS.map((text, index) => ({
    id: text,
    match: { state: STEPS[index - 1] ?? null },
    action: { type: 'send_text', text, setState: text },
  }));
  const answer = await tenant.http.post(`/api/tenants/${tenant.id}/flows`, { flows });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
}

/** Customers have written before there were rules, so that nothing was answered. */
async function takeMessages(each: number, of = 1): Promise<void> {
  const timestamp = String(Math.floor(app.clock.nowMs() / 1000));
  const messages = Array.from({ length: of }, () => {
    const from = `1415666${String(++customers).padStart(4, '0')}`;
    return Array.from({ length: each }, () => customerMessage(from, { timestamp }));
  });
  await takeIn(app, messagesBody(tenant, messages.flat()));
  await idle();
}

/** As a process leaves them that died before the bot looked at them. */
async function leaveWaiting(): Promise<void> {
  await app.sql(`UPDATE whatsapp_message SET bot_pending = true WHERE tenant_id = $1 AND direction = 'IN'`, [
    tenant.id,
  ]);
}

async function open(): Promise<{ waiting: number; kept: number }> {
  const [row] = await app.sql<{ waiting: number; kept: number }>(
    `SELECT (SELECT count(*) FROM whatsapp_message WHERE bot_pending)::int AS waiting,
      (SELECT count(*) FROM bot_answer)::int AS kept`,
  );
  return row ?? { waiting: 0, kept: 0 };
}

async function idle(): Promise<void> {
  await eventually(open, ({ waiting, kept }) => waiting === 0 && kept === 0);
}

/** By conversation, what was answered, in order. */
async function answers(): Promise<string[][]> {
  const rows = await app.sql<{ texts: string[] }>(
    `SELECT coalesce(array_agg(m.text ORDER BY m.seq) FILTER (WHERE w.direction = 'OUT'), '{}') AS texts
      FROM message m JOIN whatsapp_message w ON w.chat_id = m.chat_id AND w.seq = m.seq
      WHERE w.tenant_id = $1 GROUP BY m.chat_id ORDER BY m.chat_id`,
    [tenant.id],
  );
  return rows.map(({ texts }) => texts);
}

async function states(): Promise<(string | null)[]> {
  const rows = await app.sql<{ bot_state: string | null }>(
    'SELECT bot_state FROM conversation WHERE tenant_id = $1',
    [tenant.id],
  );
  return rows.map((row) => row.bot_state);
}

describe('a process that died', () => {
  it('before the bot looked: the sweep answers', async () => {
    await takeMessages(2);
    await setSteps();
    await leaveWaiting();
    app.clock.advance(SWEEP_MS);
    await idle();
    expect(await answers()).toEqual([['first', 'second']]);
    expect(await states()).toEqual(['second']);
  });

  it('before the bot looked: the next process answers when it starts', async () => {
    await takeMessages(1);
    await setSteps();
    await leaveWaiting();
    const next = await startApp({ shareDatabaseWith: app, env: { APP_SECRET } });
    try {
      await idle();
    } finally {
      await next.close();
    }
    expect(await answers()).toEqual([['first']]);
  });

  it('after the decision was committed: the answer goes out, and nothing is decided again', async () => {
    await takeMessages(1);
    await setSteps();
    await leaveWaiting();
    const [message] = await app.sql<{ chat_id: string; seq: number; wamid: string }>(
      'SELECT chat_id, seq, wamid FROM whatsapp_message WHERE tenant_id = $1',
      [tenant.id],
    );
    const answer = { type: 'TEXT', text: 'first', request: { type: 'text', text: { body: 'first' } } };
    const { chat_id, seq, wamid } = message!;
    const input = {
      chat_id,
      seq,
      state: null,
      next_state: 'first',
      answer,
      idempotency_key: `auto-reply:${wamid}`,
    };
    const limits = { short_ms: 1000, short_max: 9, long_ms: 1000, long_max: 9 };
    const decide = () =>
      app.sql('SELECT outcome FROM commit_bot_decisions($1::json, $2::json, $3)', [
        JSON.stringify([input]),
        JSON.stringify(limits),
        app.clock.now(),
      ]);
    expect(await decide()).toEqual([{ outcome: 'DECIDED' }]);
    expect(await open()).toEqual({ waiting: 0, kept: 1 });
    expect(await decide()).toEqual([{ outcome: 'DONE' }]);
    app.clock.advance(SWEEP_MS);
    await idle();
    expect(await answers()).toEqual([['first']]);
    expect(await states()).toEqual(['first']);
  });

  it('after the answer was accepted: it goes out once', async () => {
    await setSteps();
    await takeMessages(1);
    expect(await answers()).toEqual([['first']]);
    await app.sql(
      `INSERT INTO bot_answer (chat_id, seq, tenant_id, idempotency_key, message, created_at)
        SELECT i.chat_id, i.seq, i.tenant_id, o.idempotency_key,
          '{"type":"TEXT","text":"again","request":{"type":"text","text":{"body":"again"}}}', now()
        FROM whatsapp_message i JOIN whatsapp_message o ON o.chat_id = i.chat_id AND o.direction = 'OUT'
        WHERE i.tenant_id = $1 AND i.direction = 'IN'`,
      [tenant.id],
    );
    app.clock.advance(SWEEP_MS);
    await idle();
    expect(await answers()).toEqual([['first']]);
  });

  it('and a message that came too long ago: it is answered no more', async () => {
    await takeMessages(1);
    await setSteps();
    await leaveWaiting();
    await app.sql(`UPDATE whatsapp_message SET sent_at = sent_at - interval '1 hour' WHERE tenant_id = $1`, [
      tenant.id,
    ]);
    app.clock.advance(SWEEP_MS);
    await idle();
    expect(await answers()).toEqual([[]]);
    expect(await states()).toEqual([null]);
  });

  it('and an answer that can never be sent: it is given up', async () => {
    await takeMessages(1);
    await setSteps();
    await app.sql(
      `INSERT INTO bot_answer (chat_id, seq, tenant_id, idempotency_key, message, created_at)
        SELECT chat_id, seq, gen_random_uuid(), 'auto-reply:x', '{}', now() FROM whatsapp_message WHERE tenant_id = $1`,
      [tenant.id],
    );
    app.clock.advance(SWEEP_MS);
    await idle();
    expect(await answers()).toEqual([[]]);
  });
});

describe('several processes', () => {
  it('answer each message once and in order, whoever finds it', async () => {
    await takeMessages(3, 40);
    await setSteps();
    const others = await Promise.all(
      [1, 2].map(() => startApp({ shareDatabaseWith: app, env: { APP_SECRET } })),
    );
    try {
      await leaveWaiting();
      app.clock.advance(SWEEP_MS);
      await idle();
      expect(await answers()).toEqual(Array.from({ length: 40 }, () => STEPS));
      expect(new Set(await states())).toEqual(new Set(['third']));
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });
});
