import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { useApp, type TestPerson } from '../support/app.js';
import type { TestSocket } from '../support/socket.js';
import { newWamid } from './support/bodies.js';
import { hire, registerTenant, type TestTenant } from './support/channel.js';
import {
  change,
  conversationsOf,
  message,
  messageOf,
  messagesOf,
  secondsOf,
  status,
  take,
} from './support/taking.js';

const app = useApp();
const CUSTOMER = '16505551234';
const HOUR_MS = 3_600_000;
let agent: TestPerson;
let socket: TestSocket;
let tenant: TestTenant;

beforeAll(async () => {
  agent = await app.registerUser();
  socket = await app.connect(agent);
});

beforeEach(async () => {
  tenant = await registerTenant(app);
  await hire(app, tenant, agent);
});

function text(body: string, more: Record<string, unknown> = {}) {
  const at = secondsOf(app.clock.now());
  return { from: CUSTOMER, id: newWamid(), timestamp: at, type: 'text', text: { body }, ...more };
}

function reaction(target: string, emoji: string, seconds: number, more: Record<string, unknown> = {}) {
  const timestamp = String(1_760_000_000 + seconds);
  return {
    from: CUSTOMER,
    id: newWamid(),
    timestamp,
    type: 'reaction',
    reaction: { message_id: target, emoji },
    ...more,
  };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- payloads are looked at field by field
function inChat(chatId: string): (payload: any) => boolean {
  return (payload: { chatId: string }) => payload.chatId === chatId;
}

describe('what agents are told', () => {
  it('of a first message: the chat, then the message', async () => {
    const one = text('hello');
    const contacts = [{ wa_id: CUSTOMER, profile: { name: 'Ann' } }];
    await take(app, message(tenant, one, { contacts }));
    const { chat } = await socket.next(
      'new-chat',
      ({ chat: { whatsapp } }) => whatsapp?.tenantId === tenant.id,
    );
    expect(chat).toMatchObject({ type: 'WHATSAPP', name: 'Ann' });
    const { message: told } = await socket.next('new-message', ({ chatId }) => chatId === chat.id);
    expect(told).toMatchObject({
      senderId: null,
      type: 'TEXT',
      text: 'hello',
      status: 'SENT',
      whatsapp: {
        waMessageId: one.id,
        direction: 'IN',
        from: CUSTOMER,
        to: tenant.displayPhoneNumber,
        payload: one,
        sentAt: new Date(Number(one.timestamp) * 1000).toISOString(),
      },
    });
  });

  it('of an edit, a reaction, its removal and a revocation, each a new revision', async () => {
    const one = text('hello');
    await take(app, message(tenant, one));
    const { chat_id: chatId, customer_id: customerId, seq } = await messageOf(app, tenant, one.id);
    const id = `${chatId}.${seq}`;
    const here = inChat(chatId);

    const edited = { original_message_id: one.id, message: { type: 'text', text: { body: 'hello you' } } };
    await take(app, message(tenant, { ...text(''), id: newWamid(), type: 'edit', edit: edited }));
    const { message: told } = await socket.next('message-edited', here);
    expect(told).toMatchObject({
      id,
      rev: 2,
      text: 'hello you',
      whatsapp: { payload: { text: { body: 'hello you' } } },
    });
    expect(told.editedAt).not.toBeNull();

    await take(app, message(tenant, reaction(one.id, '👍', 1)));
    expect(await socket.next('message-reaction', here)).toEqual({
      chatId,
      messageId: id,
      rev: 3,
      userId: customerId,
      emoji: '👍',
      action: 'added',
    });
    await take(app, message(tenant, reaction(one.id, '', 2)));
    expect(await socket.next('message-reaction', here)).toMatchObject({
      rev: 4,
      emoji: '👍',
      action: 'removed',
    });
    const revoke = { original_message_id: one.id };
    await take(app, message(tenant, { ...text(''), id: newWamid(), type: 'revoke', revoke }));
    expect(await socket.next('message-deleted', here)).toEqual({
      chatId,
      messageId: id,
      seq,
      rev: 5,
      deletedByUserId: customerId,
    });
    const [shown] = (await agent.http.get(`/api/chats/${chatId}/messages`)).data;
    expect(shown).toMatchObject({ id, rev: 5, text: null, reactions: [], whatsapp: { payload: {} } });
  });

  it('of changes that came before their message: the message, then what became of it', async () => {
    const [one, other] = [text('first'), text('second')];
    const edit = { original_message_id: one.id, message: { type: 'text', text: { body: 'edited' } } };
    await take(app, message(tenant, { ...text(''), id: newWamid(), type: 'edit', edit }));
    await take(app, message(tenant, reaction(one.id, '🎉', 1)));
    const revoke = { original_message_id: other.id };
    await take(app, message(tenant, { ...text(''), id: newWamid(), type: 'revoke', revoke }));
    expect(await messagesOf(app, tenant)).toEqual([]);
    await take(app, change(tenant, 'messages', { messages: [one, other] }));
    const { chat_id: chatId } = await messageOf(app, tenant, one.id);
    const here = inChat(chatId);
    expect((await socket.next('new-message', here)).message).toMatchObject({ text: 'first', rev: 1 });
    expect((await socket.next('message-edited', here)).message).toMatchObject({
      text: 'edited',
      rev: 3,
      reactions: [{ emoji: '🎉' }],
    });
    expect(await socket.next('message-deleted', here)).toMatchObject({ seq: 2, rev: 2 });
  });

  it('of a status: which message, and what it is now', async () => {
    const one = text('hello');
    await take(app, message(tenant, one));
    const { chat_id: chatId, seq } = await messageOf(app, tenant, one.id);
    await take(app, status(tenant, { id: one.id, status: 'read', timestamp: '1760000000' }));
    expect(await socket.next('message-status-update', (payload) => payload.chatId === chatId)).toMatchObject({
      messageId: `${chatId}.${seq}`,
      status: 'READ',
      userId: null,
      at: new Date(1_760_000_000_000).toISOString(),
    });
  });

  it('of a new name: the chat', async () => {
    for (const name of ['Ann', 'Anna'])
      await take(app, message(tenant, text('hi'), { contacts: [{ wa_id: CUSTOMER, profile: { name } }] }));
    const [{ chat_id: chatId } = { chat_id: '' }] = await conversationsOf(app, tenant);
    const { chat } = await socket.next('chat-updated', (payload) => payload.chat.id === chatId);
    expect(chat).toMatchObject({ name: 'Anna', whatsapp: { customer: { name: 'Anna' } } });
  });
});

describe('the business’s own reaction', () => {
  it('is one, whoever gave it: an echo replaces that of an agent, and the customer’s stays', async () => {
    const one = text('hello');
    await take(app, message(tenant, one));
    const { chat_id: chatId, seq } = await messageOf(app, tenant, one.id);
    await take(app, message(tenant, reaction(one.id, '👍', 1)));
    await app.sql(
      `INSERT INTO reaction (chat_id, seq, user_id, emoji, rev, reacted_at) VALUES ($1, $2, $3, '🎉', 2, now())`,
      [chatId, seq, agent.id],
    );
    const echo = reaction(one.id, '❤️', 2, { from: tenant.displayPhoneNumber, to: CUSTOMER });
    await take(app, change(tenant, 'smb_message_echoes', { message_echoes: [echo] }));
    await take(app, message(tenant, reaction(one.id, '😮', 3)));
    const rows = await app.sql(
      'SELECT emoji, user_id = $3 AS own FROM reaction WHERE chat_id = $1 AND seq = $2 ORDER BY rev',
      [chatId, seq, tenant.id],
    );
    expect(rows).toEqual([
      { emoji: '❤️', own: true },
      { emoji: '😮', own: false },
    ]);
  });
});

describe('who is to answer', () => {
  const pending = async (id: string) => (await messageOf(app, tenant, id)).bot_pending;

  it('the bot, within an hour; not samples, calls, history, echoes or what the system says', async () => {
    const at = (ago: number) => ({ timestamp: secondsOf(new Date(app.clock.nowMs() - ago)) });
    const [young, old, sample, system] = [
      text('a', at(HOUR_MS - 60_000)),
      text('b', at(HOUR_MS + 60_000)),
      text('c'),
      text('d', { type: 'system', system: { body: 'x', type: 'customer_identity_changed' } }),
    ];
    // What the bot has looked at it takes off: it is looked at before it can.
    await app.sql('UPDATE tenant SET auto_reply = false, has_flows = true WHERE id = $1', [tenant.id]);
    await app.sql(
      `CREATE TABLE IF NOT EXISTS bot_seen AS SELECT chat_id, seq FROM whatsapp_message WHERE false`,
    );
    await app.sql(`CREATE OR REPLACE FUNCTION note_bot() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO bot_seen VALUES (NEW.chat_id, NEW.seq); RETURN NEW; END $$`);
    await app.sql(`CREATE OR REPLACE TRIGGER note_bot AFTER INSERT ON whatsapp_message FOR EACH ROW
      WHEN (NEW.bot_pending) EXECUTE FUNCTION note_bot()`);
    await take(app, change(tenant, 'messages', { messages: [young, old, system] }));
    await take(app, message(tenant, sample), 'sample');
    const echo = text('e', { from: tenant.displayPhoneNumber, to: CUSTOMER });
    await take(app, change(tenant, 'smb_message_echoes', { message_echoes: [echo] }));
    const seen = await app.sql(
      `SELECT w.wamid FROM bot_seen b JOIN whatsapp_message w ON w.chat_id = b.chat_id AND w.seq = b.seq
        WHERE w.tenant_id = $1`,
      [tenant.id],
    );
    expect(seen).toEqual([{ wamid: young.id }]);
  });

  it('nobody, for a tenant that has turned it off and has no flows', async () => {
    const quiet = await registerTenant(app, { autoReply: false });
    const one = text('a');
    await take(app, message(quiet, one));
    tenant = quiet;
    expect(await pending(one.id)).toBe(false);
  });
});

describe('the window and the team’s mark', () => {
  it('the window runs from Meta’s time, only forward, and only what the customer sends opens it', async () => {
    const sentAt = app.clock.nowMs() - HOUR_MS;
    const at = (ms: number) => ({ timestamp: secondsOf(new Date(ms)) });
    await take(app, message(tenant, text('a', at(sentAt))));
    await take(app, message(tenant, text('late', at(sentAt - HOUR_MS))));
    const echo = text('e', { from: tenant.displayPhoneNumber, to: CUSTOMER });
    await take(app, change(tenant, 'smb_message_echoes', { message_echoes: [echo] }));
    const [conversation] = await conversationsOf(app, tenant);
    const expected = Math.floor(sentAt / 1000) * 1000 + 24 * HOUR_MS;
    expect(conversation!.window_expires_at!.getTime()).toBe(expected);
  });

  it('what the business sent by phone has read all before it; what the system says follows', async () => {
    const echo = () => text('e', { from: tenant.displayPhoneNumber, to: CUSTOMER });
    const system = () =>
      text('s', { type: 'system', system: { body: 'x', type: 'customer_identity_changed' } });
    const readSeq = async () => (await conversationsOf(app, tenant))[0]!.read_seq;
    await take(app, message(tenant, text('a')));
    await take(app, message(tenant, system()));
    expect(await readSeq()).toBe(0);
    await take(app, change(tenant, 'smb_message_echoes', { message_echoes: [echo()] }));
    expect(await readSeq()).toBe(3);
    await take(app, message(tenant, system()));
    expect(await readSeq()).toBe(4);
  });
});

describe('the order of one customer’s messages', () => {
  it('is that in which they came, whichever side sent them, whether or not the customer was known', async () => {
    for (let round = 0; round < 2; round++) {
      const sent = Array.from({ length: 20 }, (_, i) =>
        i % 3 === 0
          ? text(`${round}.${i}`, { from: tenant.displayPhoneNumber, to: CUSTOMER })
          : text(`${round}.${i}`),
      );
      await take(app, change(tenant, 'messages', { messages: sent }));
      const rows = (await messagesOf(app, tenant)).map((row) => row.text);
      expect(rows.slice(round * 20)).toEqual(sent.map(({ text: { body } }) => body));
    }
  });
});

describe('an echo of a send whose answer is still to come', () => {
  it('is that very message, not another', async () => {
    await take(app, message(tenant, text('question')));
    const [{ chat_id: chatId } = { chat_id: '' }] = await conversationsOf(app, tenant);
    await app.sql(
      `INSERT INTO message (chat_id, seq, client_key, type, channel, text, mentions, created_at)
        VALUES ($1, 2, 's:x', 'TEXT', 'WHATSAPP', 'answer', '{}', now())`,
      [chatId],
    );
    await app.sql(
      `INSERT INTO whatsapp_message (chat_id, seq, tenant_id, direction, phone_number_id, status, payload, dispatch, claimed_at)
        VALUES ($1, 2, $2, 'OUT', $3, 'QUEUED', '{}', 'UNKNOWN', now())`,
      [chatId, tenant.id, tenant.phoneNumberId],
    );
    await app.sql('UPDATE chat SET last_seq = 2 WHERE id = $1', [chatId]);
    await app.sql('UPDATE conversation SET last_seq = 2 WHERE chat_id = $1', [chatId]);
    const echo = text('answer', { from: tenant.displayPhoneNumber, to: CUSTOMER });
    const body = change(tenant, 'smb_message_echoes', { message_echoes: [echo] });
    for (let i = 0; i < 2; i++) await take(app, body);
    expect(await messageOf(app, tenant, echo.id)).toMatchObject({ seq: 2, status: 'SENT' });
    expect(await messagesOf(app, tenant)).toHaveLength(2);
  });
});

describe('what cannot be kept as it came', () => {
  it('is refused alone when it is nested too deeply, and its neighbours are stored', async () => {
    let deep: unknown = 'x';
    for (let i = 0; i < 50_000; i++) deep = [deep];
    const [good, bad] = [text('good'), text('bad', { deep })];
    expect(await take(app, change(tenant, 'messages', { messages: [bad, good] }))).toMatchObject({
      applied: 1,
      refused: [{ reason: 'BAD_ITEM' }],
    });
    expect(await messagesOf(app, tenant)).toHaveLength(1);
  });

  it('is made storable: U+0000 and halves of pairs, in keys and values', async () => {
    const id = newWamid();
    const odd = { 'a\0': 'b\ud800', n: 1e308 };
    await take(app, message(tenant, { ...text('x\0y\udc00'), id, odd }));
    expect(await messageOf(app, tenant, id)).toMatchObject({
      text: 'x\uFFFDy\uFFFD',
      payload: { odd: { 'a\uFFFD': 'b\uFFFD', n: 1e308 } },
    });
  });
});
