import type { TestPerson } from '../support/app.js';
import type { TestTenant } from '../whatsapp/support/channel.js';

/** A tenant and all that belongs to it. */
export interface TenantStage {
  tenant: TestTenant;
  agent: TestPerson;
  newcomer: TestPerson;
  customer: string;
  chatId: string;
  /** Sent by the tenant's system. */
  messageId: string;
  deadLetterId: string;
  /** Of a delivery of the tenant's own webhook. */
  deliveryId: string;
  phoneNumberId: string;
}

export interface TenantRow {
  path: string;
  body?: unknown;
  /** What the tenant's own key gets. */
  status?: number;
  /** The path names something of the tenant's, besides the tenant, which another may not have by that name. */
  isOwn?: boolean;
}

export const SECRET_TEXT = 'what only the agents of one shop may read';
export const TEMPLATE_KEY = 'order.ready';
export const HOOK_SECRET = 'the secret of a webhook of theirs';

/** Routes of the operator alone. */
export const OPERATOR_ROUTES: Record<string, (s: TenantStage) => TenantRow> = {
  'POST /api/tenants/register': ({ phoneNumberId }) => ({
    path: '/api/tenants/register',
    body: { name: 'Another', phoneNumberId, accessToken: 'mock_x' },
    status: 201,
  }),
  'GET /api/tenants': () => ({ path: '/api/tenants' }),
  'GET /api/dead-letters': () => ({ path: '/api/dead-letters' }),
  'POST /api/dead-letters/{id}/retry': ({ deadLetterId }) => ({
    path: `/api/dead-letters/${deadLetterId}/retry`,
  }),
};

const at = ({ tenant }: TenantStage, rest = ''): string => `/api/tenants/${tenant.id}${rest}`;

/** Routes of a tenant, in an order in which it can do all of it one after the other. */
export const TENANT_ROUTES: Record<string, (s: TenantStage) => TenantRow> = {
  'GET /api/tenants/{tenantId}': (s) => ({ path: at(s) }),
  'PATCH /api/tenants/{tenantId}': (s) => ({ path: at(s), body: { name: 'Another name' } }),
  'GET /api/tenants/{tenantId}/agents': (s) => ({ path: at(s, '/agents') }),
  'POST /api/tenants/{tenantId}/agents': (s) => ({
    path: at(s, '/agents'),
    body: { userId: s.newcomer.id },
    status: 201,
  }),
  'DELETE /api/tenants/{tenantId}/agents/{userId}': (s) => ({
    path: at(s, `/agents/${s.agent.id}`),
    isOwn: true,
  }),
  'GET /api/tenants/{tenantId}/conversations': (s) => ({ path: at(s, '/conversations') }),
  'POST /api/tenants/{tenantId}/conversations/{chatId}/handoff': (s) => ({
    path: at(s, `/conversations/${s.chatId}/handoff`),
    isOwn: true,
  }),
  'POST /api/tenants/{tenantId}/conversations/{chatId}/release': (s) => ({
    path: at(s, `/conversations/${s.chatId}/release`),
    isOwn: true,
  }),
  'POST /api/tenants/{tenantId}/send': (s) => ({
    path: at(s, '/send'),
    body: { to: `+${s.customer}`, text: 'hello' },
    status: 202,
  }),
  'POST /api/tenants/{tenantId}/send/template': (s) => ({
    path: at(s, '/send/template'),
    body: { to: `+${s.customer}`, templateKey: TEMPLATE_KEY, variables: {} },
    status: 202,
  }),
  'GET /api/tenants/{tenantId}/messages/failed': (s) => ({ path: at(s, '/messages/failed') }),
  // It did not fail.
  'POST /api/tenants/{tenantId}/messages/{id}/retry': (s) => ({
    path: at(s, `/messages/${s.messageId}/retry`),
    isOwn: true,
    status: 422,
  }),
  'GET /api/tenants/{tenantId}/dead-letters': (s) => ({ path: at(s, '/dead-letters') }),
  'POST /api/tenants/{tenantId}/dead-letters/{id}/retry': (s) => ({
    path: at(s, `/dead-letters/${s.deadLetterId}/retry`),
    isOwn: true,
  }),
  'POST /api/tenants/{tenantId}/templates': (s) => ({
    path: at(s, '/templates'),
    body: { key: 'another', language: 'en', components: [{ type: 'body', text: 'Hi' }] },
    status: 201,
  }),
  'GET /api/tenants/{tenantId}/templates': (s) => ({ path: at(s, '/templates') }),
  // Its token never calls the network, so there is nobody to ask.
  'POST /api/tenants/{tenantId}/templates/sync': (s) => ({ path: at(s, '/templates/sync'), status: 422 }),
  'GET /api/tenants/{tenantId}/templates/{key}': (s) => ({
    path: at(s, `/templates/${TEMPLATE_KEY}`),
    isOwn: true,
  }),
  'PUT /api/tenants/{tenantId}/templates/{key}': (s) => ({
    path: at(s, `/templates/${TEMPLATE_KEY}`),
    body: { components: [{ type: 'body', text: 'Changed' }] },
    isOwn: true,
  }),
  'GET /api/tenants/{tenantId}/templates/{key}/versions': (s) => ({
    path: at(s, `/templates/${TEMPLATE_KEY}/versions`),
    isOwn: true,
  }),
  'POST /api/tenants/{tenantId}/templates/{key}/preview': (s) => ({
    path: at(s, `/templates/${TEMPLATE_KEY}/preview`),
    body: { variables: {} },
    isOwn: true,
  }),
  'DELETE /api/tenants/{tenantId}/templates/{key}': (s) => ({
    path: at(s, `/templates/${TEMPLATE_KEY}`),
    isOwn: true,
  }),
  'PUT /api/tenants/{tenantId}/webhooks': (s) => ({
    path: at(s, '/webhooks'),
    body: { url: 'http://127.0.0.1:9/elsewhere', secret: HOOK_SECRET },
  }),
  'GET /api/tenants/{tenantId}/webhooks': (s) => ({ path: at(s, '/webhooks') }),
  'GET /api/tenants/{tenantId}/webhooks/deliveries': (s) => ({ path: at(s, '/webhooks/deliveries') }),
  'POST /api/tenants/{tenantId}/webhooks/deliveries/{deliveryId}/replay': (s) => ({
    path: at(s, `/webhooks/deliveries/${s.deliveryId}/replay`),
    isOwn: true,
    status: 202,
  }),
  'DELETE /api/tenants/{tenantId}/webhooks': (s) => ({ path: at(s, '/webhooks') }),
  'POST /api/tenants/{tenantId}/flows': (s) => ({
    path: at(s, '/flows'),
    body: { flows: [] },
    status: 201,
  }),
  'GET /api/tenants/{tenantId}/flows': (s) => ({ path: at(s, '/flows') }),
  'POST /api/tenants/{tenantId}/flows/test': (s) => ({ path: at(s, '/flows/test'), body: { text: 'hi' } }),
};

/** Routes that end the tenant's key, tried last. */
export const LAST_ROUTES: Record<string, (s: TenantStage) => TenantRow> = {
  'POST /api/tenants/{tenantId}/api-key': (s) => ({ path: at(s, '/api-key') }),
  'DELETE /api/tenants/{tenantId}': (s) => ({ path: at(s) }),
};

/** Names of all rows, and of their aliases. */
export function routesOfTenants(): string[] {
  const names = [OPERATOR_ROUTES, TENANT_ROUTES, LAST_ROUTES].flatMap((rows) => Object.keys(rows));
  const aliases = names
    .filter((name) => name.includes(' /api/tenants'))
    .map((name) => name.replace('/api/', '/'));
  return [...names, ...aliases];
}
