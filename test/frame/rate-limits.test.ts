import { startApp, useApp, type TestApp } from '../support/app.js';
import { makePair } from '../support/people.js';

const ON = { RATE_LIMITS: 'on' };

/** A registration that is refused for its fields counts too, and costs no hashing. */
const register = (app: TestApp, headers: Record<string, string> = {}) =>
  app.http().post('/api/auth/register', {}, { headers });

describe('rate limits', () => {
  const app = useApp({ env: ON });

  it('are told in the headers, and count down', async () => {
    const person = await app.registerUser();
    const first = await person.http.get('/api/contacts/search?query=zz');
    expect(first.headers['ratelimit-policy']).toBe('"searches";q=60;w=60');
    expect(first.headers.ratelimit).toMatch(/^"searches";r=59;t=\d+$/);
    const second = await person.http.get('/api/contacts/search?query=zz');
    expect(second.headers.ratelimit).toMatch(/^"searches";r=58;t=\d+$/);
    const other = await person.http.get('/api/auth/profile');
    expect(other.headers['ratelimit-policy']).toBe('"default";q=100;w=1');
  });

  it('refuse what is too much with 429 and the time to wait, for that person alone', async () => {
    const [greedy, modest] = await Promise.all([app.registerUser(), app.registerUser()]);
    const answers = await Promise.all(
      Array.from({ length: 61 }, () => greedy.http.get('/api/contacts/search?query=zz')),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ code: 'RATE_LIMITED', body: { error: 'Too Many Requests' } });
    const wait = Number(refused[0]!.headers['retry-after']);
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(60);
    expect(refused[0]!.headers.ratelimit).toMatch(/^"searches";r=0;t=\d+$/);
    expect((await modest.http.get('/api/contacts/search?query=zz')).status).toBe(200);
    expect((await greedy.http.get('/api/auth/profile')).status).toBe(200);
  });

  it('let a burst of 60 messages pass, and no endless stream', async () => {
    const { ann, chatId } = await makePair(app);
    const send = () => ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' });
    const burst = await Promise.all(Array.from({ length: 60 }, send));
    expect(burst.map(({ status }) => status)).toEqual(Array.from({ length: 60 }, () => 201));
    const more = await Promise.all(Array.from({ length: 200 }, send));
    expect(more.filter(({ status }) => status === 429).length).toBeGreaterThan(100);
    for (const { status, headers } of more) {
      expect([201, 429]).toContain(status);
      if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
  });

  it('hold for socket events, and leave the socket open', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const acks = await Promise.all(Array.from({ length: 120 }, () => socket.emit('join-chat', { chatId })));
    const refused = acks.filter(({ status }) => status === 'error');
    expect(refused.length).toBeGreaterThan(0);
    for (const ack of refused) {
      expect(ack.code).toBe('RATE_LIMITED');
      expect(ack.retryAfterMs).toBeGreaterThan(0);
    }
    expect(socket.connected).toBe(true);
  });

  it('have the same count for messages over both doors', async () => {
    const { ann, chatId } = await makePair(app);
    const socket = await app.connect(ann);
    const overSocket = Array.from({ length: 100 }, () =>
      socket.emit('send-message', { chatId, text: 'hello' }),
    );
    const acks = await Promise.all(overSocket);
    expect(acks.some(({ code }) => code === 'RATE_LIMITED')).toBe(true);
    const rest = await Promise.all(
      Array.from({ length: 60 }, () => ann.http.post(`/api/chats/${chatId}/messages`, { text: 'hello' })),
    );
    expect(rest.some(({ status }) => status === 429)).toBe(true);
  });

  it('do not touch health and metrics', async () => {
    const answers = await Promise.all(Array.from({ length: 150 }, () => app.http().get('/health')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]!.headers).not.toHaveProperty('ratelimit');
  });
});

describe('who counts as one address', () => {
  const remaining = async (app: TestApp, forwardedFor: string): Promise<string> => {
    const { headers } = await register(app, { 'X-Forwarded-For': forwardedFor });
    return /r=(\d+)/.exec(String(headers.ratelimit))?.[1] ?? '';
  };

  it.each<[string, Record<string, string>, string[]]>([
    ['the connection, without TRUST_PROXY', {}, ['19', '18', '17']],
    ['what the nearest proxy saw, with TRUST_PROXY=1', { TRUST_PROXY: '1' }, ['19', '19', '18']],
    ['what a trusted range of proxies saw', { TRUST_PROXY: 'loopback' }, ['19', '19', '18']],
    ['the connection, when it is no trusted proxy', { TRUST_PROXY: '10.0.0.0/8' }, ['19', '18', '17']],
  ])('is %s', async (_name, env, expected) => {
    const app = await startApp({ env: { ...ON, ...env } });
    try {
      const seen = [
        await remaining(app, '203.0.113.1'),
        await remaining(app, '203.0.113.2'),
        await remaining(app, '198.51.100.9, 203.0.113.2'),
      ];
      expect(seen).toEqual(expected);
    } finally {
      await app.close();
    }
  });

  it('may register 20 times an hour', async () => {
    const app = await startApp({ env: ON });
    try {
      for (let i = 0; i < 20; i++) expect((await register(app)).status).toBe(400);
      const refused = await register(app);
      expect(refused).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3500);
    } finally {
      await app.close();
    }
  });
});
