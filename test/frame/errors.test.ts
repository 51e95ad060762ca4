import { STATUS_CODES } from 'node:http';
import { ERROR_CATALOGUE } from '../../src/common/errors.js';
import { useApp, type TestPerson } from '../support/app.js';

const app = useApp();
const LOGIN = '/api/auth/login';
const CREDENTIALS = { email: 'nobody@example.com', password: 'a password' };
const JSON_TYPE = { 'Content-Type': 'application/json' };

let person: TestPerson;
beforeAll(async () => {
  person = await app.registerUser();
});

function postText(body: string | Buffer, headers: Record<string, string> = JSON_TYPE, path = LOGIN) {
  return app.http().raw({ method: 'POST', path, headers, body });
}

function fieldsOf(answer: { body: { details?: { field: string }[] } }): string[] {
  return [...new Set((answer.body.details ?? []).map(({ field }) => field))].sort();
}

describe('the envelope', () => {
  it('wraps what succeeds in status, one sentence and data', async () => {
    const { body } = await person.http.get('/api/auth/profile');
    expect(Object.keys(body).sort()).toEqual(['data', 'message', 'status']);
    expect(body).toMatchObject({ status: 'success', message: expect.stringMatching(/^[A-Z].*\.$/) });
  });

  it('adds the page to a list', async () => {
    const { body } = await person.http.get('/api/contacts');
    expect(body).toMatchObject({ status: 'success', data: [], page: { nextCursor: null } });
  });

  it('describes what fails', async () => {
    const answer = await app.http().post(LOGIN, CREDENTIALS);
    expect(answer.body).toEqual({
      status: 'error',
      statusCode: 401,
      error: 'Unauthorized',
      code: 'INVALID_CREDENTIALS',
      message: expect.stringMatching(/^[A-Z].*\.$/),
      requestId: answer.headers['x-request-id'],
    });
  });
});

describe('the catalogue', () => {
  it.each(Object.entries(ERROR_CATALOGUE))(
    'says %s in a sentence, under a status that clients know',
    (code, { status, message }) => {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect([400, 401, 403, 404, 409, 410, 413, 415, 422, 429, 500, 503]).toContain(status);
      expect(STATUS_CODES[status]).toBeDefined();
      // The words of this one are part of the contract, and have no full stop.
      expect(message).toMatch(code === 'IDEMPOTENCY_CONFLICT' ? /^[A-Z].* processed$/ : /^[A-Z].*\.$/);
    },
  );
});

describe('request ids', () => {
  it('are taken from the request if sane, and stand in the answer and in the log', async () => {
    const id = 'test:1.2-3_A';
    const { headers, body } = await app
      .http()
      .get('/nothing', { undocumented: true, headers: { 'X-Request-Id': id } });
    expect(headers['x-request-id']).toBe(id);
    expect(body.requestId).toBe(id);
    expect(app.logs.filter((line) => line.includes(`"requestId":"${id}"`))).toHaveLength(1);
  });

  it.each(['', 'x'.repeat(129), 'a b', 'a"b', '{"x":1}', '<script>', 'a,b'])(
    'are made instead of %j',
    async (given) => {
      const { headers } = await app.http().get('/health', { headers: { 'X-Request-Id': given } });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it('differ from one request to the next', async () => {
    const [one, two] = await Promise.all([app.http().get('/health'), app.http().get('/health')]);
    expect(one.headers['x-request-id']).not.toBe(two.headers['x-request-id']);
  });
});

describe('what is not there', () => {
  it.each([
    ['GET', '/api/nothing'],
    ['GET', '/nothing'],
    ['POST', '/api/auth/nothing'],
    ['GET', '/api/auth/login'],
    ['PUT', '/api/auth/login'],
    ['DELETE', '/health'],
    ['GET', '/.env'],
    ['GET', '/api/../../etc/passwd'],
    ['GET', '//api/auth/profile'],
  ])('%s %s is answered with 404', async (method, path) => {
    const answer = await app.http().raw({ method, path }, { undocumented: true });
    expect(answer).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND', body: { error: 'Not Found' } });
  });

  it.each(['%', '%zz', '%E0%A4%A', '%c0%af', '%ff'])(
    'an address with %s in it is refused, not crashed on',
    async (garbage) => {
      const answer = await person.http.raw({ method: 'GET', path: `/api/chats/${garbage}` });
      expect([400, 404]).toContain(answer.status);
    },
  );

  it.each([
    'x',
    '%00',
    'a%00b',
    '%ED%A0%80',
    '%20',
    '1',
    '-1',
    'null',
    '__proto__',
    'x'.repeat(3_000),
    "'; DROP TABLE app_user; --",
  ])('an id such as %s names nothing', async (id) => {
    const path = `/api/chats/${id.startsWith("'") ? encodeURIComponent(id) : id}`;
    const { status } = await person.http.raw({ method: 'GET', path });
    expect([400, 404]).toContain(status);
  });
});

describe('bodies', () => {
  it.each(['{', '{"email":', "{'email': 1}", '{"a":1}}', 'nonsense', '{"a":01}', '"\\x"', '\u0000'])(
    'that are not JSON are refused: %j',
    async (text) => {
      expect(await postText(text)).toMatchObject({ status: 400, code: 'MALFORMED_JSON' });
    },
  );

  it.each(['[]', '[{"email":"a@example.com","password":"12345678"}]', '"text"', '12', 'true', 'null'])(
    'that are JSON but no object are refused: %s',
    async (text) => {
      expect(await postText(text)).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    },
  );

  it('that are missing are refused, every required field named', async () => {
    const answer = await app.http().post(LOGIN);
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(fieldsOf(answer)).toEqual(['email', 'password']);
    expect(fieldsOf(await postText(''))).toEqual(['email', 'password']);
  });

  it('may be as large as the limit and no larger', async () => {
    const ofSize = (bytes: number): string => {
      const empty = JSON.stringify({ ...CREDENTIALS, deviceName: '' });
      return JSON.stringify({ ...CREDENTIALS, deviceName: 'x'.repeat(bytes - empty.length) });
    };
    expect(await postText(ofSize(256 * 1024))).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(await postText(ofSize(256 * 1024 + 1))).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    expect(await postText(ofSize(5 * 1024 * 1024))).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
  });

  it.each([
    'text/plain',
    'text/html',
    'application/xml',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'multipart/form-data; boundary=x',
    'nonsense',
    'application/json; charset=utf-9',
    'application/json; charset=iso-8859-1',
  ])('of type %s are refused', async (type) => {
    const answer = await postText(JSON.stringify(CREDENTIALS), { 'Content-Type': type });
    expect(answer).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it('without a type are refused', async () => {
    expect(await postText(JSON.stringify(CREDENTIALS), {})).toMatchObject({ status: 415 });
  });

  it('in an encoding nobody knows are refused, and a bomb is not unpacked', async () => {
    const unknown = await postText(JSON.stringify(CREDENTIALS), {
      ...JSON_TYPE,
      'Content-Encoding': 'rot13',
    });
    expect(unknown).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
    const { gzipSync } = await import('node:zlib');
    const bomb = gzipSync(JSON.stringify({ ...CREDENTIALS, deviceName: 'x'.repeat(50_000_000) }));
    expect(bomb.length).toBeLessThan(200_000);
    const answer = await postText(bomb, { ...JSON_TYPE, 'Content-Encoding': 'gzip' });
    expect(answer).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
  });

  it('may be written in any utf', async () => {
    const answer = await postText(JSON.stringify(CREDENTIALS), {
      'Content-Type': 'Application/JSON; charset="UTF-8"',
    });
    expect(answer).toMatchObject({ status: 401, code: 'INVALID_CREDENTIALS' });
  });
});

describe('fields', () => {
  it('that are bad are all named, each with its reason', async () => {
    const answer = await app
      .http()
      .post('/api/auth/register', { name: '', email: 'no address', password: 'short' });
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED', body: { error: 'Bad Request' } });
    expect(fieldsOf(answer)).toEqual(expect.arrayContaining(['email', 'name', 'password']));
    for (const { message } of answer.body.details) expect(message).toMatch(/^(must|should|is|has|contains) /);
  });

  it.each(['admin', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', '$where', ''])(
    'that are not declared are refused and named: %s',
    async (field) => {
      const answer = await postText(
        JSON.stringify(CREDENTIALS).replace('}', `,${JSON.stringify(field)}:{"x":1}}`),
      );
      expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect(fieldsOf(answer)).toEqual([field]);
    },
  );

  it.each(['admin', '__proto__', 'constructor', 'toString'])(
    'inside another are refused and named: %s',
    async (field) => {
      const body = `{"settings":{"readReceipts":true,${JSON.stringify(field)}:{"x":1}}}`;
      const answer = await person.http.raw({
        method: 'PUT',
        path: '/api/auth/update-profile',
        headers: JSON_TYPE,
        body,
      });
      expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect(fieldsOf(answer)).toEqual([`settings.${field}`]);
      expect(({} as Record<string, unknown>).x).toBeUndefined();
    },
  );

  it('in the query are checked like those of a body', async () => {
    expect(fieldsOf(await person.http.get('/api/contacts?admin=1'))).toEqual(['admin']);
    expect(fieldsOf(await person.http.get('/api/contacts?limit=0'))).toEqual(['limit']);
    expect(fieldsOf(await person.http.get('/api/contacts?limit=101'))).toEqual(['limit']);
    expect(fieldsOf(await person.http.get('/api/contacts?limit=ten'))).toEqual(['limit']);
    expect(fieldsOf(await person.http.get('/api/contacts?limit=1&limit=2'))).toEqual(['limit']);
    expect(fieldsOf(await person.http.get('/api/contacts?__proto__=1'))).toEqual(['__proto__']);
    expect(fieldsOf(await person.http.get('/api/contacts/search?query[x]=1')).length).toBeGreaterThan(0);
    expect(fieldsOf(await person.http.get('/api/contacts/search?query=a%00b'))).toEqual(['query']);
  });

  it('of another kind than declared are refused: a list or an object for a text, a text for an object', async () => {
    for (const email of [['a@example.com'], { $gt: '' }, 1, true, null]) {
      expect(fieldsOf(await app.http().post(LOGIN, { ...CREDENTIALS, email }))).toContain('email');
    }
    for (const settings of [[], [{ readReceipts: true }], 'x', 1]) {
      const answer = await person.http.put('/api/auth/update-profile', { settings });
      expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    }
  });

  it.each(['[', '{"a":'])('may not be nested without end: 20,000 times %s', async (open) => {
    const depth = 20_000;
    const nested = open.repeat(depth) + '1' + (open === '[' ? ']' : '}').repeat(depth);
    for (const field of ['deviceName', 'unknown']) {
      const answer = await postText(`{"email":"a@example.com","password":"12345678","${field}":${nested}}`);
      expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect(answer.body.details[0].field).toMatch(new RegExp(`^${field}`));
    }
    expect(await postText(nested)).toMatchObject({ status: 400 });
  });

  it.each(['\\u0000', 'a\\u0000b', '\\ud800', '\\udc00\\ud83d', 'x\\udfff'])(
    'may not hold %s',
    async (escape) => {
      for (const field of ['email', 'password', 'deviceName']) {
        const body = JSON.stringify({ ...CREDENTIALS, [field]: 'PLACE' }).replace('PLACE', escape);
        const answer = await postText(body);
        expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
        expect(fieldsOf(answer)).toContain(field);
      }
    },
  );

  it('keep every other character as it was sent', async () => {
    const name = '  Zoë 👩‍👩‍👧 \u202eתשרי\u202c \u{1F1E9}\u{1F1EA} e\u0301 ';
    const { data } = await person.http.put('/api/auth/update-profile', { name });
    const shown = data.user?.name ?? data.name;
    expect(shown.trim()).toBe(name.trim());
  });
});

describe('a fault of the server', () => {
  it('is answered without its cause and logged without what people wrote', async () => {
    const secret = 'marker-of-the-fault';
    await app.sql('ALTER TABLE app_user RENAME TO app_user_gone');
    const answer = await app.http().post(LOGIN, { email: `${secret}@example.com`, password: secret });
    await app.sql('ALTER TABLE app_user_gone RENAME TO app_user');
    expect(answer).toMatchObject({ status: 500, code: 'INTERNAL', body: { error: 'Internal Server Error' } });
    expect(answer.bytes.toString()).not.toMatch(/app_user|relation|prisma|\.ts|\.js/i);
    const lines = app.logs.filter((line) => line.includes(answer.body.requestId));
    expect(lines.some((line) => line.includes('"level":50'))).toBe(true);
    expect(app.logs.join('')).not.toContain(secret);
    expect(await app.http().post(LOGIN, CREDENTIALS)).toMatchObject({ status: 401 });
  });
});

describe('what a hostile client makes of it', () => {
  it('another way of writing /api is another route, so it passes no limit by', async () => {
    for (const path of ['/API/auth/login', '/Api/chats']) {
      expect(await app.http().post(path, {}, { undocumented: true })).toMatchObject({ status: 404 });
    }
  });

  it('an answer does not outgrow the request', async () => {
    const body = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, 1]));
    const answer = await app.http().post('/api/auth/login', body);
    expect(answer.status).toBe(400);
    expect(answer.body.details.length).toBeLessThanOrEqual(30);
  });

  it('a long list is refused without comparing all with all', async () => {
    const ann = await app.registerUser();
    const participantIds = Array.from({ length: 30_000 }, (_, i) => String(i));
    const before = performance.now();
    const answer = await ann.http.post('/api/chats', { type: 'PRIVATE', participantIds });
    expect(answer).toMatchObject({ status: 400, body: { details: [{ field: 'participantIds' }] } });
    expect(performance.now() - before).toBeLessThan(200);
  });

  it('bytes in the place of an object are refused as such', async () => {
    const socket = await app.connect(await app.registerUser());
    const ack = await socket.emit('join-chat', Buffer.alloc(100_000));
    expect(ack).toMatchObject({ code: 'VALIDATION_FAILED', details: [{ message: 'must be an object' }] });
  });

  it('a body that announces too much is refused before it is read', async () => {
    const answer = await app.http().raw({
      method: 'POST',
      path: '/api/auth/login',
      headers: { 'Content-Type': 'application/json', 'Content-Length': '300000000' },
    });
    expect(answer).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    expect(answer.headers.connection).toBe('close');
  });

  it('a route without a body takes no field', async () => {
    const ann = await app.registerUser();
    const answer = await ann.http.post('/api/auth/logout', { evil: 1 });
    expect(answer).toMatchObject({ status: 400, body: { details: [{ field: 'evil' }] } });
    expect((await ann.http.post('/api/auth/logout', {})).status).toBe(200);
  });
});
