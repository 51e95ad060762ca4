import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { envelope, messagesBody, metadataOf } from '../fakes/graph-webhooks.js';
import { startApp, useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeFolder } from '../support/folder.js';
import { customerMessage, echo, inbound, newWamid } from './support/bodies.js';
import {
  APP_SECRET,
  hire,
  registerTenant,
  takeIn,
  type NewTenant,
  type TestTenant,
} from './support/channel.js';

const app = useApp({ env: { APP_SECRET } });
const MINUTE_MS = 60_000;
let agent: TestPerson;
let tenant: TestTenant;
let customers = 0;
let customer: string;

interface Written {
  seq: number;
  direction: 'IN' | 'OUT';
  text: string | null;
  idempotency_key: string | null;
}

beforeAll(async () => {
  agent = await app.registerUser();
});

beforeEach(async () => {
  tenant = await shop();
  customer = `1415555${String(++customers).padStart(4, '0')}`;
});

async function shop(given: NewTenant = {}): Promise<TestTenant> {
  const made = await registerTenant(app, { name: 'Flowers', autoReply: true, ...given });
  await hire(app, made, agent);
  return made;
}

function nowSeconds(agoMs = 0): string {
  return String(Math.floor((app.clock.nowMs() - agoMs) / 1000));
}

function message(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return inbound(tenant, customer, { timestamp: nowSeconds(), ...fields });
}

/** The customer writes; once this resolves, the bot has looked at it. */
async function say(text: string, fields: Record<string, unknown> = {}): Promise<void> {
  await takeIn(app, message({ text: { body: text }, ...fields }));
  await idle();
}

function tap(id: string, title: string): Promise<void> {
  return say('', {
    type: 'interactive',
    text: undefined,
    interactive: { type: 'button_reply', button_reply: { id, title } },
  });
}

/** Nothing waits for the bot, and no answer of it. */
async function idle(): Promise<void> {
  await eventually(
    () =>
      app.sql<{ open: number }>(
        `SELECT (SELECT count(*) FROM whatsapp_message WHERE bot_pending)::int + (SELECT count(*) FROM bot_answer)::int AS open`,
      ),
    ([row]) => row?.open === 0,
  );
}

async function conversation(of: string = customer) {
  const rows = await app.sql<{ chat_id: string; bot_state: string | null; bot_paused: boolean }>(
    `SELECT k.chat_id, k.bot_state, k.bot_paused FROM conversation k JOIN customer c ON c.id = k.customer_id
      WHERE k.tenant_id = $1 AND c.wa_id = $2`,
    [tenant.id, of],
  );
  return rows[0];
}

async function chatId(): Promise<string> {
  const found = await conversation();
  if (!found) throw new Error('no conversation');
  return found.chat_id;
}

async function written(): Promise<Written[]> {
  return app.sql<Written & Record<string, unknown>>(
    `SELECT m.seq, w.direction, m.text, w.idempotency_key FROM message m
      JOIN whatsapp_message w ON w.chat_id = m.chat_id AND w.seq = m.seq
      WHERE m.chat_id = $1 ORDER BY m.seq`,
    [await chatId()],
  );
}

async function answers(): Promise<(string | null)[]> {
  return (await written()).filter(({ direction }) => direction === 'OUT').map(({ text }) => text);
}

async function setFlows(flows: object[], more: object = {}): Promise<void> {
  const answer = await tenant.http.post(`/api/tenants/${tenant.id}/flows`, { flows, ...more });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
}

/** A message of the customer's that is imported from the phone, as new as it may be. */
function history(): Record<string, unknown> {
  return envelope(tenant.wabaId, 'history', {
    messaging_product: 'whatsapp',
    metadata: metadataOf(tenant),
    history: [
      {
        metadata: { phase: 0, chunk_order: 1, progress: 100 },
        threads: [
          {
            id: customer,
            messages: [
              {
                ...customerMessage(customer, { timestamp: nowSeconds() }),
                history_context: { status: 'READ' },
              },
            ],
          },
        ],
      },
    ],
  });
}

const reply = (id: string, match: object, text: string, more: object = {}) => ({
  id,
  match,
  action: { type: 'send_text', text, ...more },
});

describe('the thanks', () => {
  it('answer a message once, under a key of its own', async () => {
    const wamid = newWamid();
    await say('hello', { id: wamid });
    await say('hello', { id: wamid });
    expect(await written()).toEqual([
      { seq: 1, direction: 'IN', text: 'hello', idempotency_key: null },
      {
        seq: 2,
        direction: 'OUT',
        text: 'thanks for reaching us\n- team Flowers',
        idempotency_key: `auto-reply:${wamid}`,
      },
    ]);
  });

  it('answer each of many, in their order', async () => {
    const texts = ['one', 'two', 'three', 'four', 'five'];
    await setFlows(texts.map((text) => reply(text, { equals: [text] }, `answer to ${text}`)));
    const messages = texts.map((body) =>
      customerMessage(customer, { timestamp: nowSeconds(), text: { body } }),
    );
    await takeIn(app, messagesBody(tenant, messages));
    await idle();
    expect(await answers()).toEqual(texts.map((text) => `answer to ${text}`));
  });

  it('can be turned off', async () => {
    await tenant.http.patch(`/api/tenants/${tenant.id}`, { autoReply: false });
    await say('hello');
    expect(await answers()).toEqual([]);
    await setFlows([reply('a', { equals: ['a'] }, 'A')]);
    await say('a');
    await say('b');
    expect(await answers()).toEqual(['A']);
  });

  it('leave what the team has not read unread, and tell it live', async () => {
    const socket = await app.connect(agent);
    await say('hello');
    const told = await socket.next('new-message', ({ message: { text } }) => String(text).includes('thanks'));
    expect(told.message).toMatchObject({ senderId: null, status: 'QUEUED', whatsapp: { direction: 'OUT' } });
    const { data } = await agent.http.get(`/api/chats/${await chatId()}`);
    expect(data.unreadCount).toBe(2);
  });
});

describe('what is never answered', () => {
  const unanswered: [string, () => Record<string, unknown>][] = [
    ['a message of an hour ago', () => message({ timestamp: nowSeconds(60 * MINUTE_MS) })],
    ['an echo', () => echo(tenant, customer, { timestamp: nowSeconds() })],
    [
      'a message of the number itself',
      () => inbound(tenant, tenant.displayPhoneNumber, { timestamp: nowSeconds() }),
    ],
    [
      'a change of number',
      () =>
        message({ type: 'system', system: { type: 'user_changed_number', body: 'x', wa_id: '14155559999' } }),
    ],
    ['the history of the phone', () => history()],
    ['a reaction', () => message({ type: 'reaction', reaction: { message_id: newWamid(), emoji: '👍' } })],
  ];
  it.each(unanswered)('%s', async (_what, body) => {
    await setFlows([reply('all', {}, 'answer')]);
    await takeIn(app, body());
    await idle();
    const rows = await app.sql(
      `SELECT idempotency_key FROM whatsapp_message WHERE tenant_id = $1 AND idempotency_key IS NOT NULL`,
      [tenant.id],
    );
    expect(rows).toEqual([]);
  });

  it('answers what WhatsApp could not show', async () => {
    await takeIn(app, message({ type: 'unsupported', errors: [{ code: 131060, title: 'Unavailable' }] }));
    await idle();
    expect(await answers()).toHaveLength(1);
  });

  it('answers one of almost an hour ago', async () => {
    await say('hello', { timestamp: nowSeconds(59 * MINUTE_MS) });
    expect(await answers()).toHaveLength(1);
  });

  it('a sample', async () => {
    const folder = await makeFolder('samples');
    await writeFile(join(folder, 'a.json'), JSON.stringify(message()));
    const shown = await startApp({ shareDatabaseWith: app, env: { SAMPLE_PAYLOADS_DIR: folder } });
    try {
      await eventually(conversation, (found) => found !== undefined);
      await idle();
    } finally {
      await shown.close();
    }
    expect(await written()).toHaveLength(1);
  });

  it('what was sent before the rules became another is not answered again', async () => {
    await say('hello');
    await setFlows([reply('all', {}, 'answer')]);
    app.clock.advance(MINUTE_MS);
    await idle();
    expect(await answers()).toHaveLength(1);
  });
});

describe('the rules', () => {
  it('lead a customer through states and buttons', async () => {
    await tenant.http.post(`/api/tenants/${tenant.id}/templates`, {
      key: 'menu',
      components: [
        { type: 'body', text: 'Hello {{name}}' },
        {
          type: 'buttons',
          buttons: [
            { id: 'buy', text: 'Buy' },
            { id: 'ask', text: 'Ask' },
          ],
        },
      ],
    });
    await setFlows([
      {
        id: 'menu',
        match: { contains: ['MENU'] },
        action: { type: 'send_template', templateKey: 'menu', variables: { name: 'Ann' }, setState: 'menu' },
      },
      reply('buy', { state: 'menu', buttonId: 'buy' }, 'What?', { setState: 'buying' }),
      reply('what', { state: 'buying' }, 'Bought.', { setState: null }),
    ]);
    await say('the menu, please');
    expect((await conversation())?.bot_state).toBe('menu');
    const sent = await app.sql<{ payload: object }>(
      `SELECT payload FROM whatsapp_message WHERE tenant_id = $1 AND direction = 'OUT'`,
      [tenant.id],
    );
    expect(JSON.stringify(sent[0]?.payload)).toContain('"id":"buy"');
    await tap('buy', 'Buy');
    expect((await conversation())?.bot_state).toBe('buying');
    await say('roses');
    expect((await conversation())?.bot_state).toBeNull();
    await say('Buy');
    expect(await answers()).toEqual([
      'Hello Ann',
      'What?',
      'Bought.',
      'thanks for reaching us\n- team Flowers',
    ]);
  });

  it('know the answers to lists and to buttons of templates', async () => {
    await setFlows([reply('b', { buttonId: 'b' }, 'B'), reply('c', { buttonId: 'c' }, 'C')]);
    await say('', {
      type: 'interactive',
      text: undefined,
      interactive: { type: 'list_reply', list_reply: { id: 'b', title: 'x' } },
    });
    await say('', { type: 'button', text: undefined, button: { text: 'x', payload: 'C' } });
    expect(await answers()).toEqual(['B', 'C']);
  });

  it('change the state of a batch message by message', async () => {
    await setFlows([
      reply('first', { state: null }, 'first', { setState: '1' }),
      reply('second', { state: '1' }, 'second', { setState: '2' }),
      reply('third', { state: '2' }, 'third', { setState: null }),
    ]);
    const messages = Array.from({ length: 6 }, () => customerMessage(customer, { timestamp: nowSeconds() }));
    await takeIn(app, messagesBody(tenant, messages));
    await idle();
    expect(await answers()).toEqual(['first', 'second', 'third', 'first', 'second', 'third']);
  });

  it('fall back to the template, and to the thanks when it cannot be filled in', async () => {
    await setFlows([reply('a', { equals: ['a'] }, 'A')], { fallbackTemplateKey: 'sorry' });
    await say('b');
    await tenant.http.post(`/api/tenants/${tenant.id}/templates`, {
      key: 'sorry',
      components: [{ type: 'body', text: 'Sorry?' }],
    });
    await say('b');
    expect(await answers()).toEqual(['thanks for reaching us\n- team Flowers', 'Sorry?']);
  });

  it('are one tenant’s own, also with the same customer', async () => {
    await setFlows([reply('all', {}, 'ours')]);
    await say('hello');
    expect(await answers()).toEqual(['ours']);
    tenant = await shop();
    await say('hello');
    expect(await answers()).toEqual(['thanks for reaching us\n- team Flowers']);
  });
});

describe('handing off', () => {
  beforeEach(async () => {
    await setFlows(
      [
        { id: 'human', match: { contains: ['human'] }, action: { type: 'handoff' } },
        reply('state', { equals: ['go'] }, 'went', { setState: 'gone' }),
      ],
      {},
    );
  });

  it('stops the bot for that customer until it is released, then without a state', async () => {
    const socket = await app.connect(agent);
    await say('go');
    await say('a human, please');
    const { chat } = await socket.next(
      'chat-updated',
      ({ chat: { whatsapp } }) => whatsapp?.botPaused === true,
    );
    expect(chat.id).toBe(await chatId());
    expect((await agent.http.get(`/api/chats/${await chatId()}`)).data.whatsapp.botPaused).toBe(true);
    await say('go');
    await say('hello?');
    const first = customer;
    customer = `1415555${String(++customers).padStart(4, '0')}`;
    await say('go');
    expect(await answers()).toEqual(['went']);
    customer = first;
    expect(await answers()).toEqual(['went']);
    expect(await agent.http.post(`/api/conversations/${await chatId()}/release`)).toMatchObject({
      status: 200,
      data: { chatId: await chatId(), botPaused: false },
    });
    expect(await conversation()).toMatchObject({ bot_paused: false, bot_state: null });
    app.clock.advance(MINUTE_MS);
    await say('go');
    expect(await answers()).toEqual(['went', 'went']);
  });

  it('is done by the team and by the tenant too, and by nobody else', async () => {
    await say('go');
    const id = await chatId();
    const ways = (http: TestTenant['http'], of: TestTenant = tenant) => ({
      handoff: () => http.post(`/api/tenants/${of.id}/conversations/${id}/handoff`),
      release: () => http.post(`/api/tenants/${of.id}/conversations/${id}/release`),
    });
    expect((await ways(tenant.http).handoff()).data).toEqual({ chatId: id, botPaused: true });
    await say('go');
    expect((await ways(tenant.http).release()).data).toEqual({ chatId: id, botPaused: false });
    await say('go');
    expect((await agent.http.post(`/api/conversations/${id}/handoff`)).data.botPaused).toBe(true);
    await say('go');
    expect(await answers()).toEqual(['went', 'went']);
    const other = await registerTenant(app);
    expect(await ways(other.http, other).release()).toMatchObject({ status: 404, code: 'CHAT_NOT_FOUND' });
    expect((await ways(other.http).release()).code).toBe('TENANT_NOT_FOUND');
    const stranger = await app.registerUser();
    for (const way of ['handoff', 'release']) {
      expect(await stranger.http.post(`/api/conversations/${id}/${way}`)).toMatchObject({
        status: 404,
        code: 'CHAT_NOT_FOUND',
      });
      expect((await agent.http.post(`/api/conversations/nothing/${way}`)).code).toBe('CHAT_NOT_FOUND');
    }
    expect((await conversation())?.bot_paused).toBe(true);
  });
});

describe('two bots', () => {
  async function chatter(count: number): Promise<void> {
    const messages = Array.from({ length: count }, () =>
      customerMessage(customer, { timestamp: nowSeconds() }),
    );
    await takeIn(app, messagesBody(tenant, messages));
    await idle();
  }

  /** As if the counts had begun earlier by so much. */
  async function pass(minutes: number): Promise<void> {
    await app.sql(
      `UPDATE bot_count SET short_at = short_at - make_interval(mins => $2), long_at = long_at - make_interval(mins => $2)
        WHERE chat_id = $1`,
      [await chatId(), minutes],
    );
  }

  it('stop talking: a customer gets a bounded number of answers in a time', async () => {
    await setFlows([reply('all', {}, 'pong', { setState: 'talking' })]);
    await chatter(50);
    expect(await answers()).toHaveLength(30);
    await pass(9);
    await chatter(1);
    expect(await answers()).toHaveLength(30);
    const noisy = customer;
    customer = `1415555${String(++customers).padStart(4, '0')}`;
    await say('hello');
    expect(await answers()).toHaveLength(1);
    customer = noisy;
    for (let tenMinutes = 0; tenMinutes < 7; tenMinutes++) {
      await pass(10);
      await chatter(31);
    }
    expect(await answers()).toHaveLength(200);
    await pass(24 * 60);
    await say('hello');
    expect(await answers()).toHaveLength(201);
  });
});
