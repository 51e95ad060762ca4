import { randomUUID } from 'node:crypto';
import { ChannelMessages, type ChannelMessage } from '../../../src/messages/channel-messages.js';
import type { EventMessageBody } from '../../../src/chats/message.dto.js';
import type { TestApp, TestPerson } from '../../support/app.js';

/** A tenant in the database, without a key. */
export interface BareTenant {
  id: string;
  phoneNumberId: string;
}

/** Puts a tenant with these agents into the database. */
export async function makeTenant(app: TestApp, agents: readonly TestPerson[]): Promise<BareTenant> {
  const tenant = { id: randomUUID(), phoneNumberId: randomUUID() };
  await app.sql(
    `INSERT INTO tenant (id, name, phone_number_id, is_mock, created_at, updated_at)
      VALUES ($1, 'Shop', $2, true, $3, $3)`,
    [tenant.id, tenant.phoneNumberId, app.clock.now()],
  );
  for (const agent of agents) await setAgent(app, tenant, agent, true);
  return tenant;
}

/** Hires somebody, again too, or lets them go, as the server does it: under the tenant's lock. */
export async function setAgent(
  app: TestApp,
  tenant: BareTenant,
  person: Pick<TestPerson, 'id'>,
  works: boolean,
): Promise<void> {
  await app.sql(
    `WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(lock_tenant_key($1))),
      counted AS (UPDATE tenant SET agents_seq = agents_seq + 1 WHERE id = $1 AND (SELECT count(*) FROM locked) = 1
        RETURNING agents_seq)
      INSERT INTO tenant_agent (tenant_id, user_id, joined_at, joined_seq)
      SELECT $1, $2, $3, agents_seq FROM counted
      ON CONFLICT (tenant_id, user_id) DO UPDATE SET
        left_at = CASE WHEN $4::boolean THEN NULL ELSE $3::timestamptz END,
        joined_at = CASE WHEN $4 THEN excluded.joined_at ELSE tenant_agent.joined_at END`,
    [tenant.id, person.id, app.clock.now(), works],
  );
}

/** Puts a conversation with a new customer into the database. Returns its chat's id. */
export async function makeConversation(
  app: TestApp,
  tenant: BareTenant,
  customer: { name?: string; waId?: string } = {},
): Promise<string> {
  const { name = 'Kerry', waId = String(Math.floor(Math.random() * 1e12)) } = customer;
  const [chatId, customerId] = [randomUUID(), randomUUID()];
  const now = app.clock.now();
  await app.sql(
    `WITH c AS (INSERT INTO chat (id, type, created_at, updated_at) VALUES ($1, 'WHATSAPP', $5, $5)),
      u AS (INSERT INTO customer (id, tenant_id, wa_id, phone, name, created_at, updated_at)
        VALUES ($2, $3, $4, '+' || $4, $6, $5, $5))
      INSERT INTO conversation (chat_id, tenant_id, customer_id, active_at) VALUES ($1, $3, $2, $5)`,
    [chatId, customerId, tenant.id, waId, now, name],
  );
  return chatId;
}

export function channelOf(app: TestApp): ChannelMessages {
  return app.running.nest.get(ChannelMessages, { strict: false });
}

/** A message crosses the channel; unless told otherwise a text of the customer's. */
export async function cross(
  app: TestApp,
  tenant: BareTenant,
  chatId: string,
  more: Partial<ChannelMessage> = {},
): Promise<EventMessageBody> {
  const { text = 'hello' } = more;
  const written = await channelOf(app).write({
    chatId,
    tenantId: tenant.id,
    phoneNumberId: tenant.phoneNumberId,
    senderId: null,
    type: 'TEXT',
    text,
    status: 'SENT',
    direction: 'IN',
    wamid: `wamid.${randomUUID()}`,
    from: '15550001',
    to: null,
    sentAt: app.clock.now(),
    payload: { type: 'text', text: { body: text } },
    ...more,
  });
  if (written.outcome !== 'CREATED') throw new Error(`not written: ${written.outcome}`);
  return written.message;
}

/** Meta tells a status of a message, or of one with this id. */
export async function tell(
  app: TestApp,
  message: EventMessageBody | string,
  status: 'sent' | 'delivered' | 'read' | 'failed',
): Promise<void> {
  await channelOf(app).applyStatus({
    wamid: typeof message === 'string' ? message : (message.whatsapp?.waMessageId ?? ''),
    phoneNumberId: null,
    status,
    at: app.clock.now(),
    ...(status === 'failed' && { error: { code: '131026', message: 'Message undeliverable' } }),
    item: {},
  });
}
