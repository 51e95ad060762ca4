import { createHmac, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { JsonClient } from './json-client.js';
import { registerPeople, type Person } from './people.js';

/** The secrets that the measured server is started with. */
export const BENCH_ENV = {
  APP_SECRET: 'the secret of the app at Meta',
  MASTER_KEY: 'the master key of the measured server',
};

export interface BenchTenant {
  id: string;
  phoneNumberId: string;
  wabaId: string;
}

/** A tenant with agents. */
export async function openTenant(
  client: JsonClient,
  agents: number,
): Promise<{ tenant: BenchTenant; people: Person[] }> {
  const numbers = { phoneNumberId: '106540352242922', wabaId: '102290129340398' };
  const { id } = await client.ask<{ id: string }>('POST', '/api/tenants/register', BENCH_ENV.MASTER_KEY, {
    name: 'Bench',
    ...numbers,
    accessToken: 'mock_bench',
    autoReply: false,
  });
  const people = await registerPeople(client, agents);
  for (const { id: userId } of people) {
    await client.ask('POST', `/api/tenants/${id}/agents`, BENCH_ENV.MASTER_KEY, { userId });
  }
  return { tenant: { id, ...numbers }, people };
}

/** One of `messages[]`, as long as they usually are. */
export function textFrom(customer: string, wamid: string, body: string): object {
  return {
    from: customer,
    id: wamid,
    timestamp: String(Math.floor(Date.now() / 1000)),
    text: { body },
    type: 'text',
  };
}

export function newWamid(): string {
  return `wamid.HBgL${randomUUID().replaceAll('-', '').toUpperCase()}AA==`;
}

export function customerNumber(index: number): string {
  return `1650555${String(index).padStart(4, '0')}`;
}

/** Meta's envelope around one change of `messages`. */
export function envelope(tenant: BenchTenant, value: object): string {
  return JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: tenant.wabaId,
        changes: [
          {
            value: {
              messaging_product: 'whatsapp',
              metadata: { display_phone_number: '15550783881', phone_number_id: tenant.phoneNumberId },
              ...value,
            },
            field: 'messages',
          },
        ],
      },
    ],
  });
}

export function contactsOf(customers: Iterable<string>): object[] {
  return [...new Set(customers)].map((wa_id) => ({ profile: { name: `Customer ${wa_id}` }, wa_id }));
}

/** Posts signed webhooks over connections that stay open. */
export class WebhookSender {
  private readonly agent: Agent;

  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections, noDelay: true });
  }

  /** Resolves with the status. */
  async post(body: string): Promise<number> {
    const signature = createHmac('sha256', BENCH_ENV.APP_SECRET).update(body).digest('hex');
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'X-Hub-Signature-256': `sha256=${signature}`,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${this.url}/whatsapp/webhook`,
        { method: 'POST', headers, agent: this.agent },
        (response) => {
          response.resume();
          response.once('error', reject);
          response.once('end', () => {
            resolve(response.statusCode ?? 0);
          });
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
