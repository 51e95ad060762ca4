import { randomUUID } from 'node:crypto';
import { useApp, type TestPerson } from '../support/app.js';

describe('POST /api/auth/login', () => {
  const app = useApp();
  let ann: TestPerson;

  beforeAll(async () => {
    ann = await app.registerUser({ name: 'Ann', email: 'Ann@Example.com' });
  });

  it('signs in, whatever the case of the address', async () => {
    const answer = await app
      .http()
      .post('/api/auth/login', { email: ' aNN@eXAMPLE.COM', password: ann.password });
    expect(answer.status).toBe(200);
    expect(answer.data.user).toMatchObject({ id: ann.id, email: 'Ann@Example.com' });
    expect(answer.headers['set-cookie']?.[0]).toContain(`refresh_token=${answer.data.refreshToken};`);
    expect((await app.http(answer.data.token).get('/api/auth/profile')).status).toBe(200);
  });

  it('answers an unknown address and a wrong password alike', async () => {
    const wrong = await app.http().post('/api/auth/login', { email: ann.email, password: 'wrong' });
    const unknown = await app
      .http()
      .post('/api/auth/login', { email: 'nobody@example.com', password: 'wrong' });
    expect(wrong.status).toBe(401);
    expect(wrong.code).toBe('INVALID_CREDENTIALS');
    const { requestId: _wrongId, ...wrongBody } = wrong.body;
    const { requestId: _unknownId, ...unknownBody } = unknown.body;
    expect(unknownBody).toEqual(wrongBody);
    expect(Object.keys(unknown.headers).sort()).toEqual(Object.keys(wrong.headers).sort());
    expect(wrong.headers['set-cookie']).toBeUndefined();
  });

  it('compares the whole password, although bcrypt reads 72 bytes of it', async () => {
    const password = 'x'.repeat(72);
    const { email } = await app.registerUser({ password });
    expect((await app.http().post('/api/auth/login', { email, password: `${password}y` })).status).toBe(401);
    expect((await app.http().post('/api/auth/login', { email, password })).status).toBe(200);
  });

  it.each([
    ['no password', { email: 'ann@example.com' }, 'password'],
    ['an address that is a list', { email: ['ann@example.com'], password: 'x' }, 'email'],
    ['an empty device id', { email: 'a@b.c', password: 'x', deviceId: '' }, 'deviceId'],
    [
      'a device id of 201 characters',
      { email: 'a@b.c', password: 'x', deviceId: 'd'.repeat(201) },
      'deviceId',
    ],
    [
      'a device name of 101 characters',
      { email: 'a@b.c', password: 'x', deviceName: 'd'.repeat(101) },
      'deviceName',
    ],
    ['an unknown field', { email: 'a@b.c', password: 'x', remember: true }, 'remember'],
  ])('refuses %s', async (_what, body, field) => {
    const answer = await app.http().post('/api/auth/login', body);
    expect(answer.status).toBe(400);
    expect(answer.body.details.map((detail: { field: string }) => detail.field)).toEqual([field]);
  });

  it('binds the session to the device, and ends the earlier session of that device', async () => {
    const { id, email, password, http } = await app.registerUser();
    const login = (deviceName: string) =>
      app.http().post('/api/auth/login', { email, password, deviceId: 'phone', deviceName });
    const first = await login('Old name');
    const elsewhere = await app.http().post('/api/auth/login', { email, password, deviceId: 'laptop' });
    const second = await login('Ann’s phone');

    const refused = await app.http(first.data.token).get('/api/auth/profile');
    expect(refused.code).toBe('SESSION_REVOKED');
    for (const token of [second.data.token, elsewhere.data.token]) {
      expect((await app.http(token).get('/api/auth/profile')).status).toBe(200);
    }
    const sessions = (await http.get('/api/auth/sessions')).data as {
      deviceId: string | null;
      deviceName: string | null;
    }[];
    expect(new Map(sessions.map(({ deviceId, deviceName }) => [deviceId, deviceName]))).toEqual(
      new Map([
        [null, null],
        ['laptop', null],
        ['phone', 'Ann’s phone'],
      ]),
    );
    expect(sessions).toHaveLength(3);
    const devices = await app.sql(
      `SELECT d.device_id, d.name, s.revoked_at FROM device d JOIN session s ON s.id = d.session_id
       WHERE d.user_id = $1 ORDER BY d.device_id`,
      [id],
    );
    expect(devices).toEqual([
      { device_id: 'laptop', name: null, revoked_at: null },
      { device_id: 'phone', name: 'Ann’s phone', revoked_at: null },
    ]);
  });

  it('leaves one session to a device that signs in several times at once', async () => {
    const { email, password, http } = await app.registerUser();
    await Promise.all(
      Array.from({ length: 6 }, () =>
        app.http().post('/api/auth/login', { email, password, deviceId: 'tablet' }),
      ),
    );
    const sessions = (await http.get('/api/auth/sessions')).data as { deviceId: string | null }[];
    expect(sessions.filter(({ deviceId }) => deviceId === 'tablet')).toHaveLength(1);
  });

  it('does not mix up the same device id of two people', async () => {
    const [one, two] = await Promise.all([app.registerUser(), app.registerUser()]);
    const login = ({ email, password }: TestPerson) =>
      app.http().post('/api/auth/login', { email, password, deviceId: 'same' });
    const first = await login(one);
    await login(two);
    expect((await app.http(first.data.token).get('/api/auth/profile')).status).toBe(200);
  });
});

describe('limits on login', () => {
  const app = useApp({ env: { RATE_LIMITS: 'on', TRUST_PROXY: '1' } });

  const login = (email: string, password: string, address: string) =>
    app.http().post('/api/auth/login', { email, password }, { headers: { 'X-Forwarded-For': address } });
  const fail = async (email: string, address: string, times: number) => {
    const statuses = [];
    for (let n = 0; n < times; n++) statuses.push((await login(email, 'wrong', address)).status);
    return statuses;
  };
  /** As if the fifteen minutes were over. */
  const endWindows = () => app.sql('UPDATE login_limit SET expire = 1');

  it('refuses after 10 failures for an account from an address, also the right password, and tells when to come back', async () => {
    const { email, password } = await app.registerUser();
    expect(await fail(email, '10.0.0.1', 10)).toEqual(Array(10).fill(401));
    const refused = await login(email.toUpperCase(), password, '10.0.0.1');
    expect(refused.status).toBe(429);
    expect(refused.code).toBe('RATE_LIMITED');
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThan(800);
    expect(seconds).toBeLessThanOrEqual(900);

    expect((await login(email, password, '10.0.0.2')).status).toBe(200);
    await endWindows();
    expect((await login(email, password, '10.0.0.1')).status).toBe(200);
  });

  it('says nothing about whether an account exists', async () => {
    const unknown = `${randomUUID()}@example.com`;
    expect(await fail(unknown, '10.0.1.1', 11)).toEqual([...Array<number>(10).fill(401), 429]);
  });

  it('refuses after 30 failures from an address, whatever the accounts', async () => {
    const { email, password } = await app.registerUser();
    for (const name of ['a', 'b', 'c']) {
      expect(await fail(`${name}@example.com`, '10.0.2.1', 10)).toEqual(Array(10).fill(401));
    }
    expect((await login(email, password, '10.0.2.1')).status).toBe(429);
    expect((await login(email, password, '10.0.2.2')).status).toBe(200);
  });

  it('starts anew after a success', async () => {
    const { email, password } = await app.registerUser();
    await fail(email, '10.0.3.1', 9);
    expect((await login(email, password, '10.0.3.1')).status).toBe(200);
    expect(await fail(email, '10.0.3.1', 9)).toEqual(Array(9).fill(401));
    expect((await login(email, password, '10.0.3.1')).status).toBe(200);
  });

  it('does not count those who are right, however many sign in at once', async () => {
    const { email, password } = await app.registerUser();
    const answers = await Promise.all(Array.from({ length: 12 }, () => login(email, password, '10.0.4.1')));
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
  });

  it('lets a burst of guesses gain nothing', async () => {
    const { email, password } = await app.registerUser();
    const guesses = [...Array<string>(24).fill('wrong'), password];
    const answers = await Promise.all(guesses.map((guess) => login(email, guess, '10.0.5.1')));
    expect(answers.at(-1)?.status).toBe(429);
  });

  it('counts wrong passwords of a signed-in caller too', async () => {
    const { email, password, http } = await app.registerUser();
    const headers = { 'X-Forwarded-For': '10.0.6.1' };
    for (let n = 0; n < 5; n++) {
      const body = { currentPassword: 'wrong', newPassword: 'long enough' };
      expect((await http.post('/api/auth/change-password', body, { headers })).code).toBe(
        'INVALID_CREDENTIALS',
      );
      expect((await http.delete('/api/auth/delete-profile', { password: 'wrong' }, { headers })).code).toBe(
        'INVALID_CREDENTIALS',
      );
    }
    expect((await http.delete('/api/auth/delete-profile', { password }, { headers })).status).toBe(429);
    expect((await login(email, password, '10.0.6.1')).status).toBe(429);
  });

  it('keeps the counts in PostgreSQL, without the address that was typed', async () => {
    await fail('somebody.in.particular@example.com', '10.0.7.1', 1);
    const rows = await app.sql<{ key: string }>('SELECT key FROM login_limit');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain('somebody');
  });
});
