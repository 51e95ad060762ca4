import type { WebhookSource } from '../../../src/whatsapp/webhook/webhook-items.js';
import type { TestApp } from '../../support/app.js';
import { newWamid } from './bodies.js';
import type { TestTenant } from './channel.js';
import {
  bare,
  change,
  conversationsOf,
  message,
  messageOf,
  messagesOf,
  secondsOf,
  status,
  take,
  type StoredConversation,
  type StoredMessage,
  type Taken,
} from './taking.js';

type Fields = Record<string, unknown>;

export const CUSTOMER = '16505551234';

/** A line of what is known of Meta's webhooks, and what the server makes of it. */
export interface FactRow {
  part: '1.5' | '1.6' | '1.7' | '1.8' | '1.9';
  line: string;
  check: (tenant: FactTenant) => Promise<void>;
}

/** A tenant of its own for one row. */
export interface FactTenant {
  app: TestApp;
  tenant: TestTenant;
  now: () => string;
  take: (body: unknown, source?: WebhookSource) => Promise<Taken>;
  /** Takes a change of a field of the tenant's number. */
  change: (field: string, value: Fields) => Promise<Taken>;
  /** Takes a change that names no number. */
  bare: (field: string, value: Fields) => Promise<Taken>;
  /** Takes a customer's message and returns what was stored of it. */
  shown: (fields: Fields, more?: Fields) => Promise<StoredMessage>;
  /** Takes a customer's message that is to be stored in no row of its own. */
  told: (fields: Fields, more?: Fields) => Promise<Taken>;
  /** Takes a status of a message. */
  status: (fields: Fields) => Promise<Taken>;
  stored: (wamid: string) => Promise<StoredMessage>;
  messages: () => Promise<StoredMessage[]>;
  conversations: () => Promise<StoredConversation[]>;
  /** A message of the business's that is sent already. */
  outgoing: () => Promise<string>;
}

export function factTenant(app: TestApp, tenant: TestTenant): FactTenant {
  const now = (): string => secondsOf(app.clock.now());
  const customerMessage = (fields: Fields): Fields & { id: string } => ({
    from: CUSTOMER,
    id: newWamid(),
    timestamp: now(),
    ...fields,
  });
  return {
    app,
    tenant,
    now,
    take: (body, source) => take(app, body, source),
    change: (field, value) => take(app, change(tenant, field, value)),
    bare: (field, value) => take(app, bare(tenant, field, value)),
    async shown(fields, more) {
      const whole = customerMessage(fields);
      const taken = await take(app, message(tenant, whole, more));
      if (taken.applied !== 1 || taken.refused.length > 0) throw new Error(JSON.stringify(taken));
      return messageOf(app, tenant, whole.id);
    },
    told: (fields, more) => take(app, message(tenant, customerMessage(fields), more)),
    status: (fields) => take(app, status(tenant, { timestamp: now(), ...fields })),
    stored: (wamid) => messageOf(app, tenant, wamid),
    messages: () => messagesOf(app, tenant),
    conversations: () => conversationsOf(app, tenant),
    async outgoing() {
      const wamid = newWamid();
      const sent = { from: tenant.displayPhoneNumber, id: wamid, type: 'text', text: { body: 'hello' } };
      await take(app, message(tenant, sent, { contacts: [{ wa_id: CUSTOMER }] }));
      return wamid;
    },
  };
}
