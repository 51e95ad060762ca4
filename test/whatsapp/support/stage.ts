import { LOOK_AGAIN_MS } from '../../../src/whatsapp/hooks/hook-wakeups.js';
import { envelope, metadataOf } from '../../fakes/graph-webhooks.js';
import { HOOK_SECRET, SECRET_TEXT, TEMPLATE_KEY, type TenantStage } from '../../frame/routes-of-tenants.js';
import type { TestApp } from '../../support/app.js';
import { eventually } from '../../support/eventually.js';
import { inbound } from './bodies.js';
import { hire, registerTenant, takeIn } from './channel.js';

/**
 * A tenant with an agent, a customer who wrote, an answer, a template, a webhook that nobody answers and something that
 * could not be applied. The app needs `HOOKS_ALLOW_PRIVATE`.
 */
export async function makeTenantStage(app: TestApp, customer: string): Promise<TenantStage> {
  const tenant = await registerTenant(app, { name: 'The shop with secrets' });
  const [agent, newcomer] = await Promise.all([app.registerUser(), app.registerUser()]);
  await hire(app, tenant, agent);
  const hook = { url: 'http://127.0.0.1:9/hook', secret: HOOK_SECRET };
  const hooked = await tenant.http.put(`/api/tenants/${tenant.id}/webhooks`, hook);
  const timestamp = String(Math.floor(app.clock.nowMs() / 1000));
  await takeIn(app, inbound(tenant, customer, { timestamp, text: { body: SECRET_TEXT } }));
  const unknown = { metadata: metadataOf(tenant), text: SECRET_TEXT };
  await takeIn(app, envelope(tenant.wabaId, 'quantum_update', unknown));
  const sent = await tenant.http.post(`/api/tenants/${tenant.id}/send`, {
    to: `+${customer}`,
    text: SECRET_TEXT,
  });
  const template = await tenant.http.post(`/api/tenants/${tenant.id}/templates`, {
    key: TEMPLATE_KEY,
    language: 'en',
    components: [{ type: 'body', text: SECRET_TEXT }],
  });
  if (hooked.status !== 200 || sent.status !== 202 || template.status !== 201)
    throw new Error(`no stage: ${JSON.stringify([hooked.body, sent.body, template.body])}`);
  const deliveries = await eventually(
    () => {
      app.clock.advance(LOOK_AGAIN_MS);
      return tenant.http.get<{ id: string }[]>(`/api/tenants/${tenant.id}/webhooks/deliveries`);
    },
    ({ data }) => data.length > 0,
  );
  const letters = await tenant.http.get(`/api/tenants/${tenant.id}/dead-letters`);
  const { messageId, chatId } = sent.data as { messageId: string; chatId: string };
  return {
    tenant,
    agent,
    newcomer,
    customer,
    chatId,
    messageId,
    deadLetterId: letters.data[0].id as string,
    deliveryId: deliveries.data[0]!.id,
    phoneNumberId: `9${tenant.phoneNumberId.slice(1)}`,
  };
}

/** What nobody outside of the tenant may see of it. */
export function secretsOf({ tenant, agent, customer, chatId }: TenantStage): string[] {
  return [
    tenant.id,
    tenant.name,
    tenant.phoneNumberId,
    tenant.apiKey,
    agent.id,
    agent.email,
    customer,
    chatId,
    SECRET_TEXT,
  ];
}
