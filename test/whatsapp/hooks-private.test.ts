import { connect } from 'node:net';
import { once } from 'node:events';
import type { LookupFunction, Socket } from 'node:net';
import { HookClient, refusingPrivate } from '../../src/whatsapp/hooks/hook-client.js';
import { LOOK_AGAIN_MS } from '../../src/whatsapp/hooks/hook-wakeups.js';
import { startApp, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { registerTenant } from './support/channel.js';
import { cross, makeConversation } from './support/conversations.js';
import { HookReceiver } from './support/hook-receiver.js';

const SECRET = 'a secret of the tenant';
const PRIVATE = 'the address lies in a private network';
const app = useApp();
let receiver: HookReceiver;
beforeEach(async () => {
  receiver = await new HookReceiver().start();
});
afterEach(() => receiver.close());

/** A resolver that knows one answer after the other; the last one stays. */
function resolving(...answers: string[][]): LookupFunction {
  let asked = 0;
  return (_hostname, options, callback) => {
    const addresses = (answers[Math.min(asked++, answers.length - 1)] ?? []).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    const [first] = addresses;
    if (!first) callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '', 4);
    else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  };
}

async function using<T>(client: HookClient, work: (client: HookClient) => Promise<T>): Promise<T> {
  try {
    return await work(client);
  } finally {
    await client.onModuleDestroy();
  }
}

describe('a webhook into a private network', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://%31%32%37.0.0.1/',
    'http://１２７.0.0.1/',
    'https://127.0.0.1:8443/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:0:127.0.0.1]/',
    'http://[::127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001::1]/',
    'http://[fe80::1]/',
    'http://[fd00::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
    'http://localhost/',
    'http://LOCALHOST./',
    'http://some.localhost/',
    'http://printer.local/',
    'http://metadata.google.internal/',
    'http://intranet/',
    'http://router.home.arpa/',
  ])('is refused when it is set: %s', async (url) => {
    const tenant = await registerTenant(app);
    const answer = await tenant.http.put(`/api/tenants/${tenant.id}/webhooks`, { url, secret: SECRET });
    expect(answer.status).toBe(422);
    expect(answer.code).toBe('PRIVATE_ADDRESS');
    expect((await tenant.http.get(`/api/tenants/${tenant.id}/webhooks`)).code).toBe('WEBHOOK_NOT_FOUND');
  });

  it('is not called when the server no longer allows what it allowed', async () => {
    const allowing = await startApp({ env: { HOOKS_ALLOW_PRIVATE: 'true' } });
    const tenant = await registerTenant(allowing);
    const path = `/api/tenants/${tenant.id}/webhooks`;
    await tenant.http.put(path, { url: receiver.url, secret: SECRET });
    const strict = await startApp({ shareDatabaseWith: allowing });
    await allowing.running.close();
    try {
      await cross(strict, tenant, await makeConversation(strict, tenant));
      const [delivery] = await eventually(
        async () => {
          strict.clock.advance(LOOK_AGAIN_MS);
          const http = strict.http(tenant.apiKey);
          return (await http.get<{ attempts: number; lastError: string | null }[]>(`${path}/deliveries`))
            .data;
        },
        ([first]) => (first?.lastError ?? null) !== null,
      );
      expect(delivery).toMatchObject({ state: 'PENDING', lastStatus: null, lastError: PRIVATE });
      expect(receiver.connections).toBe(0);
    } finally {
      await strict.close();
      await allowing.close();
    }
  });
});

describe('the client', () => {
  it.each([['127.0.0.1'], ['::ffff:127.0.0.1'], ['::1'], ['10.0.0.1', '127.0.0.1']])(
    'calls no name that leads to %s',
    async (...addresses) => {
      const lookup = resolving(addresses);
      await using(new HookClient({ allowPrivate: false, lookup }), async (client) => {
        const url = `http://shop.example.com:${receiver.port}/`;
        expect(await client.isPrivate(url)).toBe(true);
        expect(await client.post(url, {}, '{}')).toEqual({ status: null, problem: PRIVATE });
      });
      expect(receiver.connections).toBe(0);
    },
  );

  it('refuses a name when any of its addresses is private', async () => {
    const lookup = resolving(['93.184.216.34', '127.0.0.1']);
    await using(new HookClient({ allowPrivate: false, lookup }), async (client) => {
      expect(await client.isPrivate('https://shop.example.com/')).toBe(true);
    });
  });

  it('is not taken in by a name that leads elsewhere once it has been looked at', async () => {
    const lookup = resolving(['93.184.216.34'], ['127.0.0.1']);
    await using(new HookClient({ allowPrivate: false, lookup }), async (client) => {
      const url = `http://shop.example.com:${receiver.port}/`;
      expect(await client.isPrivate(url)).toBe(false);
      expect(await client.post(url, {}, '{}')).toEqual({ status: null, problem: PRIVATE });
    });
    expect(receiver.connections).toBe(0);
  });

  it('reaches the same receiver by the same name where private addresses are allowed', async () => {
    await using(new HookClient({ allowPrivate: true, lookup: resolving(['127.0.0.1']) }), async (client) => {
      const url = `http://shop.example.com:${receiver.port}/`;
      expect(await client.isPrivate(url)).toBe(false);
      expect(await client.post(url, {}, '{}')).toEqual({ status: 204, problem: null });
    });
  });

  it('takes a name that nobody knows for one that may be known later, and does not reach it', async () => {
    await using(new HookClient({ allowPrivate: false, lookup: resolving([]) }), async (client) => {
      expect(await client.isPrivate('https://shop.example.com/')).toBe(false);
      expect(await client.post('https://shop.example.com/', {}, '{}')).toEqual({
        status: null,
        problem: 'no answer: ENOTFOUND',
      });
    });
  });

  it('looks at the address it is connected to, however it came there', async () => {
    let reached: Socket | undefined;
    const anywhere = refusingPrivate((_options, callback) => {
      const socket = connect(receiver.port, '127.0.0.1', () => {
        callback(null, socket);
      });
      reached = socket;
    });
    const [error, socket] = await new Promise<[Error | null, Socket | null]>((resolve) => {
      const options = { hostname: 'shop.example.com', protocol: 'http:', port: String(receiver.port) };
      anywhere(options, (...outcome) => {
        resolve(outcome);
      });
    });
    expect(error).toMatchObject({ code: 'EPRIVATE' });
    expect(socket).toBeNull();
    if (reached && !reached.closed) await once(reached, 'close');
    expect(receiver.received).toEqual([]);
  });
});
