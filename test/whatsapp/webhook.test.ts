import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { envelope } from '../fakes/graph-webhooks.js';
import { startApp, useApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { Answer } from '../support/http.js';
import { inbound } from './support/bodies.js';
import { APP_SECRET, registerTenant, settled } from './support/channel.js';

const OLD_SECRET = 'the secret before it';
const VERIFY_TOKEN = 'a token of our own';
const MAX_BYTES = 3 * 1024 * 1024;

const app = useApp({
  env: { APP_SECRET: `${APP_SECRET},${OLD_SECRET}`, VERIFY_TOKEN, RATE_LIMITS: 'on' },
});

function sign(body: string | Buffer, secret = APP_SECRET): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

interface Sent {
  to?: TestApp;
  path?: string;
  headers?: Record<string, string>;
  /** Null: none. */
  signature?: string | null;
}

function post(
  body: string | Buffer,
  { to = app, path = '/whatsapp/webhook', headers, signature }: Sent = {},
): Promise<Answer> {
  return to.http().raw({
    method: 'POST',
    path,
    headers: {
      'Content-Type': 'application/json',
      ...(signature !== null && { 'X-Hub-Signature-256': signature ?? sign(body) }),
      ...headers,
    },
    body,
  });
}

async function bodies(from: TestApp = app): Promise<string[]> {
  const rows = await from.sql<{ body: Buffer }>('SELECT body FROM webhook_event ORDER BY id');
  return rows.map(({ body }) => body.toString());
}

describe.each(['/whatsapp/webhook', '/webhook'])('the handshake at %s', (path) => {
  const ask = (query: string): Promise<Answer> => app.http().get(`${path}?${query}`);

  it('answers the challenge as plain text', async () => {
    const answer = await ask(
      `hub.mode=subscribe&hub.verify_token=${encodeURIComponent(VERIFY_TOKEN)}&hub.challenge=1158201444`,
    );
    expect(answer.status).toBe(200);
    expect(answer.bytes.toString()).toBe('1158201444');
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  });

  it.each([
    ['a wrong token', 'hub.mode=subscribe&hub.verify_token=x&hub.challenge=1'],
    ['no token', 'hub.mode=subscribe&hub.challenge=1'],
    ['two tokens', `hub.mode=subscribe&hub.verify_token=a&hub.verify_token=b&hub.challenge=1`],
    [
      'another mode',
      `hub.mode=unsubscribe&hub.verify_token=${encodeURIComponent(VERIFY_TOKEN)}&hub.challenge=1`,
    ],
    ['no challenge', `hub.mode=subscribe&hub.verify_token=${encodeURIComponent(VERIFY_TOKEN)}`],
    ['nothing', ''],
  ])('refuses %s', async (_what, query) => {
    expect(await ask(query)).toMatchObject({ status: 403, code: 'VERIFY_TOKEN_WRONG' });
  });
});

describe('a delivery', () => {
  it.each(['/whatsapp/webhook', '/webhook', '/whatsapp/webhook/', '/webhook/'])(
    'is stored as it came and answered with 200 at %s',
    async (path) => {
      const body = `{"object":"whatsapp_business_account",  "entry":[], "note":"caf\\u00e9 \\/ ${path} 🌉"}`;
      const answer = await post(body, { path });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ status: 'success', message: expect.any(String), data: null });
      expect((await bodies()).at(-1)).toBe(body);
    },
  );

  it('may be signed with any of the secrets', async () => {
    const body = '{"entry":[],"by":"the old secret"}';
    expect((await post(body, { signature: sign(body, OLD_SECRET) })).status).toBe(200);
  });

  it('may have its signature in capitals', async () => {
    const body = '{"entry":[],"by":"CAPITALS"}';
    expect((await post(body, { signature: `sha256=${sign(body).slice(7).toUpperCase()}` })).status).toBe(200);
  });

  it.each([
    ['none', null],
    ['an empty one', ''],
    ['one of another secret', sign('{"entry":[]}', 'another')],
    ['one of another body', sign('{"entry":[] }')],
    ['a cut one', sign('{"entry":[]}').slice(0, -2)],
    ['one without its kind', sign('{"entry":[]}').slice(7)],
    ['one of SHA-1', 'sha1=0123456789012345678901234567890123456789'],
  ])('with %s for a signature is refused, and nothing is stored', async (_what, signature) => {
    const before = await bodies();
    expect(await post('{"entry":[]}', { signature })).toMatchObject({
      status: 401,
      code: 'SIGNATURE_INVALID',
    });
    expect(await bodies()).toEqual(before);
  });

  it.each([
    ['a list', '[]', 'VALIDATION_FAILED'],
    ['a text', '"entry"', 'VALIDATION_FAILED'],
    ['null', 'null', 'VALIDATION_FAILED'],
    ['a number', '1', 'VALIDATION_FAILED'],
    ['nothing', '', 'MALFORMED_JSON'],
    ['half of something', '{"entry":[', 'MALFORMED_JSON'],
  ])('that is %s is refused, and nothing is stored', async (_what, body, code) => {
    const before = await bodies();
    expect(await post(body)).toMatchObject({ status: 400, code });
    expect(await bodies()).toEqual(before);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'nonsense'])(
    'of JSON under the name of %s is taken',
    async (type) => {
      const body = JSON.stringify({ entry: [], type });
      expect((await post(body, { headers: { 'Content-Type': type } })).status).toBe(200);
      expect((await bodies()).at(-1)).toBe(body);
    },
  );

  it('that is packed is refused: the signature is that of the bytes as they came', async () => {
    expect(await post('{}', { headers: { 'Content-Encoding': 'gzip' } })).toMatchObject({ status: 415 });
  });

  it('may be 3 MB long, and no longer', async () => {
    const wrap = (length: number): string => `{"entry":[],"pad":"${'x'.repeat(length - 21)}"}`;
    const largest = wrap(MAX_BYTES);
    expect(Buffer.byteLength(largest)).toBe(MAX_BYTES);
    expect((await post(largest)).status).toBe(200);
    expect((await bodies()).at(-1)).toBe(largest);
    expect(await post(wrap(MAX_BYTES + 1))).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
  });

  it('whose length is not announced may be no longer either', async () => {
    const body = new ReadableStream<Uint8Array>({
      start(stream) {
        for (let sent = 0; sent <= MAX_BYTES; sent += 65_536) stream.enqueue(new Uint8Array(65_536));
        stream.close();
      },
    });
    const answer = await fetch(`${app.url}/whatsapp/webhook`, {
      method: 'POST',
      body,
      duplex: 'half',
    } as never);
    expect(answer.status).toBe(413);
  });

  it('may come in many small parts', async () => {
    const body = `{"entry":[],"in":"${'parts '.repeat(300)}"}`;
    const parts = new ReadableStream<Uint8Array>({
      start(stream) {
        for (const part of Buffer.from(body)) stream.enqueue(Uint8Array.of(part));
        stream.close();
      },
    });
    const answer = await fetch(`${app.url}/whatsapp/webhook`, {
      method: 'POST',
      body: parts,
      headers: { 'X-Hub-Signature-256': sign(body) },
      duplex: 'half',
    } as never);
    expect(answer.status).toBe(200);
    expect((await bodies()).at(-1)).toBe(body);
  });

  it('is never limited in number', async () => {
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => post(`{"entry":[],"flood":${index}}`)),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(answers[0]?.headers).not.toHaveProperty('ratelimit');
    const stored = (await bodies()).filter((body) => body.includes('flood'));
    expect(new Set(stored).size).toBe(300);
  });

  it('with the same bytes again is stored again: what it tells is known by its own ids', async () => {
    const body = '{"entry":[],"again":true}';
    await post(body);
    await post(body);
    expect((await bodies()).filter((stored) => stored === body)).toHaveLength(2);
  });

  it('is committed before it is answered, or refused', async () => {
    await app.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$`);
    await app.sql(
      'CREATE TRIGGER refuse BEFORE INSERT ON webhook_event FOR EACH ROW EXECUTE FUNCTION refuse()',
    );
    try {
      expect(await post('{"entry":[],"while":"the disk is full"}')).toMatchObject({
        status: 503,
        code: 'NOT_READY',
      });
    } finally {
      await app.sql('DROP TRIGGER refuse ON webhook_event');
    }
  });

  it('is applied: its message is there', async () => {
    const tenant = await registerTenant(app);
    const body = inbound(tenant, '919937320320', { text: { body: 'is anybody there?' }, type: 'text' });
    expect((await post(JSON.stringify(body))).status).toBe(200);
    await settled(app);
    const rows = await app.sql('SELECT 1 FROM message WHERE text = $1', ['is anybody there?']);
    expect(rows).toHaveLength(1);
  });
});

describe('metrics', () => {
  it('tell what comes in, what becomes of it, and how late', async () => {
    const tenant = await registerTenant(app);
    const sample = async (name: string): Promise<number> => {
      const { body } = await app.http().get('/metrics');
      const line = String(body)
        .split('\n')
        .find((one) => one.startsWith(`${name} `));
      return Number(line?.split(' ').at(-1) ?? 0);
    };
    const names = [
      'parley_webhook_events_total',
      'parley_webhook_items_total{outcome="applied"}',
      'parley_webhook_items_total{outcome="unknown_field"}',
      'parley_webhook_lag_seconds_count',
      'parley_webhook_dead_letters',
    ];
    const readAll = (): Promise<number[]> => Promise.all(names.map(sample));
    await settled(app);
    const before = await readAll();
    await post(JSON.stringify(inbound(tenant, '919937320321')));
    await post(JSON.stringify(envelope('1', 'a_field_of_tomorrow', {})));
    await settled(app);
    const after = await eventually(readAll, (now) => (now[3] ?? 0) - (before[3] ?? 0) === 2);
    expect(after.map((value, index) => value - (before[index] ?? 0))).toEqual([2, 1, 1, 2, 1]);
    expect(await sample('parley_webhook_open_events')).toBe(0);
  });
});

describe('without a secret', () => {
  it('outside production everything is let in', async () => {
    const open = await startApp();
    try {
      const body = '{"entry":[]}';
      expect((await post(body, { to: open, signature: null })).status).toBe(200);
      expect((await post(body, { to: open, signature: 'sha256=00' })).status).toBe(200);
    } finally {
      await open.close();
    }
  });

  it('in production nothing is', async () => {
    const closed = await startApp({ config: { production: true } });
    try {
      const body = '{"entry":[]}';
      expect(await post(body, { to: closed, signature: null })).toMatchObject({ status: 401 });
      expect(await post(body, { to: closed, signature: sign(body, '') })).toMatchObject({ status: 401 });
      expect(await bodies(closed)).toEqual([]);
    } finally {
      await closed.close();
    }
  });
});

describe('a worker', () => {
  it('takes nothing in', async () => {
    const worker = await startApp({ env: { ROLE: 'worker' } });
    try {
      const answer = await worker
        .http()
        .raw({ method: 'POST', path: '/whatsapp/webhook', body: '{}' }, { undocumented: true });
      expect(answer.status).toBe(404);
    } finally {
      await worker.close();
    }
  });
});
