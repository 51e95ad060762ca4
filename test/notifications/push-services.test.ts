import type { LookupFunction } from 'node:net';
import type { PushTarget } from '../../src/devices/devices.service.js';
import type { Push } from '../../src/notifications/push/push-provider.js';
import { readRetryAfter } from '../../src/notifications/push/push-provider.js';
import { publicOnly } from '../../src/infra/http/public-lookup.js';
import { WebPushProvider } from '../../src/notifications/push/webpush.provider.js';
import { FakeWebPush } from '../fakes/webpush.js';

const PUSH: Push = {
  payload: {
    chatId: 'c',
    messageId: 'c.1',
    seq: 1,
    title: 'Ann',
    body: 'hello',
    unreadCount: 1,
    mentioned: false,
  },
  topic: 'topic',
};

let service: FakeWebPush;

beforeAll(async () => {
  service = await FakeWebPush.start();
});

afterAll(() => service.stop());

function provider(allowPrivate: boolean): WebPushProvider {
  return new WebPushProvider({ ...service.vapid, allowPrivate, ca: service.ca });
}

function target(endpoint: string): PushTarget {
  const { keys } = service.subscribe();
  return {
    provider: 'webpush',
    userId: 'u',
    deviceId: 'd',
    registeredAt: new Date(),
    subscription: { endpoint, keys },
  };
}

describe('a subscription that leads into a private network', () => {
  it.each(['127.0.0.1', '[::1]', '10.0.0.1', '169.254.169.254', '[::ffff:127.0.0.1]', 'localhost'])(
    'is refused at %s without a connection',
    async (host) => {
      const port = new URL(service.subscribe().endpoint).port;
      const before = service.connections;
      await expect(provider(false).send(target(`https://${host}:${port}/push/x`), PUSH)).rejects.toThrow(
        /private network/,
      );
      expect(service.connections).toBe(before);
    },
  );

  it('is refused when only the address behind its name shows it', async () => {
    const found: LookupFunction = (_name, _options, callback) => {
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    const outcome = await new Promise((resolve) => {
      publicOnly(found)('push.example.com', { all: true }, (error, addresses) => {
        resolve(error?.code ?? addresses);
      });
    });
    expect(outcome).toBe('EPRIVATE');
  });

  it('is left out among the addresses of a name', async () => {
    const both = [
      { address: '10.0.0.1', family: 4 },
      { address: '93.184.215.14', family: 4 },
    ];
    const found: LookupFunction = (_name, _options, callback) => {
      callback(null, both);
    };
    const ask = (all: boolean): Promise<unknown> =>
      new Promise((resolve) => {
        publicOnly(found)('push.example.com', { all }, (_error, addresses) => {
          resolve(addresses);
        });
      });
    expect(await ask(true)).toEqual([both[1]]);
    expect(await ask(false)).toBe('93.184.215.14');
  });
});

it('gives up a push service that never answers, to try it later', async () => {
  const subscription = service.subscribe();
  service.refuse(subscription.id, { status: 0, hangs: true });
  const { endpoint, keys } = subscription;
  const there: PushTarget = { ...target(endpoint), provider: 'webpush', subscription: { endpoint, keys } };
  await expect(provider(true).send(there, PUSH)).rejects.toMatchObject({
    name: 'PushUnavailable',
    retryAfterMs: null,
  });
});

it.each([
  ['0', 0],
  ['120', 120_000],
  ['Fri, 20 Nov 2026 10:00:30 GMT', 30_000],
  ['Fri, 20 Nov 2026 09:00:00 GMT', 0],
  ['999999999', 3_600_000],
  ['soon', null],
  ['', null],
  [undefined, null],
])('reads Retry-After %p as %p ms', (value, expected) => {
  expect(readRetryAfter(value, Date.parse('2026-11-20T10:00:00Z'))).toBe(expected);
});
