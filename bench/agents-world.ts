import { randomUUID } from 'node:crypto';
import type pg from 'pg';

export const FEW = 10;
export const MANY = 100_000;
const MESSAGES_EACH = 3;
const UNREAD = 5;
const ACTIVE_DAYS = 60;

export interface SeededTenant {
  id: string;
  phoneNumberId: string;
  /** The conversation that was active last. */
  chatId: string;
}

/**
 * A tenant with one agent and this many conversations, scattered in the tables, of three messages each; of five of them
 * the last one is unread. They were active in the last two months.
 */
export async function seedTenant(
  client: pg.Client,
  agentId: string,
  conversations: number,
): Promise<SeededTenant> {
  const tenant = { id: randomUUID(), phoneNumberId: randomUUID() };
  await client.query(
    `INSERT INTO tenant (id, name, phone_number_id, is_mock, created_at, updated_at)
      VALUES ($1, 'Shop', $2, true, now(), now())`,
    [tenant.id, tenant.phoneNumberId],
  );
  await client.query(
    'INSERT INTO tenant_agent (tenant_id, user_id, joined_at, joined_seq) VALUES ($1, $2, now(), 0)',
    [tenant.id, agentId],
  );
  await client.query('DROP TABLE IF EXISTS talk');
  await client.query(
    `CREATE TEMP TABLE talk AS
      SELECT gen_random_uuid() AS chat_id, gen_random_uuid() AS customer_id, i,
        now() - make_interval(secs => ${ACTIVE_DAYS * 86_400}.0 * (i - 1) / $1) AS active_at
      FROM generate_series(1, $1::int) i`,
    [conversations],
  );
  await client.query(
    `INSERT INTO chat (id, type, last_seq, created_at, updated_at)
      SELECT chat_id, 'WHATSAPP', $1, active_at, active_at FROM talk ORDER BY chat_id`,
    [MESSAGES_EACH],
  );
  await client.query(
    `INSERT INTO customer (id, tenant_id, wa_id, phone, name, created_at, updated_at)
      SELECT customer_id, $1, (15550000000 + i)::text, '+' || (15550000000 + i), 'Customer ' || i, now(), now()
      FROM talk ORDER BY customer_id`,
    [tenant.id],
  );
  await client.query(
    `INSERT INTO conversation (chat_id, tenant_id, customer_id, last_seq, active_at, read_seq)
      SELECT chat_id, $1, customer_id, $2::int, active_at, $2::int - (i <= ${UNREAD})::int FROM talk ORDER BY chat_id`,
    [tenant.id, MESSAGES_EACH],
  );
  await client.query(
    `INSERT INTO message (chat_id, seq, client_key, type, channel, text, mentions, created_at, search)
      SELECT chat_id, s, 's:' || s, 'TEXT', 'WHATSAPP', 'Where is my parcel number ' || i || '?', '{}', active_at,
        search_vector(search_prefix(chat_id, s), 'where is my parcel number ' || i)
      FROM talk, generate_series(1, $1::int) s ORDER BY active_at, s`,
    [MESSAGES_EACH],
  );
  await client.query(
    `INSERT INTO whatsapp_message (chat_id, seq, tenant_id, direction, phone_number_id, wamid, status, sent_at, payload)
      SELECT chat_id, s, $1, 'IN', $2, 'wamid.' || chat_id || s, 'SENT', active_at, '{"type":"text"}'
      FROM talk, generate_series(1, $3::int) s ORDER BY active_at, s`,
    [tenant.id, tenant.phoneNumberId, MESSAGES_EACH],
  );
  await client.query(
    'VACUUM ANALYZE chat, conversation, customer, message, whatsapp_message, tenant, tenant_agent',
  );
  const { rows } = await client.query<{ chat_id: string }>('SELECT chat_id FROM talk WHERE i = 1');
  return { ...tenant, chatId: rows[0]?.chat_id ?? '' };
}

/** A message of a customer's, as the server writes it. */
export async function receive(client: pg.Client, tenant: SeededTenant): Promise<void> {
  const side = {
    tenant_id: tenant.id,
    phone_number_id: tenant.phoneNumberId,
    direction: 'IN',
    status: 'SENT',
    wamid: `wamid.${randomUUID()}`,
    payload: {},
  };
  await client.query({ name: 'receive', text: 'SELECT * FROM append_channel_messages($1::json, now())' }, [
    JSON.stringify([
      { chat_id: tenant.chatId, key: `s:${randomUUID()}`, type: 'TEXT', text: 'Hello', terms: 'hello', side },
    ]),
  ]);
}
