import { createECDH, randomBytes } from 'node:crypto';
import { DevicesService } from '../../src/devices/devices.service.js';
import type { Config } from '../../src/infra/config/config.js';
import { startApp, useApp, type TestPerson } from '../support/app.js';

const pair = createECDH('prime256v1');
pair.generateKeys();
const webpush = {
  subject: 'mailto:us@example.com',
  publicKey: pair.getPublicKey('base64url'),
  privateKey: pair.getPrivateKey('base64url'),
  allowPrivate: false,
};
const fcm = {
  projectId: 'p',
  clientEmail: 'p@example.com',
  privateKey: '',
  apiBase: 'http://127.0.0.1:1',
  tokenUrl: 'http://127.0.0.1:1',
};
const push: Config['push'] = { webpush, fcm };
const app = useApp({ config: { push } });

const keys = { p256dh: pair.getPublicKey('base64url'), auth: randomBytes(16).toString('base64url') };
const subscriptionTo = (endpoint: string) => ({ provider: 'webpush', subscription: { endpoint, keys } });
const register = (person: TestPerson, deviceId: string, body: object) =>
  person.http.put(`/api/devices/${deviceId}/push`, body);
const targetsOf = (...people: TestPerson[]) =>
  app.running.nest.get(DevicesService).listPushTargets(people.map(({ id }) => id));

let number = 0;
const newEndpoint = () => `https://push.example.com/send/${number++}`;

async function personWith(...deviceIds: string[]): Promise<TestPerson> {
  const person = await app.registerUser();
  const { email, password } = person;
  for (const deviceId of deviceIds) await app.http().post('/api/auth/login', { email, password, deviceId });
  return person;
}

describe('PUT /api/devices/:deviceId/push', () => {
  it('keeps a subscription of the browser, as it gives it, and tells the devices', async () => {
    const ann = await personWith('laptop');
    const socket = await app.connect(ann);
    const endpoint = newEndpoint();
    const body = { provider: 'webpush', subscription: { endpoint, expirationTime: null, keys } };
    const answer = await register(ann, 'laptop', body);
    expect(answer.status).toBe(200);
    expect(answer.data).toMatchObject({ deviceId: 'laptop', pushProvider: 'webpush' });
    expect(await socket.next('devices-updated')).toEqual({ devices: [answer.data] });
    expect(await targetsOf(ann)).toEqual([
      {
        userId: ann.id,
        deviceId: 'laptop',
        registeredAt: app.clock.now(),
        provider: 'webpush',
        subscription: { endpoint, keys },
      },
    ]);
  });

  it('keeps a token, and a later one in its place', async () => {
    const ann = await personWith('phone');
    await register(ann, 'phone', { provider: 'fcm', token: 'first of ann' });
    await register(ann, 'phone', { provider: 'fcm', token: 'second of ann' });
    expect(await targetsOf(ann)).toEqual([
      expect.objectContaining({ deviceId: 'phone', provider: 'fcm', token: 'second of ann' }),
    ]);
  });

  it('moves a subscription that is registered elsewhere, also from another account', async () => {
    const [ann, ben] = await Promise.all([personWith('old', 'new'), personWith('bens')]);
    const body = subscriptionTo(newEndpoint());
    await register(ann, 'old', body);
    await register(ann, 'new', body);
    expect((await targetsOf(ann)).map(({ deviceId }) => deviceId)).toEqual(['new']);
    const socket = await app.connect(ann);
    await register(ben, 'bens', body);
    expect((await targetsOf(ann, ben)).map(({ userId }) => userId)).toEqual([ben.id]);
    const { devices } = await socket.next('devices-updated');
    expect(devices.map((one: { pushProvider: unknown }) => one.pushProvider)).toEqual([null, null]);
  });

  it('leaves it with one device when many register it at once', async () => {
    const people = await Promise.all([1, 2, 3, 4].map(() => personWith('d')));
    const body = subscriptionTo(newEndpoint());
    const answers = await Promise.all(people.map((person) => register(person, 'd', body)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await targetsOf(...people)).toHaveLength(1);
  });

  it.each([
    ['no provider', { token: 't' }],
    ['another provider', { provider: 'pigeon', token: 't' }],
    ['no subscription', { provider: 'webpush' }],
    ['a token instead', { provider: 'webpush', token: 't' }],
    ['both', { ...subscriptionTo('https://push.example.com/x'), token: 't' }],
    ['no token', { provider: 'fcm' }],
    ['an empty token', { provider: 'fcm', token: '' }],
    ['a token of 1,501', { provider: 'fcm', token: 'x'.repeat(1_501) }],
    ['a subscription instead', { provider: 'fcm', subscription: { endpoint: 'https://a.example', keys } }],
    ['a field more', { provider: 'fcm', token: 't', more: 1 }],
    ['plain http', subscriptionTo('http://push.example.com/x')],
    ['no address', subscriptionTo('push.example.com')],
    ['a user in it', subscriptionTo('https://a:b@push.example.com/x')],
    ['no keys', { provider: 'webpush', subscription: { endpoint: 'https://push.example.com/x' } }],
    [
      'keys that are none',
      {
        provider: 'webpush',
        subscription: { endpoint: 'https://push.example.com/x', keys: { p256dh: 'x', auth: keys.auth } },
      },
    ],
    ['a private address', subscriptionTo('https://10.0.0.8/x')],
    ['the host itself', subscriptionTo('https://localhost:8443/x')],
  ])('refuses %s', async (_name, body) => {
    const ann = await personWith('d');
    const answer = await register(ann, 'd', body);
    expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(await targetsOf(ann)).toEqual([]);
  });

  it('refuses a provider that is not configured', async () => {
    const plain = await startApp({ shareDatabaseWith: app });
    const ann = await personWith('d');
    const on = plain.http(ann.token);
    for (const body of [
      subscriptionTo(newEndpoint()),
      { provider: 'fcm', token: 't' },
      { provider: 'apns', token: 't' },
    ]) {
      const answer = await on.put('/api/devices/d/push', body);
      expect([answer.status, answer.code]).toEqual([422, 'PROVIDER_UNAVAILABLE']);
      expect((await on.put('/api/devices/other/push', body)).code).toBe('PROVIDER_UNAVAILABLE');
    }
    await plain.close();
  });

  it('takes a private address where the configuration allows it', async () => {
    const own = await startApp({
      shareDatabaseWith: app,
      config: { push: { webpush: { ...webpush, allowPrivate: true } } },
    });
    const ann = await personWith('d');
    const answer = await own
      .http(ann.token)
      .put('/api/devices/d/push', subscriptionTo('https://127.0.0.1:8443/x'));
    expect(answer.status).toBe(200);
    await own.close();
  });
});

describe('where notifications go', () => {
  it('ends with the session, and stays when the device signs in again', async () => {
    const ann = await personWith('kept', 'left');
    await register(ann, 'kept', { provider: 'fcm', token: `kept of ${ann.id}` });
    await register(ann, 'left', { provider: 'fcm', token: `left of ${ann.id}` });
    const { email, password } = ann;
    await app.http().post('/api/auth/login', { email, password, deviceId: 'kept' });
    await ann.http.delete('/api/devices/left');
    expect((await targetsOf(ann)).map(({ deviceId }) => deviceId)).toEqual(['kept']);
    await ann.http.post('/api/auth/change-password', {
      currentPassword: password,
      newPassword: 'a new password',
    });
    expect(await targetsOf(ann)).toEqual([]);
  });

  it('can be forgotten, unless it was registered again since', async () => {
    const ann = await personWith('d');
    const devices = app.running.nest.get(DevicesService);
    await register(ann, 'd', { provider: 'fcm', token: `one of ${ann.id}` });
    const first = app.clock.now();
    app.clock.advance(1_000);
    await register(ann, 'd', { provider: 'fcm', token: `two of ${ann.id}` });
    await devices.removePush(ann.id, 'd', first);
    expect(await targetsOf(ann)).toHaveLength(1);
    await devices.removePush(ann.id, 'd', app.clock.now());
    expect(await targetsOf(ann)).toEqual([]);
    expect((await ann.http.get('/api/devices')).data).toEqual([
      expect.objectContaining({ deviceId: 'd', pushProvider: null }),
    ]);
  });
});
