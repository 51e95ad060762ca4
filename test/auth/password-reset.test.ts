import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { startSmtp, type ReceivedMail, type SmtpStandIn } from '../fakes/smtp.js';

const PUBLIC_URL = 'https://chat.example.com/app';
const NEW_PASSWORD = 'a password nobody forgot';
let smtp: SmtpStandIn;
let app: TestApp;

beforeAll(async () => {
  smtp = await startSmtp();
  app = await startApp({
    env: { SMTP_URL: smtp.url, PUBLIC_URL: `${PUBLIC_URL}/`, MAIL_FROM: 'us@example.com' },
  });
});

afterAll(async () => {
  await app.close();
  await smtp.stop();
});

afterEach(() => {
  smtp.mood = {};
});

const ask = (email: string, on: TestApp = app) => on.http().post('/api/auth/forgot-password', { email });
const reset = (token: string, password = NEW_PASSWORD, on: TestApp = app) =>
  on.http().post('/api/auth/reset-password', { token, password });
const login = (person: TestPerson, password: string) =>
  app.http().post('/api/auth/login', { email: person.email, password });
const mailsTo = ({ email }: TestPerson): ReceivedMail[] => smtp.mails.filter(({ to }) => to.includes(email));
const waiting = () => app.sql('SELECT email_key FROM password_reset_request');

/** Looks after a turn of the event loop, in which mails can come. */
const soon = async <T>(look: () => T): Promise<T> => {
  await new Promise((resolve) => setImmediate(resolve));
  return look();
};

/** The token of the `count`th mail to somebody, once it has come and is no longer waited for. */
async function tokenOf(person: TestPerson, count = 1): Promise<string> {
  await eventually(
    () => soon(() => mailsTo(person)),
    (mails) => mails.length >= count,
  );
  return /token=([\w-]{43})/.exec(mailsTo(person)[count - 1]!.text)![1]!;
}

describe('POST /api/auth/forgot-password', () => {
  it('sends a mail with a link to the account’s address, whatever its case', async () => {
    const ann = await app.registerUser({ name: 'Añn' });
    const answer = await ask(ann.email.toUpperCase());
    expect([answer.status, answer.data]).toEqual([202, null]);
    const token = await tokenOf(ann);
    const [mail] = mailsTo(ann);
    expect(mail).toMatchObject({ from: 'us@example.com', to: [ann.email] });
    // Who made the account has chosen its name, and this is our mail.
    expect(mail!.text).not.toContain('Añn');
    expect(mail!.text).toContain(`${PUBLIC_URL}/reset-password?token=${token}`);
    await eventually(waiting, (rows) => rows.length === 0);
  });

  it('answers an unknown address alike, and mails nobody', async () => {
    const before = smtp.mails.length;
    const [unknown, known] = await Promise.all([
      ask('nobody@example.com'),
      ask((await app.registerUser()).email),
    ]);
    expect(unknown.body).toEqual(known.body);
    expect(unknown.status).toBe(202);
    await eventually(waiting, (rows) => rows.length === 0);
    expect(smtp.mails.length).toBe(before + 1);
  });

  it('has stored the wish for a mail when it answers', async () => {
    smtp.mood = { auth: 454 };
    const ann = await app.registerUser();
    await ask(ann.email);
    expect(await waiting()).toContainEqual({ email_key: ann.email });
    await app.sql('DELETE FROM password_reset_request');
  });

  it.each([['no address'], [''], [7], [null], ['a@b.example\u0000'], [`${'x'.repeat(300)}@example.com`]])(
    'refuses %j',
    async (email) => {
      expect((await app.http().post('/api/auth/forgot-password', { email })).status).toBe(400);
    },
  );

  it('keeps the token only hashed, and never logs it', async () => {
    const ann = await app.registerUser();
    await ask(ann.email);
    const token = await tokenOf(ann);
    const [row] = await app.sql('SELECT to_jsonb(r)::text AS text FROM password_reset r WHERE user_id = $1', [
      ann.id,
    ]);
    expect(row!.text).not.toContain(token);
    expect(app.logs.join('\n')).not.toContain(token);
  });

  it('without SMTP_URL is answered all the same, with a line in the log', async () => {
    const plain = await startApp({ shareDatabaseWith: app });
    const ann = await app.registerUser();
    expect((await ask(ann.email, plain)).status).toBe(202);
    const line = plain.logs.find((text) => text.includes('SMTP_URL'));
    expect(JSON.parse(line!)).toMatchObject({ level: 40 });
    expect(line).not.toContain(ann.email);
    expect(mailsTo(ann)).toEqual([]);
    await plain.close();
  });

  it('mails the token alone without PUBLIC_URL', async () => {
    const plain = await startApp({ shareDatabaseWith: app, env: { SMTP_URL: smtp.url } });
    const ann = await app.registerUser();
    await ask(ann.email, plain);
    await eventually(
      () => soon(() => mailsTo(ann)),
      (mails) => mails.length === 1,
    );
    const [token] = /^[\w-]{43}$/m.exec(mailsTo(ann)[0]!.text)!;
    expect((await reset(token)).status).toBe(200);
    await plain.close();
  });
});

describe('POST /api/auth/reset-password', () => {
  it('sets the password, ends every session, and works once', async () => {
    const ann = await app.registerUser();
    const socket = await app.connect(ann);
    await ask(ann.email);
    const token = await tokenOf(ann);
    const answer = await reset(token);
    expect([answer.status, answer.data]).toEqual([200, null]);
    expect(await socket.next('session-revoked')).toEqual({ reason: 'password-changed' });
    expect((await ann.http.get('/api/auth/profile')).code).toBe('SESSION_REVOKED');
    expect((await login(ann, ann.password)).code).toBe('INVALID_CREDENTIALS');
    expect((await login(ann, NEW_PASSWORD)).status).toBe(200);

    const again = await reset(token, 'yet another password');
    expect([again.status, again.code]).toEqual([422, 'RESET_TOKEN_INVALID']);
    expect((await login(ann, NEW_PASSWORD)).status).toBe(200);
  });

  it('works once, also for two at the same time', async () => {
    const ann = await app.registerUser();
    await ask(ann.email);
    const token = await tokenOf(ann);
    const answers = await Promise.all([reset(token, 'first password'), reset(token, 'second password')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
  });

  it('takes the newest token alone', async () => {
    const ann = await app.registerUser();
    await ask(ann.email);
    const first = await tokenOf(ann);
    await ask(ann.email);
    const second = await tokenOf(ann, 2);
    expect((await reset(first)).code).toBe('RESET_TOKEN_INVALID');
    expect((await reset(second)).status).toBe(200);
  });

  it('refuses it after an hour', async () => {
    const ann = await app.registerUser();
    await ask(ann.email);
    const token = await tokenOf(ann);
    app.clock.advance(3_600_001);
    expect((await reset(token)).code).toBe('RESET_TOKEN_INVALID');
    await eventually(
      () => app.sql('SELECT FROM password_reset WHERE user_id = $1', [ann.id]),
      (rows) => rows.length === 0,
    );
  });

  it.each([
    [
      'the password was changed',
      ({ http, password }: TestPerson) =>
        http.post('/api/auth/change-password', {
          currentPassword: password,
          newPassword: 'changed meanwhile',
        }),
    ],
    [
      'the address was changed',
      ({ http, id }: TestPerson) => http.put('/api/auth/update-profile', { email: `${id}@example.org` }),
    ],
    [
      'the account is gone',
      ({ http, password }: TestPerson) => http.delete('/api/auth/delete-profile', { password }),
    ],
  ])('refuses it once %s', async (_name, change) => {
    const ann = await app.registerUser();
    await ask(ann.email);
    const token = await tokenOf(ann);
    expect((await change(ann)).status).toBe(200);
    expect((await reset(token)).code).toBe('RESET_TOKEN_INVALID');
  });

  it.each([[''], ['x'], ['x'.repeat(43)], ['x'.repeat(1_000)]])('refuses the token %j', async (token) => {
    const answer = await reset(token);
    expect([answer.status, answer.code]).toEqual([422, 'RESET_TOKEN_INVALID']);
  });

  it('refuses a password that cannot be one, and leaves the token', async () => {
    const ann = await app.registerUser();
    await ask(ann.email);
    const token = await tokenOf(ann);
    for (const password of ['short', 'é'.repeat(37)]) {
      const answer = await reset(token, password);
      expect([answer.status, answer.body.details[0].field]).toEqual([400, 'password']);
    }
    expect((await reset(token)).status).toBe(200);
  });
});

describe('a mail server in trouble', () => {
  it.each([
    ['is busy', { recipient: 451 }],
    ['refuses the sign-in', { auth: 535 }],
    ['hangs up in the middle', { data: null }],
    ['fails after the content', { data: 452 }],
  ])('that %s is asked again until it takes the mail', async (_name, mood) => {
    const ann = await app.registerUser();
    smtp.mood = mood;
    const before = app.logs.length;
    expect((await ask(ann.email)).status).toBe(202);
    await eventually(
      () => soon(() => app.logs.slice(before)),
      (lines) => lines.some((line) => line.includes('was not sent')),
    );
    expect(await waiting()).toContainEqual({ email_key: ann.email });
    smtp.mood = {};
    app.clock.advance(61_000);
    expect((await reset(await tokenOf(ann))).status).toBe(200);
    await eventually(waiting, (rows) => rows.length === 0);
    expect(mailsTo(ann)).toHaveLength(1);
  });

  it('that refuses the recipient for good is not asked again', async () => {
    const ann = await app.registerUser();
    smtp.mood = { recipient: 550 };
    await ask(ann.email);
    await eventually(waiting, (rows) => rows.length === 0);
    smtp.mood = {};
    app.clock.advance(3_600_000);
    const ben = await app.registerUser();
    await ask(ben.email);
    await tokenOf(ben);
    expect(mailsTo(ann)).toEqual([]);
  });

  it('is given up after an hour', async () => {
    const ann = await app.registerUser();
    smtp.mood = { auth: 454 };
    await ask(ann.email);
    const attempts = async () =>
      (await app.sql<{ attempts: number }>('SELECT attempts FROM password_reset_request'))[0]?.attempts ?? 0;
    await eventually(attempts, (count) => count === 1);
    app.clock.advance(3_600_001);
    await eventually(waiting, (rows) => rows.length === 0);
    expect(mailsTo(ann)).toEqual([]);
  });

  it('loses no mail of an instance that dies: another one sends it', async () => {
    const ann = await app.registerUser();
    // What a killed instance leaves: a request that it has claimed.
    await app.sql(
      'INSERT INTO password_reset_request (email_key, requested_at, attempts, next_attempt_at) VALUES ($1, $2, 1, $3)',
      [ann.email, app.clock.now(), new Date(app.clock.nowMs() + 60_000)],
    );
    app.clock.advance(59_000);
    expect(mailsTo(ann)).toEqual([]);
    app.clock.advance(31_000);
    expect((await reset(await tokenOf(ann))).status).toBe(200);
  });
});

describe('limits', () => {
  let limited: TestApp;

  beforeAll(async () => {
    limited = await startApp({
      shareDatabaseWith: app,
      env: { SMTP_URL: smtp.url, PUBLIC_URL, RATE_LIMITS: 'on', TRUST_PROXY: 'loopback' },
    });
  });

  afterAll(() => limited.close());

  const from = (ip: string) => ({ headers: { 'X-Forwarded-For': ip } });

  it('mail an account three times an hour, whoever asks, and say nothing of it', async () => {
    const ann = await app.registerUser();
    const answers = [];
    for (let n = 0; n < 5; n++) {
      const body = { email: ann.email };
      answers.push(await limited.http().post('/api/auth/forgot-password', body, from(`192.0.2.${n}`)));
      await eventually(waiting, (rows) => rows.length === 0);
    }
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(mailsTo(ann)).toHaveLength(3);
    expect((await reset(await tokenOf(ann, 3), NEW_PASSWORD, limited)).status).toBe(200);
  });

  it('let an address ask as often as it likes, for twenty mails, and guess twenty times', async () => {
    const people = await Promise.all(Array.from({ length: 21 }, () => app.registerUser()));
    for (const { email } of people) {
      const answer = await limited.http().post('/api/auth/forgot-password', { email }, from('198.51.100.1'));
      expect(answer.status).toBe(202);
    }
    await eventually(
      () => app.sql('SELECT 1 FROM password_reset_request'),
      (rows) => rows.length === 0,
    );
    expect(people.map((person) => mailsTo(person).length)).toEqual([...people.slice(1).map(() => 1), 0]);
    const guess = async (ip: string) => {
      const body = { token: 'x'.repeat(43), password: NEW_PASSWORD };
      return (await limited.http().post('/api/auth/reset-password', body, from(ip))).status;
    };
    const codes = [];
    for (let n = 0; n < 21; n++) codes.push(await guess('198.51.100.2'));
    expect(codes.slice(0, 20)).not.toContain(429);
    expect(codes[20]).toBe(429);
    expect(await guess('198.51.100.3')).not.toBe(429);
  });

  it('on sign-in are forgiven to who has the token', async () => {
    const ann = await app.registerUser();
    const ip = from('198.51.100.7');
    const attempt = (password: string) =>
      limited.http().post('/api/auth/login', { email: ann.email, password }, ip);
    for (let n = 0; n < 10; n++) await attempt('wrong');
    expect((await attempt(ann.password)).status).toBe(429);
    await ask(ann.email);
    const body = { token: await tokenOf(ann), password: NEW_PASSWORD };
    expect((await limited.http().post('/api/auth/reset-password', body, ip)).status).toBe(200);
    expect((await attempt(NEW_PASSWORD)).status).toBe(200);
  });
});
