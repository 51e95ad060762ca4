import { randomUUID } from 'node:crypto';
import { useApp } from '../support/app.js';
import { openApiOf } from '../support/openapi-check.js';

const app = useApp();
const PASSWORD = 'correct horse';

const newAccount = (overrides: object = {}) => ({
  name: 'Ann',
  email: `${randomUUID()}@example.com`,
  password: PASSWORD,
  ...overrides,
});

const fieldsOf = (body: { details: { field: string }[] }): string[] =>
  body.details.map(({ field }) => field).sort();

describe('POST /api/auth/register', () => {
  it('makes an account and signs its owner in', async () => {
    const answer = await app.http().post('/api/auth/register', {
      name: 'Zoë 🌻',
      email: '  Zoe@Example.com ',
      password: PASSWORD,
      phone: '+1 (415) 555-0123',
    });
    expect(answer.status).toBe(201);
    expect(answer.data.user).toEqual({
      id: expect.any(String),
      name: 'Zoë 🌻',
      email: 'Zoe@Example.com',
      phone: '+14155550123',
      profilePic: null,
      bio: null,
      gender: null,
      dateOfBirth: null,
      createdAt: app.clock.now().toISOString(),
      updatedAt: app.clock.now().toISOString(),
      settings: { readReceipts: true, lastSeen: 'everyone' },
    });
    expect(answer.data.expiresIn).toBe(900);
    const profile = await app.http(answer.data.token).get('/api/auth/profile');
    expect(profile.data).toEqual(answer.data.user);
  });

  it('sets the refresh token as a cookie that scripts cannot read', async () => {
    const answer = await app.http().post('/api/auth/register', newAccount());
    const [cookie = ''] = answer.headers['set-cookie'] ?? [];
    expect(cookie.split('; ')).toEqual(
      expect.arrayContaining([
        `refresh_token=${answer.data.refreshToken}`,
        'Max-Age=2592000',
        'Path=/api/auth',
        'HttpOnly',
        'SameSite=Lax',
      ]),
    );
    expect(cookie).not.toContain('Secure');
  });

  it('stores the password as a bcrypt hash of cost 10, and nothing of it elsewhere', async () => {
    const account = newAccount({ password: 'a password nobody else has' });
    await app.http().post('/api/auth/register', account);
    const rows = await app.sql<{ password_hash: string }>('SELECT * FROM app_user WHERE email = $1', [
      account.email,
    ]);
    expect(rows[0]?.password_hash).toMatch(/^\$2b\$10\$/);
    expect(JSON.stringify(rows)).not.toContain(account.password);
    expect(app.logs.join('')).not.toContain(account.password);
  });

  it('takes a form too', async () => {
    const account = newAccount();
    const answer = await app.http().multipart('POST', '/api/auth/register', { ...account, phone: '' }, []);
    expect(answer.status).toBe(201);
    expect(answer.data.user).toMatchObject({ email: account.email, phone: null, profilePic: null });
  });

  it('refuses an address that is taken, in any case, also by requests at the same time', async () => {
    const account = newAccount({ email: `Ann.${randomUUID()}@Example.com` });
    const answers = await Promise.all(
      [account.email, account.email.toLowerCase(), ` ${account.email.toUpperCase()} `].map((email) =>
        app.http().post('/api/auth/register', { ...account, email }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.code).toBe('EMAIL_TAKEN');
    const rows = await app.sql('SELECT 1 FROM app_user WHERE email_key = $1', [account.email.toLowerCase()]);
    expect(rows).toHaveLength(1);
  });

  it.each([
    [8, 'abcdefgh'],
    [72, 'é'.repeat(36)],
  ])('takes a password of %i bytes', async (_bytes, password) => {
    const account = newAccount({ password });
    expect((await app.http().post('/api/auth/register', account)).status).toBe(201);
    const { email } = account;
    expect((await app.http().post('/api/auth/login', { email, password })).status).toBe(200);
  });

  it.each([
    ['of 7 bytes', '1234567'],
    ['of 73 bytes', 'a'.repeat(73)],
    ['of 37 characters that are 74 bytes', 'é'.repeat(37)],
    ['that is a number', 123456789],
    ['with U+0000', 'long enough\u0000'],
  ])('refuses a password %s', async (_what, password) => {
    const answer = await app.http().post('/api/auth/register', newAccount({ password }));
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer.body)).toEqual(['password']);
  });

  it('names every bad field', async () => {
    const answer = await app.http().post('/api/auth/register', {
      name: ' \n\u3000',
      email: 'nobody',
      password: 'short',
      phone: '12345',
    });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe('VALIDATION_FAILED');
    expect(fieldsOf(answer.body)).toEqual(['email', 'name', 'password', 'phone']);
  });

  it.each([
    ['an empty name', { name: '' }, 'name'],
    ['a name of 101 characters', { name: '😀'.repeat(101) }, 'name'],
    ['a name that is null', { name: null }, 'name'],
    ['a lone surrogate', { name: 'a\ud800' }, 'name'],
    ['an address without a domain', { email: 'ann@' }, 'email'],
    ['an address of 255 characters', { email: `${'a'.repeat(60)}@${'b.'.repeat(94)}example` }, 'email'],
    ['a phone number without its country', { phone: '0151 12345678' }, 'phone'],
    ['a field that is not declared', { isAdmin: true }, 'isAdmin'],
    ['a picture as text', { profilePic: 'x' }, 'profilePic'],
  ])('refuses %s', async (_what, overrides, field) => {
    const answer = await app.http().post('/api/auth/register', newAccount(overrides));
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer.body)).toContain(field);
  });

  it('counts the characters of a name as people do', async () => {
    const answer = await app.http().post('/api/auth/register', newAccount({ name: '😀'.repeat(100) }));
    expect(answer.status).toBe(201);
  });

  it('describes the form besides the JSON', async () => {
    const { paths } = await openApiOf(app.url);
    const forms = paths['/api/auth/register']?.post?.requestBody?.content['multipart/form-data']?.schema;
    expect(forms).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['name', 'email', 'password'],
    });
    expect(Object.keys(forms?.properties ?? {})).toEqual([
      'name',
      'email',
      'password',
      'phone',
      'profilePic',
    ]);
    expect(forms?.properties?.profilePic).toEqual({ type: 'string', format: 'binary' });
    expect(JSON.stringify(paths)).not.toContain('x-multipart');
  });

  it('refuses another content type', async () => {
    const answer = await app.http().raw({
      method: 'POST',
      path: '/api/auth/register',
      headers: { 'Content-Type': 'text/plain' },
      body: JSON.stringify(newAccount()),
    });
    expect(answer.status).toBe(415);
  });
});

describe('with limits and in production', () => {
  const strict = useApp({
    env: {
      NODE_ENV: 'production',
      RATE_LIMITS: 'on',
      CORS_ORIGINS: 'https://chat.example.com',
      COOKIE_SAMESITE: 'strict',
    },
  });

  it('makes 20 accounts an hour for one address, and marks the cookie Secure', async () => {
    const first = await strict.http().post('/api/auth/register', newAccount());
    expect(first.status).toBe(201);
    expect(first.headers['set-cookie']?.[0]).toMatch(/; Secure; SameSite=Strict$/);
    expect(first.headers['ratelimit-policy']).toBe('"register";q=20;w=3600');
    for (let made = 1; made < 20; made++) {
      expect((await strict.http().post('/api/auth/register', {})).status).toBe(400);
    }
    const refused = await strict.http().post('/api/auth/register', newAccount());
    expect(refused.status).toBe(429);
    expect(refused.code).toBe('RATE_LIMITED');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3000);
  });
});
