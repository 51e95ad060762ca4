import { useApp, type TestPerson } from '../support/app.js';

const app = useApp({ env: { CORS_ORIGINS: 'https://chat.example.com', REFRESH_EXPIRES_IN: '1h' } });
const refresh = (refreshToken: string) => app.http().post('/api/auth/refresh', { refreshToken });
const works = async (token: string) => (await app.http(token).get('/api/auth/profile')).status === 200;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('POST /api/auth/refresh', () => {
  let ann: TestPerson;

  beforeEach(async () => {
    ann = await app.registerUser();
  });

  it('answers a new pair, which works', async () => {
    app.clock.advance(MINUTE);
    const answer = await refresh(ann.refreshToken);
    expect(answer.status).toBe(200);
    expect(answer.data).toEqual({
      token: expect.any(String),
      refreshToken: expect.any(String),
      expiresIn: 900,
    });
    expect(answer.data.token).not.toBe(ann.token);
    expect(answer.data.refreshToken).not.toBe(ann.refreshToken);
    expect(answer.headers['set-cookie']?.[0]).toContain(`refresh_token=${answer.data.refreshToken};`);
    expect(await works(answer.data.token)).toBe(true);
    expect((await refresh(answer.data.refreshToken)).status).toBe(200);
  });

  it('keeps no token in the database', async () => {
    const { data } = await refresh(ann.refreshToken);
    const rows = await app.sql('SELECT * FROM session WHERE user_id = $1', [ann.id]);
    for (const token of [ann.refreshToken, data.refreshToken, data.token]) {
      expect(JSON.stringify(rows)).not.toContain(token.split('.').at(-1));
    }
  });

  it('answers the same pair, byte for byte, for ten seconds', async () => {
    app.clock.advance(1_234);
    const first = await refresh(ann.refreshToken);
    for (const wait of [0, 4_000, 6_000]) {
      app.clock.advance(wait);
      const again = await refresh(ann.refreshToken);
      expect(again.status).toBe(200);
      expect(again.data).toEqual(first.data);
    }
  });

  it('answers many requests at once with one and the same pair', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(ann.refreshToken)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    const [row] = await app.sql('SELECT refresh_generation FROM session WHERE user_id = $1', [ann.id]);
    expect(row).toEqual({ refresh_generation: 2 });
  });

  it('ends the session when a token comes again after ten seconds', async () => {
    const { data } = await refresh(ann.refreshToken);
    const socket = await app.connect({ token: data.token });
    app.clock.advance(10_001);
    const reused = await refresh(ann.refreshToken);
    expect(reused.status).toBe(401);
    expect(reused.code).toBe('REFRESH_REUSED');
    expect(await socket.next('session-revoked')).toEqual({ reason: 'refresh-reused' });
    expect((await app.http(data.token).get('/api/auth/profile')).code).toBe('SESSION_REVOKED');
    expect((await refresh(data.refreshToken)).code).toBe('SESSION_REVOKED');
    expect((await refresh(ann.refreshToken)).code).toBe('SESSION_REVOKED');
  });

  it('answers a slow tab with its pair, also when its neighbour has refreshed twice meanwhile', async () => {
    const second = await refresh(ann.refreshToken);
    app.clock.advance(3_000);
    const third = await refresh(second.data.refreshToken);
    app.clock.advance(3_000);
    expect((await refresh(ann.refreshToken)).data).toEqual(second.data);
    expect((await refresh(second.data.refreshToken)).data).toEqual(third.data);
    app.clock.advance(4_001);
    // Ten seconds after its own use, while the later one still has some left.
    expect((await refresh(ann.refreshToken)).code).toBe('REFRESH_REUSED');
    expect(await works(third.data.token)).toBe(false);
  });

  it('ends that session alone', async () => {
    const { data: other } = await app
      .http()
      .post('/api/auth/login', { email: ann.email, password: ann.password });
    await refresh(ann.refreshToken);
    app.clock.advance(10_001);
    await refresh(ann.refreshToken);
    expect(await works(other.token)).toBe(true);
  });

  it('moves the end of the session on with every use, and refuses after it', async () => {
    app.clock.advance(59 * MINUTE);
    const { data } = await refresh(ann.refreshToken);
    app.clock.advance(59 * MINUTE);
    const { status, data: newer } = await refresh(data.refreshToken);
    expect(status).toBe(200);
    app.clock.advance(60 * MINUTE);
    const expired = await refresh(newer.refreshToken);
    expect(expired.status).toBe(401);
    expect(expired.code).toBe('REFRESH_EXPIRED');
  });

  it('refuses what this server did not make', async () => {
    const [sessionId = '', , mac = ''] = ann.refreshToken.split('.');
    const forged = [
      '',
      'x',
      ann.token,
      `${sessionId}.2.${mac}`,
      `${sessionId}.1.${'A'.repeat(43)}`,
      `${sessionId}.01.${mac}`,
      `${sessionId}.1.${mac}.`,
      `${ann.id}.1.${mac}`,
      ann.refreshToken.toUpperCase(),
    ];
    for (const token of forged) {
      const answer = await refresh(token);
      expect([answer.status, answer.code]).toEqual([401, 'REFRESH_INVALID']);
    }
    expect((await app.http().post('/api/auth/refresh')).code).toBe('REFRESH_INVALID');
    expect(await works(ann.token)).toBe(true);
  });

  it.each([[7], [null], [['x']], ['x'.repeat(1001)]])('refuses %j as a token', async (refreshToken) => {
    expect((await app.http().post('/api/auth/refresh', { refreshToken })).status).toBe(400);
  });

  describe('by cookie', () => {
    const byCookie = (refreshToken: string, origin?: string, body?: object) =>
      app.http().post('/api/auth/refresh', body, {
        headers: {
          Cookie: `other=1; refresh_token=${refreshToken}`,
          ...(origin !== undefined && { Origin: origin }),
        },
      });

    it('works from an allowed origin', async () => {
      const answer = await byCookie(ann.refreshToken, 'https://chat.example.com');
      expect(answer.status).toBe(200);
      expect(await works(answer.data.token)).toBe(true);
      expect(answer.headers['access-control-allow-origin']).toBe('https://chat.example.com');
    });

    it.each([
      [undefined],
      ['https://evil.example.com'],
      ['https://chat.example.com.evil.org'],
      ['http://chat.example.com'],
      ['null'],
    ])('is refused from the origin %s, and uses nothing up', async (origin) => {
      const refused = await byCookie(ann.refreshToken, origin);
      expect([refused.status, refused.code]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
      const [row] = await app.sql('SELECT refresh_generation FROM session WHERE user_id = $1', [ann.id]);
      expect(row).toEqual({ refresh_generation: 1 });
    });

    it('yields to a token in the body', async () => {
      const answer = await byCookie('nonsense', 'https://evil.example.com', {
        refreshToken: ann.refreshToken,
      });
      expect(answer.status).toBe(200);
    });
  });
});

describe('access tokens', () => {
  it('end after 15 minutes', async () => {
    const { http } = await app.registerUser();
    app.clock.advance(15 * MINUTE - SECOND);
    expect((await http.get('/api/auth/profile')).status).toBe(200);
    app.clock.advance(2 * SECOND);
    const expired = await http.get('/api/auth/profile');
    expect([expired.status, expired.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('are refused when they were changed, or signed in another way', async () => {
    const { token, refreshToken } = await app.registerUser();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const forged = [
      `${header}.${encode({ ...claims, exp: 4_000_000_000 })}.${signature}`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      `${encode({ alg: 'HS512', typ: 'JWT' })}.${payload}.${signature}`,
      refreshToken,
      'x',
    ];
    for (const bad of forged) {
      const answer = await app.http(bad).get('/api/auth/profile');
      expect([answer.status, answer.code]).toEqual([401, 'TOKEN_INVALID']);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  });

  it.each([[undefined], ['Bearer'], ['Bearer '], ['Basic YTpi'], ['Bearer a b']])(
    'are missing in the header %j',
    async (header) => {
      const headers = header === undefined ? {} : { Authorization: header };
      const answer = await app.http().get('/api/auth/profile', { headers });
      expect([answer.status, answer.code]).toEqual([401, 'UNAUTHENTICATED']);
    },
  );
});
