import { randomUUID } from 'node:crypto';
import { startApp, useApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makePair } from '../support/people.js';

const app = useApp();

interface Device {
  deviceId: string;
  deviceName: string | null;
  createdAt: string;
  lastSeenAt: string;
  pushProvider: string | null;
}

const login = async ({ email, password }: TestPerson, device: object = {}) =>
  (await app.http().post('/api/auth/login', { email, password, ...device })).data as {
    token: string;
    refreshToken: string;
  };
const devicesOf = async (token: string, on: TestApp = app) =>
  (await on.http(token).get<Device[]>('/api/devices')).data;
const idsOf = (devices: readonly Device[]) => devices.map(({ deviceId }) => deviceId).sort();
const codeOf = async (token: string, on: TestApp = app) =>
  (await on.http(token).get('/api/auth/profile')).code;

describe('a device becomes known', () => {
  it('by signing in with it', async () => {
    const ann = await app.registerUser();
    expect(await devicesOf(ann.token)).toEqual([]);
    const at = app.clock.now().toISOString();
    await login(ann, { deviceId: 'phone', deviceName: 'Ann’s phone' });
    expect(await devicesOf(ann.token)).toEqual([
      { deviceId: 'phone', deviceName: 'Ann’s phone', createdAt: at, lastSeenAt: at, pushProvider: null },
    ]);
  });

  it('by connecting with it, and only the first time the list changes', async () => {
    const ann = await app.registerUser();
    const watcher = await app.connect(ann);
    const socket = await app.connect(ann, { deviceId: 'tablet', deviceName: 'Tablet' });
    const [told] = (await watcher.next<{ devices: Device[] }>('devices-updated')).devices;
    expect(told).toMatchObject({ deviceId: 'tablet', deviceName: 'Tablet' });
    socket.disconnect();
    const again = await app.connect(ann, { deviceId: 'tablet', deviceName: 'Tablet' });
    await again.barrier();
    await watcher.barrier();
    expect(watcher.all('devices-updated')).toHaveLength(1);

    await app.connect(ann, { deviceId: 'tablet', deviceName: 'Old tablet' });
    expect((await watcher.next('devices-updated')).devices[0].deviceName).toBe('Old tablet');
    await app.connect(ann, { deviceId: 'tablet' });
    expect(await devicesOf(ann.token)).toEqual([expect.objectContaining({ deviceName: 'Old tablet' })]);
  });

  it('by the event, told to all devices', async () => {
    const ann = await app.registerUser();
    const [socket, other] = await Promise.all([app.connect(ann), app.connect(await login(ann))]);
    const { devices } = await socket.ok<{ devices: Device[] }>('register-device', {
      deviceId: 'd',
      deviceName: 'Desk',
    });
    expect(devices).toEqual([expect.objectContaining({ deviceId: 'd', deviceName: 'Desk' })]);
    expect(await socket.next('devices-updated')).toEqual({ devices });
    expect(await other.next('devices-updated')).toEqual({ devices });
    expect(await devicesOf(ann.token)).toEqual(devices);
    const { data: sessions } = await ann.http.get('/api/auth/sessions');
    expect(sessions).toContainEqual(
      expect.objectContaining({ current: true, deviceId: 'd', deviceName: 'Desk' }),
    );
  });

  it('with ids and names counted in code points', async () => {
    const ann = await app.registerUser();
    const deviceId = '🙂'.repeat(200);
    const deviceName = '🙂'.repeat(100);
    await app.connect(ann, { deviceId, deviceName });
    expect(await devicesOf(ann.token)).toEqual([expect.objectContaining({ deviceId, deviceName })]);
    expect((await ann.http.delete(`/api/devices/${encodeURIComponent(deviceId)}`)).status).toBe(200);
  });

  it.each([
    ['an empty id', { deviceId: '' }],
    ['an id of 201', { deviceId: 'x'.repeat(201) }],
    ['a name of 101', { deviceId: 'd', deviceName: 'x'.repeat(101) }],
    ['U+0000', { deviceId: 'a\u0000b' }],
    ['a lone surrogate', { deviceId: 'd', deviceName: '\ud800' }],
    ['a number', { deviceId: 7 }],
    ['an object', { deviceId: { toString: 'x' } }],
  ])('unless it has %s', async (_name, device) => {
    const ann = await app.registerUser();
    await expect(app.connect(ann, device as object)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    const socket = await app.connect(ann);
    expect(await socket.emit('register-device', { deviceName: 'x', ...device })).toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    expect(await devicesOf(ann.token)).toEqual([]);
  });

  it('of the same id to two people, each as their own', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await app.connect(ann, { deviceId: 'shared' });
    await app.connect(ben, { deviceId: 'shared' });
    await ann.http.delete('/api/devices/shared');
    expect(await codeOf(ann.token)).toBe('SESSION_REVOKED');
    expect(idsOf(await devicesOf(ben.token))).toEqual(['shared']);
  });

  it('up to a hundred: one more takes the place of the one seen longest ago', async () => {
    const ann = await app.registerUser();
    const socket = await app.connect(ann);
    for (let number = 0; number <= 100; number++) {
      app.clock.advance(1);
      await socket.ok('register-device', { deviceId: `d${number}` });
    }
    const ids = idsOf(await devicesOf(ann.token));
    expect(ids).toHaveLength(100);
    expect(ids).not.toContain('d0');
    expect(socket.connected).toBe(true);
  });
});

describe('when a device was last seen', () => {
  it('is when it connected, and when it left', async () => {
    const ann = await app.registerUser();
    await login(ann, { deviceId: 'phone' });
    const seen = async () => (await devicesOf(ann.token))[0]?.lastSeenAt;
    app.clock.advance(60_000);
    const socket = await app.connect(ann, { deviceId: 'phone' });
    const connectedAt = app.clock.now().toISOString();
    await eventually(seen, (at) => at === connectedAt);
    app.clock.advance(60_000);
    await socket.ok('app-opened');
    expect(await seen()).toBe(connectedAt);
    socket.disconnect();
    const leftAt = app.clock.now().toISOString();
    await eventually(seen, (at) => at === leftAt);
  });

  it('counts for a socket that does not say it again, in the session that signed in with it', async () => {
    const ann = await app.registerUser();
    const { token } = await login(ann, { deviceId: 'phone' });
    app.clock.advance(60_000);
    await app.connect({ token });
    const at = app.clock.now().toISOString();
    await eventually(
      () => devicesOf(token),
      ([phone]) => phone?.lastSeenAt === at,
    );
  });
});

describe('removing a device', () => {
  let second: TestApp;

  beforeAll(async () => {
    second = await startApp({ shareDatabaseWith: app });
  });

  afterAll(() => second.close());

  it('ends its session and its sockets on every instance, without Redis', async () => {
    const ann = await app.registerUser();
    const { token, refreshToken } = await login(ann, { deviceId: 'lost' });
    const [here, there, own] = await Promise.all([
      app.connect({ token }),
      second.connect({ token }),
      app.connect(ann),
    ]);
    expect(await codeOf(token, second)).toBeUndefined();
    const answer = await ann.http.delete('/api/devices/lost');
    expect([answer.status, answer.data]).toEqual([200, null]);
    for (const socket of [here, there]) {
      expect(await socket.next('session-revoked')).toEqual({ reason: 'device-removed' });
      await socket.closed;
    }
    for (const instance of [app, second]) expect(await codeOf(token, instance)).toBe('SESSION_REVOKED');
    expect((await app.http().post('/api/auth/refresh', { refreshToken })).code).toBe('SESSION_REVOKED');
    expect(await own.next('devices-updated', ({ devices }) => devices.length === 0)).toEqual({ devices: [] });
    expect(await codeOf(ann.token)).toBeUndefined();
  });

  it('is answered with the devices that are left', async () => {
    const ann = await app.registerUser();
    await login(ann, { deviceId: 'lost' });
    const socket = await app.connect(ann, { deviceId: 'kept' });
    const { devices } = await socket.ok('remove-device', { deviceId: 'lost' });
    expect(idsOf(devices)).toEqual(['kept']);
  });

  it('of the session that asks signs it out, after the answer', async () => {
    const ann = await app.registerUser();
    for (let round = 0; round < 10; round++) {
      const { token } = await login(ann, { deviceId: `own-${round}` });
      const socket = await app.connect({ token });
      expect(await socket.ok('remove-device', { deviceId: `own-${round}` })).toEqual({ devices: [] });
      await socket.next('session-revoked');
      await socket.closed;
      expect(await codeOf(token)).toBe('SESSION_REVOKED');
    }
  });

  it('takes those that share its session with it', async () => {
    const ann = await app.registerUser();
    const [one, other] = [
      await app.connect(ann, { deviceId: 'one' }),
      await app.connect(ann, { deviceId: 'other' }),
    ];
    const { token } = await login(ann);
    await app.http(token).delete('/api/devices/one');
    await Promise.all([one.closed, other.closed]);
    expect(await devicesOf(token)).toEqual([]);
  });

  it('ends only the session that the device was last seen with', async () => {
    const ann = await app.registerUser();
    const [first, later] = [await login(ann), await login(ann)];
    await app.connect(first, { deviceId: 'moving' });
    await app.connect(later, { deviceId: 'moving' });
    await ann.http.delete('/api/devices/moving');
    expect(await codeOf(first.token)).toBeUndefined();
    expect(await codeOf(later.token)).toBe('SESSION_REVOKED');
  });

  it('does not find what is nobody’s, another’s, or no id', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    await app.connect(ben, { deviceId: 'bens' });
    for (const id of ['bens', randomUUID(), 'x'.repeat(300)]) {
      const answer = await ann.http.delete(`/api/devices/${id}`);
      expect([answer.status, answer.code]).toEqual([404, 'DEVICE_NOT_FOUND']);
    }
    for (const id of ['%00', 'x'.repeat(2_000)]) {
      expect((await ann.http.delete(`/api/devices/${id}`)).status).toBe(404);
    }
    const socket = await app.connect(ann);
    expect((await socket.emit('remove-device', { deviceId: 'bens' })).code).toBe('DEVICE_NOT_FOUND');
    expect(await codeOf(ben.token)).toBeUndefined();
  });

  it('happens once when it is asked for twice at the same time', async () => {
    const ann = await app.registerUser();
    await login(ann, { deviceId: 'd' });
    const answers = await Promise.all([1, 2, 3].map(() => ann.http.delete('/api/devices/d')));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404]);
  });
});

describe('whatever ends a session takes its device', () => {
  const ends: [string, (ann: TestPerson, token: string) => Promise<unknown>][] = [
    ['signing out', (_ann, token) => app.http(token).post('/api/auth/logout')],
    [
      'signing it out from elsewhere',
      async (ann, token) => {
        const { data } = await app.http(token).get('/api/auth/sessions');
        const { id } = data.find(({ current }: { current: boolean }) => current);
        await ann.http.delete(`/api/auth/sessions/${id}`);
      },
    ],
    [
      'changing the password',
      (ann) =>
        ann.http.post('/api/auth/change-password', {
          currentPassword: ann.password,
          newPassword: 'a better password',
        }),
    ],
  ];

  it.each(ends)('%s', async (_name, end) => {
    const ann = await app.registerUser();
    const { token } = await login(ann, { deviceId: 'phone' });
    const watcher = await app.connect(ann);
    await end(ann, token);
    expect(await watcher.next('devices-updated')).toEqual({ devices: [] });
    expect(await devicesOf(ann.token)).toEqual([]);
  });

  it('its end by itself', async () => {
    const ann = await app.registerUser();
    await login(ann, { deviceId: 'phone' });
    await app.sql(
      'UPDATE session SET expires_at = $2 WHERE id = (SELECT session_id FROM device WHERE user_id = $1)',
      [ann.id, app.clock.now()],
    );
    expect(await devicesOf(ann.token)).toEqual([]);
    expect((await ann.http.delete('/api/devices/phone')).code).toBe('DEVICE_NOT_FOUND');
    await app.sql('UPDATE session SET expires_at = $1 WHERE expires_at <= $2', [
      new Date(app.clock.nowMs() - 8 * 24 * 3_600_000),
      app.clock.now(),
    ]);
    app.clock.advance(3_600_000);
    await eventually(
      () => app.sql('SELECT FROM device WHERE user_id = $1', [ann.id]),
      (rows) => rows.length === 0,
    );
  });

  it('but signing in again on it keeps it, and ends the session before', async () => {
    const ann = await app.registerUser();
    const first = await login(ann, { deviceId: 'phone', deviceName: 'Phone' });
    const socket = await app.connect(first);
    const again = await login(ann, { deviceId: 'phone' });
    expect(await socket.next('session-revoked')).toEqual({ reason: 'replaced' });
    expect(await devicesOf(again.token)).toEqual([
      expect.objectContaining({ deviceId: 'phone', deviceName: 'Phone' }),
    ]);
  });

  it('also a session that signed in without it and connected with it', async () => {
    const ann = await app.registerUser();
    const first = await login(ann);
    await app.connect(first, { deviceId: 'phone' });
    await login(ann, { deviceId: 'phone' });
    expect(await codeOf(first.token)).toBe('SESSION_REVOKED');
  });
});

describe('a person with several devices', () => {
  it('is online while any of them is', async () => {
    const { ann, ben } = await makePair(app);
    const watcher = await app.connect(ann);
    await watcher.ok('subscribe-presence', { userIds: [ben.id] });
    const phone = await app.connect(ben, { deviceId: 'phone' });
    await watcher.next('presence', ({ online }) => online);
    const { token } = await login(ben, { deviceId: 'laptop' });
    const laptop = await app.connect({ token });
    phone.disconnect();
    await eventually(
      () => devicesOf(ben.token),
      (devices) => devices.length === 2,
    );
    app.clock.advance(6_000);
    await watcher.barrier();
    expect(watcher.all('presence').filter(({ online }) => !online)).toEqual([]);

    laptop.disconnect();
    // The server hears of it by itself, and five seconds later it is told.
    await eventually(
      async () => {
        app.clock.advance(1_000);
        await watcher.barrier();
        return watcher.all('presence');
      },
      (told) => told.some(({ online }) => !online),
    );
  });
});
