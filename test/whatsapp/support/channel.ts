import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { postWebhook } from '../../fakes/graph-webhooks.js';
import { SECRETS, type TestApp, type TestPerson } from '../../support/app.js';
import type { TestHttp } from '../../support/http.js';

export const APP_SECRET = 'the secret of the app at Meta';

/** A tenant, by its keys. */
export interface TestTenant {
  id: string;
  name: string;
  phoneNumberId: string;
  wabaId: string;
  displayPhoneNumber: string;
  apiKey: string;
  /** Calls as the tenant's own system. */
  http: TestHttp;
}

export interface NewTenant {
  name?: string;
  phoneNumberId?: string;
  wabaId?: string;
  displayPhoneNumber?: string;
  accessToken?: string;
  autoReply?: boolean;
  enforceWindow?: boolean;
}

/** Calls as the operator. */
export function operator(app: TestApp): TestHttp {
  return app.http(SECRETS.MASTER_KEY);
}

/** A tenant that never calls the network and never answers by itself, unless told otherwise. */
export async function registerTenant(app: TestApp, given: NewTenant = {}): Promise<TestTenant> {
  const {
    name = `Shop ${randomUUID().slice(0, 8)}`,
    phoneNumberId = randomDigits(),
    wabaId = randomDigits(),
    displayPhoneNumber = `1555${randomDigits().slice(-7)}`,
    accessToken = 'mock_token',
    autoReply = false,
    ...more
  } = given;
  const answer = await operator(app).post('/api/tenants/register', {
    name,
    phoneNumberId,
    wabaId,
    accessToken,
    autoReply,
    ...more,
  });
  if (answer.status !== 201) throw new Error(`no tenant: ${JSON.stringify(answer.body)}`);
  const { id, apiKey } = answer.data as { id: string; apiKey: string };
  return { id, name, phoneNumberId, wabaId, displayPhoneNumber, apiKey, http: app.http(apiKey) };
}

/** Makes somebody an agent. */
export async function hire(app: TestApp, tenant: TestTenant, person: TestPerson): Promise<void> {
  const answer = await operator(app).post(`/api/tenants/${tenant.id}/agents`, { userId: person.id });
  if (answer.status >= 300) throw new Error(`not hired: ${JSON.stringify(answer.body)}`);
}

/** Posts a webhook as Meta does, and @throws Error unless it is answered with 200 and the envelope. */
export async function deliver(app: TestApp, body: unknown): Promise<void> {
  const answer = await postWebhook(`${app.url}/whatsapp/webhook`, body, APP_SECRET);
  if (answer.status !== 200 || (answer.body as { status?: unknown }).status !== 'success') {
    throw new Error(`the webhook answers ${answer.status}: ${JSON.stringify(answer.body)}`);
  }
}

/** Resolves when everything that was posted has been worked off. @throws Error after `patienceMs` */
export async function settled(app: TestApp, patienceMs = 10_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const rows = await app.sql<{ open: number }>(
      'SELECT count(*)::int AS open FROM webhook_event WHERE processed_at IS NULL',
    );
    if (rows[0]?.open === 0) return;
    if (performance.now() > deadline) throw new Error(`${rows[0]?.open} webhooks are still open`);
    await sleep(10);
  }
}

/** Posts it and waits until it has been worked off. */
export async function takeIn(app: TestApp, body: unknown): Promise<void> {
  await deliver(app, body);
  await settled(app);
}

function randomDigits(): string {
  return String(BigInt(`0x${randomUUID().replaceAll('-', '')}`)).slice(0, 15);
}
