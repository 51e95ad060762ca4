import { randomUUID } from 'node:crypto';
import { PgSignalListener } from '../../src/infra/events/pg-signals.js';
import { startApp, useApp, type TestApp, type TestPerson } from '../support/app.js';

const app = useApp();

const login = async ({ email, password }: TestPerson, device: object = {}) =>
  (await app.http().post('/api/auth/login', { email, password, ...device })).data as {
    token: string;
    refreshToken: string;
  };
const codeOf = async (token: string, on: TestApp = app) =>
  (await on.http(token).get('/api/auth/profile')).code;

describe('POST /api/auth/logout', () => {
  it('ends the session at once, closes its sockets, and clears the cookie', async () => {
    const ann = await app.registerUser();
    const other = await login(ann);
    const [socket, otherSocket] = await Promise.all([app.connect(ann), app.connect(other)]);
    const answer = await ann.http.post('/api/auth/logout');
    expect(answer.status).toBe(200);
    expect(answer.data).toBeNull();
    expect(answer.headers['set-cookie']?.[0]).toMatch(
      /^refresh_token=; Path=\/api\/auth; Expires=Thu, 01 Jan 1970/,
    );
    expect(await codeOf(ann.token)).toBe('SESSION_REVOKED');
    expect(await socket.next('session-revoked')).toEqual({ reason: 'logout' });
    await socket.closed;

    const refreshed = await app.http().post('/api/auth/refresh', { refreshToken: ann.refreshToken });
    expect([refreshed.status, refreshed.code]).toEqual([401, 'SESSION_REVOKED']);
    await expect(app.connect(ann)).rejects.toMatchObject({ code: 'SESSION_REVOKED' });

    expect(await codeOf(other.token)).toBeUndefined();
    expect(otherSocket.connected).toBe(true);
  });

  it('needs a session', async () => {
    expect((await app.http().post('/api/auth/logout')).code).toBe('UNAUTHENTICATED');
  });
});

describe('GET and DELETE /api/auth/sessions', () => {
  it('lists where the account is signed in', async () => {
    const ann = await app.registerUser();
    app.clock.advance(60_000);
    const at = app.clock.now().toISOString();
    await login(ann, { deviceId: 'd1', deviceName: 'Phone' });
    const { data } = await ann.http.get('/api/auth/sessions');
    expect(data).toEqual([
      {
        id: expect.any(String),
        deviceId: 'd1',
        deviceName: 'Phone',
        ip: '127.0.0.1',
        createdAt: at,
        lastUsedAt: at,
        expiresAt: new Date(app.clock.nowMs() + 30 * 24 * 3_600_000).toISOString(),
        current: false,
      },
      expect.objectContaining({ deviceId: null, deviceName: null, current: true }),
    ]);
  });

  it('shows when a session was last used', async () => {
    const ann = await app.registerUser();
    app.clock.advance(60_000);
    await app.http().post('/api/auth/refresh', { refreshToken: ann.refreshToken });
    const { data } = await ann.http.get('/api/auth/sessions');
    expect(data[0].lastUsedAt).toBe(app.clock.now().toISOString());
    expect(data[0].createdAt).not.toBe(data[0].lastUsedAt);
  });

  it('leaves out those that have ended or expired', async () => {
    const ann = await app.registerUser();
    const other = await login(ann);
    await app.http(other.token).post('/api/auth/logout');
    expect((await ann.http.get('/api/auth/sessions')).data).toHaveLength(1);
    await login(ann);
    await app.sql('UPDATE session SET expires_at = $1 WHERE user_id = $2 AND created_at = $3 AND id <> $4', [
      app.clock.now(),
      ann.id,
      app.clock.now(),
      (await ann.http.get('/api/auth/sessions')).data.find((session: { current: boolean }) => session.current)
        .id,
    ]);
    expect((await ann.http.get('/api/auth/sessions')).data).toEqual([
      expect.objectContaining({ current: true }),
    ]);
  });

  it('ends one of them, with its sockets', async () => {
    const ann = await app.registerUser();
    const other = await login(ann, { deviceId: 'lost' });
    const socket = await app.connect(other);
    const { data } = await ann.http.get('/api/auth/sessions');
    const { id } = (data as { id: string; deviceId: string | null }[]).find(
      ({ deviceId }) => deviceId === 'lost',
    )!;
    expect((await ann.http.delete(`/api/auth/sessions/${id}`)).status).toBe(200);
    expect(await codeOf(other.token)).toBe('SESSION_REVOKED');
    expect(await socket.next('session-revoked')).toEqual({ reason: 'revoked' });
    expect(await codeOf(ann.token)).toBeUndefined();
    expect((await ann.http.delete(`/api/auth/sessions/${id}`)).code).toBe('SESSION_NOT_FOUND');
  });

  it('does not find sessions of others, or what is no id', async () => {
    const [ann, ben] = await Promise.all([app.registerUser(), app.registerUser()]);
    const { data } = await ben.http.get('/api/auth/sessions');
    for (const id of [data[0].id, randomUUID(), 'x', "'%00"]) {
      const answer = await ann.http.delete(`/api/auth/sessions/${encodeURIComponent(id)}`);
      expect([answer.status, answer.code]).toEqual([404, 'SESSION_NOT_FOUND']);
    }
    expect(await codeOf(ben.token)).toBeUndefined();
  });
});

describe('POST /api/auth/change-password', () => {
  it('changes the password and ends every other session', async () => {
    const ann = await app.registerUser();
    const other = await login(ann, { deviceId: 'd' });
    const socket = await app.connect(other);
    const newPassword = 'a better password';
    const answer = await ann.http.post('/api/auth/change-password', {
      currentPassword: ann.password,
      newPassword,
    });
    expect(answer.status).toBe(200);
    expect(await socket.next('session-revoked')).toEqual({ reason: 'password-changed' });
    expect(await codeOf(other.token)).toBe('SESSION_REVOKED');
    expect(await codeOf(ann.token)).toBeUndefined();
    const attempt = (password: string) => app.http().post('/api/auth/login', { email: ann.email, password });
    expect((await attempt(ann.password)).code).toBe('INVALID_CREDENTIALS');
    expect((await attempt(newPassword)).status).toBe(200);
  });

  it('needs the present password', async () => {
    const ann = await app.registerUser();
    const other = await login(ann);
    const body = { currentPassword: 'wrong', newPassword: 'a better password' };
    const answer = await ann.http.post('/api/auth/change-password', body);
    expect([answer.status, answer.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    expect(await codeOf(other.token)).toBeUndefined();
  });

  it.each([['short'], ['é'.repeat(37)], [null]])('refuses %j as a new one', async (newPassword) => {
    const ann = await app.registerUser();
    const answer = await ann.http.post('/api/auth/change-password', {
      currentPassword: ann.password,
      newPassword,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.details[0].field).toBe('newPassword');
  });

  it('succeeds once when it is asked for twice at the same time', async () => {
    const ann = await app.registerUser();
    const answers = await Promise.all(
      ['first new password', 'second new password'].map((newPassword) =>
        ann.http.post('/api/auth/change-password', { currentPassword: ann.password, newPassword }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
  });
});

describe('revocation across instances, without Redis', () => {
  let second: TestApp;

  beforeAll(async () => {
    second = await startApp({ shareDatabaseWith: app });
  });

  afterAll(() => second.close());

  /** Resolves when `instance` hears that sessions have ended. */
  const heard = (instance: TestApp) =>
    new Promise<void>((resolve) => {
      instance.running.nest.get(PgSignalListener).on('sessions-revoked', () => {
        resolve();
      });
    });

  it('reaches an instance that remembers the session', async () => {
    const ann = await app.registerUser();
    expect(await codeOf(ann.token, second)).toBeUndefined();
    const socket = await second.connect(ann);
    const signal = heard(second);
    await ann.http.post('/api/auth/logout');
    await signal;
    expect(await codeOf(ann.token, second)).toBe('SESSION_REVOKED');
    expect(await socket.next('session-revoked')).toEqual({ reason: 'logout' });
  });

  it('is asked of the database by an instance that cannot hear', async () => {
    const ann = await app.registerUser();
    expect(await codeOf(ann.token, second)).toBeUndefined();
    const signals = second.running.nest.get(PgSignalListener);
    const revokeSilently = () =>
      app.sql('UPDATE session SET revoked_at = now() WHERE user_id = $1', [ann.id]);
    const dropped = new Promise<void>((resolve) => signals.onDrop(resolve));
    const back = new Promise<void>((resolve) => signals.onReconnect(resolve));

    await app.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'parley signals'`,
    );
    await dropped;
    expect(await codeOf(ann.token, second)).toBeUndefined();
    await revokeSilently();
    expect(await codeOf(ann.token, second)).toBe('SESSION_REVOKED');
    await back;
    expect(await codeOf(ann.token, second)).toBe('SESSION_REVOKED');
  });

  it('is remembered until a signal comes', async () => {
    const ann = await app.registerUser();
    expect(await codeOf(ann.token, second)).toBeUndefined();
    const [row] = await app.sql<{ id: string }>(
      'UPDATE session SET revoked_at = now() WHERE user_id = $1 RETURNING id',
      [ann.id],
    );
    expect(await codeOf(ann.token, second)).toBeUndefined();
    const signal = heard(second);
    const payload = { name: 'sessions-revoked', payload: { sessionIds: [row!.id], reason: 'revoked' } };
    await app.sql('SELECT pg_notify($1, $2)', ['parley', JSON.stringify(payload)]);
    await signal;
    expect(await codeOf(ann.token, second)).toBe('SESSION_REVOKED');
  });
});
