import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChannelMessages, type ChannelMessage } from '../../src/messages/channel-messages.js';
import { useApp } from '../support/app.js';

const app = useApp();
const tenantId = randomUUID();
const PHONE = '629305560276479';
let door: ChannelMessages;

beforeAll(async () => {
  door = app.running.nest.get(ChannelMessages, { strict: false });
  await app.sql(
    `INSERT INTO tenant (id, name, phone_number_id, created_at, updated_at) VALUES ($1, 'Shop', $2, now(), now())`,
    [tenantId, PHONE],
  );
});

async function openChat(mergedInto: string | null = null): Promise<string> {
  const chatId = randomUUID();
  const now = app.clock.now();
  await app.sql(`INSERT INTO chat (id, type, created_at, updated_at) VALUES ($1, 'WHATSAPP', $2, $2)`, [
    chatId,
    now,
  ]);
  await app.sql(
    `INSERT INTO conversation (chat_id, tenant_id, customer_id, active_at, merged_into_id) VALUES ($1, $2, $3, $4, $5)`,
    [chatId, tenantId, randomUUID(), now, mergedInto],
  );
  return chatId;
}

function inbound(chatId: string, more: Partial<ChannelMessage> = {}): ChannelMessage {
  return {
    chatId,
    tenantId,
    phoneNumberId: PHONE,
    senderId: null,
    type: 'TEXT',
    text: 'hello',
    status: 'SENT',
    direction: 'IN',
    wamid: `wamid.${randomUUID()}`,
    from: '919937320320',
    to: null,
    sentAt: app.clock.now(),
    payload: { text: { body: 'hello' } },
    ...more,
  };
}

function outbound(chatId: string, more: Partial<ChannelMessage> = {}): ChannelMessage {
  return inbound(chatId, {
    direction: 'OUT',
    wamid: null,
    status: 'QUEUED',
    sentAt: null,
    dispatchAt: app.clock.now(),
    marks: 'FOLLOW',
    ...more,
  });
}

async function conversation(chatId: string) {
  const [row] = await app.sql<{ last_seq: number; read_seq: number; window_expires_at: Date | null }>(
    'SELECT last_seq, read_seq, window_expires_at FROM conversation WHERE chat_id = $1',
    [chatId],
  );
  return row!;
}

async function seqsOf(chatId: string): Promise<number[]> {
  const rows = await app.sql<{ seq: number }>(
    `SELECT m.seq FROM message m JOIN whatsapp_message w ON w.chat_id = m.chat_id AND w.seq = m.seq
      WHERE m.chat_id = $1 AND m.channel = 'WHATSAPP' ORDER BY m.seq`,
    [chatId],
  );
  return rows.map((row) => row.seq);
}

describe('writing', () => {
  it('gives messages of one turn consecutive seqs in the order of the calls, in several chats', async () => {
    const chats = [await openChat(), await openChat()];
    const calls = Array.from({ length: 40 }, (_, i) => chats[i % 2]!);
    const outcomes = await Promise.all(calls.map((chatId) => door.write(inbound(chatId))));
    for (const chatId of chats) {
      const own = outcomes.filter((one) => one.outcome === 'CREATED' && one.message.chatId === chatId);
      expect(own.map((one) => one.outcome === 'CREATED' && one.message.seq)).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
      expect(await seqsOf(chatId)).toHaveLength(20);
      expect(await conversation(chatId)).toMatchObject({ last_seq: 20, read_seq: 0 });
    }
  });

  it('stores a wamid once, in one batch and across batches', async () => {
    const chatId = await openChat();
    const message = inbound(chatId);
    const [first, twin] = await Promise.all([door.write(message), door.write(message)]);
    const later = await door.write(message);
    expect(first).toMatchObject({ outcome: 'CREATED' });
    for (const again of [twin, later]) {
      expect(again).toEqual({ outcome: 'REPEATED', chatId, seq: 1, messageId: `${chatId}.1` });
    }
    expect(await seqsOf(chatId)).toEqual([1]);
  });

  it('stores the same wamid once for each number', async () => {
    const chatId = await openChat();
    const message = inbound(chatId);
    await door.write(message);
    expect(await door.write({ ...message, phoneNumberId: '1' })).toMatchObject({ outcome: 'CREATED' });
  });

  it('uses an idempotency key once in all conversations of the tenant', async () => {
    const [one, other] = [await openChat(), await openChat()];
    const key = randomUUID();
    const outcomes = await Promise.all([
      door.write(outbound(one, { idempotencyKey: key })),
      door.write(outbound(other, { idempotencyKey: key })),
    ]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['CREATED', 'KEY_USED']);
    expect(await door.write(outbound(other, { idempotencyKey: key }))).toEqual({
      outcome: 'KEY_USED',
      chatId: one,
      seq: 1,
      messageId: `${one}.1`,
    });
    expect(await seqsOf(other)).toEqual([]);
  });

  it('refuses chats of other tenants and closed ones', async () => {
    const open = await openChat();
    const closed = await openChat(open);
    expect(await door.write(inbound(closed))).toEqual({ outcome: 'CLOSED', chatId: open });
    expect(await door.write(inbound(open, { tenantId: randomUUID() }))).toEqual({ outcome: 'NO_CHAT' });
    expect(await door.write(inbound(randomUUID()))).toEqual({ outcome: 'NO_CHAT' });
  });

  it('lets a bad message of a batch harm itself alone', async () => {
    const chatId = await openChat();
    const outcomes = await Promise.allSettled([
      door.write(inbound(chatId)),
      door.write(inbound(chatId, { text: 'a\0b' })),
      door.write(inbound(chatId)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await seqsOf(chatId)).toEqual([1, 2]);
  });

  it('finds what a message replies to by its wamid, in the same chat alone', async () => {
    const [chatId, other] = [await openChat(), await openChat()];
    const first = inbound(chatId, { text: 'first' });
    await door.write(first);
    const reply = await door.write(inbound(chatId, { replyToWamid: first.wamid }));
    expect(reply).toMatchObject({ message: { replyTo: { id: `${chatId}.1`, text: 'first' } } });
    const elsewhere = await door.write(inbound(other, { replyToWamid: first.wamid }));
    expect(elsewhere).toMatchObject({ outcome: 'CREATED', message: { replyTo: null } });
  });
});

describe('the team’s mark', () => {
  it('follows what the business sends unless something before was unread', async () => {
    const chatId = await openChat();
    await door.write(outbound(chatId));
    expect((await conversation(chatId)).read_seq).toBe(1);
    await Promise.all([door.write(inbound(chatId)), door.write(outbound(chatId))]);
    expect((await conversation(chatId)).read_seq).toBe(1);
    await door.write(outbound(chatId));
    expect((await conversation(chatId)).read_seq).toBe(1);
    await Promise.all([
      door.write(outbound(chatId, { marks: 'ALL' })),
      door.write(outbound(chatId)),
      door.write(inbound(chatId)),
      door.write(outbound(chatId)),
    ]);
    expect(await conversation(chatId)).toMatchObject({ last_seq: 8, read_seq: 6 });
  });
});

describe('the window', () => {
  it('opens with the customer’s message, only forward, and says when it was closed before', async () => {
    const chatId = await openChat();
    const until = new Date(app.clock.nowMs() + 24 * 3_600_000);
    const earlier = new Date(until.getTime() - 3_600_000);
    const opens = async (windowUntil: Date) => {
      const written = await door.write(inbound(chatId, { windowUntil }));
      return written.outcome === 'CREATED' && written.windowOpened;
    };
    expect(await opens(until)).toBe(true);
    expect(await opens(earlier)).toBe(false);
    expect((await conversation(chatId)).window_expires_at).toEqual(until);
  });
});

describe('statuses', () => {
  const statusOf = async (chatId: string, seq: number) =>
    (
      await app.sql('SELECT status, error FROM whatsapp_message WHERE chat_id = $1 AND seq = $2', [
        chatId,
        seq,
      ])
    )[0];
  const status = (wamid: string | null, name: 'sent' | 'delivered' | 'read' | 'failed', more: object = {}) =>
    door.applyStatus({
      wamid: wamid!,
      phoneNumberId: PHONE,
      status: name,
      at: app.clock.now(),
      item: { status: name },
      ...more,
    });

  it('are kept until their message is known, and then told with it', async () => {
    const chatId = await openChat();
    const message = inbound(chatId);
    expect(await status(message.wamid, 'read')).toMatchObject({ outcome: 'PENDING' });
    expect(await status(message.wamid, 'delivered')).toMatchObject({ outcome: 'PENDING' });
    expect(await door.write(message)).toMatchObject({ outcome: 'CREATED', message: { status: 'READ' } });
    expect(await statusOf(chatId, 1)).toMatchObject({ status: 'READ' });
    expect(await app.sql('SELECT 1 FROM pending_status')).toEqual([]);
  });

  it('go forward only, each for its own message', async () => {
    const chatId = await openChat();
    const [one, two] = [inbound(chatId), inbound(chatId)];
    await Promise.all([door.write(one), door.write(two)]);
    expect(await status(two.wamid, 'read')).toMatchObject({ outcome: 'APPLIED', isNewStatus: true });
    expect(await status(two.wamid, 'sent')).toMatchObject({ outcome: 'APPLIED', isNewStatus: false });
    expect(await status(two.wamid, 'sent')).toMatchObject({ outcome: 'SAME' });
    expect(await statusOf(chatId, 1)).toMatchObject({ status: 'SENT' });
    expect(await statusOf(chatId, 2)).toMatchObject({ status: 'READ' });
  });

  it('find a message without its number, by another name, and by our own id', async () => {
    const chatId = await openChat();
    const message = inbound(chatId);
    await door.write(message);
    expect(await status(message.wamid, 'delivered', { phoneNumberId: null })).toMatchObject({ seq: 1 });
    expect(await status('gs-id', 'read', { altWamid: message.wamid })).toMatchObject({ seq: 1 });
    await door.write(outbound(chatId));
    await app.sql(`UPDATE whatsapp_message SET dispatch = 'UNKNOWN', error = '{"code":"OUTCOME_UNKNOWN"}'
      WHERE chat_id = '${chatId}' AND seq = 2`);
    const wamid = `wamid.${randomUUID()}`;
    expect(await status(wamid, 'sent', { callback: `${chatId}.2` })).toMatchObject({ status: 'SENT' });
    expect(
      (
        await app.sql(
          `SELECT wamid, dispatch, error FROM whatsapp_message WHERE chat_id = '${chatId}' AND seq = 2`,
        )
      )[0],
    ).toEqual({ wamid, dispatch: null, error: null });
  });

  it('of a send whose wamid is not known end alike in any order, as soon as one names our own id', async () => {
    const steps = fc.uniqueArray(fc.constantFrom('sent', 'delivered', 'read', 'failed' as const), {
      minLength: 1,
    });
    const runs = steps.chain((names) =>
      fc.record({
        order: fc.shuffledSubarray(names, { minLength: names.length }),
        naming: fc.subarray(names, { minLength: 1 }),
      }),
    );
    const ladder = ['sent', 'failed', 'delivered', 'read'];
    await fc.assert(
      fc.asyncProperty(runs, async ({ order, naming }) => {
        const chatId = await openChat();
        await door.write(outbound(chatId));
        await app.sql(`UPDATE whatsapp_message SET dispatch = 'UNKNOWN' WHERE chat_id = $1`, [chatId]);
        const wamid = `wamid.${randomUUID()}`;
        for (const name of order) {
          await status(wamid, name, naming.includes(name) ? { callback: `${chatId}.1` } : {});
        }
        const highest = order.toSorted((a, b) => ladder.indexOf(b) - ladder.indexOf(a))[0]!;
        expect(
          await app.sql('SELECT wamid, status, dispatch FROM whatsapp_message WHERE chat_id = $1', [chatId]),
        ).toEqual([{ wamid, status: highest.toUpperCase(), dispatch: null }]);
        expect(await app.sql('SELECT 1 FROM pending_status WHERE wamid = $1', [wamid])).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('of an earlier try do not concern the one that waits', async () => {
    const chatId = await openChat();
    await door.write(outbound(chatId));
    const wamid = `wamid.${randomUUID()}`;
    await app.sql('UPDATE whatsapp_message SET former_wamids = $2 WHERE chat_id = $1', [chatId, [wamid]]);
    expect(await status(wamid, 'failed', { callback: `${chatId}.1` })).toMatchObject({ outcome: 'PENDING' });
    expect(
      await app.sql('SELECT status, dispatch FROM whatsapp_message WHERE chat_id = $1', [chatId]),
    ).toEqual([{ status: 'QUEUED', dispatch: 'READY' }]);
    await app.sql('DELETE FROM pending_status');
  });

  it('of another number touch nothing', async () => {
    const chatId = await openChat();
    const message = inbound(chatId);
    await door.write(message);
    expect(await status(message.wamid, 'read', { phoneNumberId: '1' })).toMatchObject({ outcome: 'PENDING' });
    expect(await statusOf(chatId, 1)).toMatchObject({ status: 'SENT' });
  });

  it('keep the error of a failure, and pass over it when the message arrived after all', async () => {
    const chatId = await openChat();
    const message = inbound(chatId, { status: 'SENT', direction: 'OUT' });
    await door.write(message);
    const error = { code: '131047', message: 'Re-engagement message' };
    expect(await status(message.wamid, 'failed', { error })).toMatchObject({ status: 'FAILED' });
    expect(await status(message.wamid, 'sent')).toMatchObject({ status: 'FAILED' });
    expect(await statusOf(chatId, 1)).toEqual({ status: 'FAILED', error });
    expect(await status(message.wamid, 'delivered')).toMatchObject({ status: 'DELIVERED' });
    expect(await statusOf(chatId, 1)).toEqual({ status: 'DELIVERED', error });
  });
});
