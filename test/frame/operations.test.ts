import { gunzipSync } from 'node:zlib';
import { startApp, useApp } from '../support/app.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { TestSocket } from '../support/socket.js';
import { Readiness } from '../../src/health/readiness.js';

const app = useApp({ env: { CORS_ORIGINS: 'https://chat.example.com,https://other.example.com' } });

describe('health', () => {
  it.each(['/health', '/health/live', '/health/ready'])(
    '%s says that all is well, without an envelope',
    async (path) => {
      const answer = await app.http().get(path);
      expect(answer).toMatchObject({ status: 200, body: { ok: true } });
      expect(Object.keys(answer.body)).toEqual(['ok']);
    },
  );

  it('answers a program at the address itself', async () => {
    expect(await app.http().get('/')).toMatchObject({ status: 200, body: { ok: true } });
  });

  it('is not ready without the database, lives all the same, and is ready again with it', async () => {
    let way: TestProxy | undefined;
    const severed = await startApp({ databaseVia: async (url) => (way = await startProxy(url)).url });
    const login = { email: 'a@example.com', password: '12345678' };
    try {
      const { token } = await severed.registerUser();
      await way?.cut();
      expect(await severed.http().get('/health/ready')).toMatchObject({ status: 503, code: 'NOT_READY' });
      expect(await severed.http().get('/health/live')).toMatchObject({ status: 200 });
      const answers = await Promise.all([
        severed.http().post('/api/auth/login', login),
        severed.http(token).get('/api/auth/profile'),
        severed.http(token).get('/api/chats'),
      ]);
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 503, code: 'NOT_READY' });
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      }
      await way?.restore();
      expect(await severed.http().get('/health/ready')).toMatchObject({ status: 200 });
      expect(await severed.http().post('/api/auth/login', login)).toMatchObject({ status: 401 });
      expect(await severed.http(token).get('/api/chats')).toMatchObject({ status: 200 });
    } finally {
      await severed.close();
      await way?.close();
    }
  });

  it('is not ready while it drains', async () => {
    const draining = await startApp();
    try {
      draining.running.nest.get(Readiness).startDraining();
      expect(await draining.http().get('/health/ready')).toMatchObject({ status: 503, code: 'NOT_READY' });
      expect(await draining.http().get('/health/live')).toMatchObject({ status: 200 });
    } finally {
      await draining.close();
    }
  });
});

describe('a worker', () => {
  it('serves its health and metrics, and nothing else', async () => {
    const worker = await startApp({ config: { role: 'worker' } });
    try {
      for (const path of ['/health', '/health/live', '/health/ready', '/metrics']) {
        expect((await worker.http().get(path)).status).toBe(200);
      }
      const answer = await worker.http().get('/api/auth/profile', { undocumented: true });
      expect(answer).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND' });
    } finally {
      await worker.close();
    }
  });
});

describe('metrics', () => {
  it('are in the text format of Prometheus', async () => {
    await app.http().get('/health');
    await app.http().get('/api/chats/x');
    const { headers, body } = await app.http().get('/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = (body as string).trimEnd().split('\n');
    const sample =
      /^[a-zA-Z_:][\w:]*(\{[a-zA-Z_]\w*="[^"\n]*"(,[a-zA-Z_]\w*="[^"\n]*")*\})? (NaN|[+-]?Inf|[-+0-9.e]+)$/;
    for (const line of lines.filter((one) => one !== ''))
      expect(line).toMatch(line.startsWith('#') ? /^# (HELP|TYPE) [a-zA-Z_:][\w:]* ./ : sample);
    expect(body).toContain('route="/health",status="200"');
    expect(body).toMatch(/process_cpu_seconds_total \d/);
  });

  it('count by the pattern of a route, so that ids and unknown addresses make no series of their own', async () => {
    await app.http().get('/api/chats/11111111-1111-4111-8111-111111111111');
    await app.http().get('/an/address/of/a/scanner', { undocumented: true });
    const { body } = await app.http().get('/metrics');
    expect(body).not.toContain('11111111-1111');
    expect(body).not.toContain('scanner');
  });
});

describe('headers', () => {
  it.each(['/health', '/api/auth/profile', '/docs'])(
    'of %s protect a browser and do not advertise the server',
    async (path) => {
      const { headers } = await app.http().get(path, { undocumented: true });
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
        'referrer-policy': 'no-referrer',
        'content-security-policy': expect.stringContaining("default-src 'self'"),
      });
      expect(headers).not.toHaveProperty('x-powered-by');
    },
  );

  it('keep what is meant for one person out of caches', async () => {
    const { headers } = await (await app.registerUser()).http.get('/api/auth/profile');
    expect(headers['cache-control']).toBe('no-store');
  });
});

describe('CORS', () => {
  const ask = (origin: string) => app.http().get('/health', { headers: { Origin: origin } });

  it.each(['https://chat.example.com', 'https://other.example.com'])(
    'lets %s in, with its cookie',
    async (origin) => {
      const { headers } = await ask(origin);
      expect(headers['access-control-allow-origin']).toBe(origin);
      expect(headers['access-control-allow-credentials']).toBe('true');
      expect(headers.vary).toContain('Origin');
      expect(headers['access-control-expose-headers']).toMatch(/X-Request-Id.*RateLimit.*Retry-After/);
    },
  );

  it.each([
    'https://chat.example.com.evil.example',
    'http://chat.example.com',
    'https://chat.example.com:8443',
    'http://localhost:3000',
    'null',
  ])('does not let %s in', async (origin) => {
    const { status, headers } = await ask(origin);
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('answers a preflight, for an allowed origin only', async () => {
    const preflight = (origin: string) =>
      app.http().raw(
        {
          method: 'OPTIONS',
          path: '/api/auth/update-profile',
          headers: {
            Origin: origin,
            'Access-Control-Request-Method': 'PUT',
            'Access-Control-Request-Headers': 'authorization,content-type',
          },
        },
        { undocumented: true },
      );
    const allowed = await preflight('https://chat.example.com');
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'https://chat.example.com',
      'access-control-allow-methods': expect.stringContaining('PUT'),
      'access-control-allow-headers': 'authorization,content-type',
    });
    expect((await preflight('https://evil.example')).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
  });

  it('lets any port of this machine in where nothing is configured, outside production', async () => {
    const open = await startApp();
    try {
      for (const origin of ['http://localhost:5173', 'http://127.0.0.1:8080', 'http://[::1]:1']) {
        const { headers } = await open.http().get('/health', { headers: { Origin: origin } });
        expect(headers['access-control-allow-origin']).toBe(origin);
      }
      for (const origin of [
        'http://localhost.evil.example',
        'http://evil.example',
        'http://127.0.0.1.evil.example',
      ]) {
        const { headers } = await open.http().get('/health', { headers: { Origin: origin } });
        expect(headers).not.toHaveProperty('access-control-allow-origin');
      }
    } finally {
      await open.close();
    }
  });
});

describe('compression', () => {
  it('packs a large answer for who asks for it', async () => {
    const packed = await app
      .http()
      .get('/docs-json', { undocumented: true, headers: { 'Accept-Encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    const plain = await app.http().get('/docs-json', { undocumented: true });
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(JSON.parse(gunzipSync(packed.bytes).toString())).toEqual(plain.body);
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length / 4);
  });
});

describe('a client that may not use WebSockets', () => {
  it('is served by long polling', async () => {
    const { token } = await app.registerUser();
    const socket = await TestSocket.connect(app.url, { token }, ['polling']);
    expect(await socket.emit('app-opened', {})).toMatchObject({ status: 'success' });
    socket.disconnect();
  });
});
