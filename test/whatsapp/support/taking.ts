import { ItemApplier } from '../../../src/whatsapp/webhook/item-applier.js';
import { ItemRefused } from '../../../src/whatsapp/webhook/item-refused.js';
import { readWebhook, type WebhookSource } from '../../../src/whatsapp/webhook/webhook-items.js';
import type { TestApp } from '../../support/app.js';
import type { TestTenant } from './channel.js';

type Fields = Record<string, unknown>;

/** What became of a webhook: how often an item was applied, and why others were not. */
export interface Taken {
  applied: number;
  refused: { path: string; reason: string; detail: string }[];
}

/** Takes a webhook in as if it came from Meta, without the inbox: what it tells is committed when this resolves. */
export async function take(app: TestApp, body: unknown, source: WebhookSource = 'meta'): Promise<Taken> {
  const applier = app.running.nest.get(ItemApplier, { strict: false });
  const { items, bad } = readWebhook(body);
  const refused = bad.map(({ path, detail }) => ({ path, reason: 'BAD', detail }));
  const context = { eventId: null, source, receivedAt: app.clock.now() };
  const results = await Promise.allSettled(items.map((item) => applier.apply(item, context)));
  let applied = 0;
  results.forEach((result, index) => {
    if (result.status === 'fulfilled') applied++;
    else if (result.reason instanceof ItemRefused)
      refused.push({ path: items[index]!.path, reason: result.reason.reason, detail: result.reason.detail });
    else throw result.reason;
  });
  return { applied, refused };
}

/** A change of one field of the tenant's number, in Meta's envelope. */
export function change(tenant: TestTenant, field: string, value: Fields): Fields {
  const metadata = {
    display_phone_number: tenant.displayPhoneNumber,
    phone_number_id: tenant.phoneNumberId,
  };
  return bare(tenant, field, { messaging_product: 'whatsapp', metadata, ...value });
}

/** The same without the number. */
export function bare(tenant: TestTenant, field: string, value: Fields): Fields {
  const entry = { id: tenant.wabaId, changes: [{ field, value }] };
  return { object: 'whatsapp_business_account', entry: [entry] };
}

/** A change of the field `messages` with one message in it. */
export function message(tenant: TestTenant, fields: Fields, more: Fields = {}): Fields {
  return change(tenant, 'messages', { messages: [fields], ...more });
}

/** A change of the field `messages` with one status in it. */
export function status(tenant: TestTenant, fields: Fields): Fields {
  return change(tenant, 'messages', { statuses: [fields] });
}

/** The time as Meta writes it. */
export function secondsOf(at: Date): string {
  return String(Math.floor(at.getTime() / 1000));
}

export interface StoredMessage {
  chat_id: string;
  seq: number;
  type: string;
  text: string | null;
  rev: number;
  deleted_at: Date | null;
  edited_at: Date | null;
  media_id: string | null;
  reply_to_seq: number | null;
  forwarded: boolean;
  direction: string | null;
  status: string | null;
  from: string | null;
  to: string | null;
  sent_at: Date | null;
  error: { code: string; message: string; details?: string } | null;
  payload: Fields | null;
  bot_pending: boolean | null;
  media_pending: boolean | null;
  is_history: boolean | null;
  customer_id: string;
  wa_id: string | null;
  user_id: string | null;
  name: string | null;
  username: string | null;
}

const STORED = `SELECT m.chat_id, m.seq, m.type, m.text, m.rev, m.deleted_at, m.edited_at, m.media_id, m.reply_to_seq,
    m.forwarded, w.direction, w.status, w."from", w."to", w.sent_at, w.error, w.payload, w.bot_pending, w.media_pending,
    w.is_history, c.id AS customer_id, c.wa_id, c.user_id, c.name, c.username
  FROM conversation k JOIN customer c ON c.id = k.customer_id
  JOIN message m ON m.chat_id = k.chat_id
  LEFT JOIN whatsapp_message w ON w.chat_id = m.chat_id AND w.seq = m.seq`;

/** All messages of a tenant, by chat and place. */
export async function messagesOf(app: TestApp, tenant: { id: string }): Promise<StoredMessage[]> {
  return app.sql<StoredMessage & Record<string, unknown>>(
    `${STORED} WHERE k.tenant_id = $1 ORDER BY m.chat_id, m.seq`,
    [tenant.id],
  );
}

/** The message with a wamid. */
export async function messageOf(app: TestApp, tenant: { id: string }, wamid: string): Promise<StoredMessage> {
  const [row] = await app.sql<StoredMessage & Record<string, unknown>>(
    `${STORED} WHERE k.tenant_id = $1 AND w.wamid = $2`,
    [tenant.id, wamid],
  );
  if (!row) throw new Error(`no message has the wamid ${wamid}`);
  return row;
}

export interface StoredConversation {
  chat_id: string;
  customer_id: string;
  wa_id: string | null;
  user_id: string | null;
  phone: string | null;
  name: string | null;
  last_seq: number;
  read_seq: number;
  window_expires_at: Date | null;
  merged_into_id: string | null;
}

/** All conversations of a tenant, the oldest first. */
export async function conversationsOf(app: TestApp, tenant: { id: string }): Promise<StoredConversation[]> {
  return app.sql<StoredConversation & Record<string, unknown>>(
    `SELECT k.chat_id, k.customer_id, c.wa_id, c.user_id, c.phone, c.name, k.last_seq, k.read_seq, k.window_expires_at,
        k.merged_into_id
      FROM conversation k JOIN customer c ON c.id = k.customer_id JOIN chat h ON h.id = k.chat_id
      WHERE k.tenant_id = $1 ORDER BY h.created_at, k.merged_into_id NULLS FIRST, h.id`,
    [tenant.id],
  );
}
