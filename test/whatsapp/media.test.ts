import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeGraph } from '../fakes/graph.js';
import { makePicture } from '../media/pictures.js';
import { startApp, type TestApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { TestSocket } from '../support/socket.js';
import { newWamid } from './support/bodies.js';
import { hire, registerTenant, type TestTenant } from './support/channel.js';
import { change, message, messageOf, secondsOf, take, type StoredMessage } from './support/taking.js';

const CUSTOMER = '16505551234';
const DAY_MS = 24 * 3_600_000;
let graph: FakeGraph;
let app: TestApp;
let agent: TestPerson;
let socket: TestSocket;
let tenant: TestTenant;
let token: string;

beforeAll(async () => {
  graph = await FakeGraph.start({ now: () => app.clock.nowMs() });
  app = await startApp({ env: { WHATSAPP_API_BASE: graph.url, MAX_IMAGE_MB: '1' } });
  agent = await app.registerUser();
  socket = await app.connect(agent);
});

afterAll(async () => {
  await app.close();
  await graph.close();
});

beforeEach(async () => {
  const number = graph.addNumber();
  token = number.accessToken;
  tenant = await registerTenant(app, number);
  await hire(app, tenant, agent);
});

async function send(type: string, object: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const id = newWamid();
  const at = secondsOf(app.clock.now());
  await take(app, message(tenant, { from: CUSTOMER, id, timestamp: at, type, [type]: object, ...more }));
  return id;
}

/** Waits until nothing is fetched of it any more. */
async function fetched(wamid: string): Promise<StoredMessage> {
  return eventually(
    () => messageOf(app, tenant, wamid),
    (row) => row.media_pending === false,
  );
}

async function attempts(wamid: string): Promise<number> {
  const [row] = await app.sql<{ attempts: number }>(
    'SELECT attempts FROM whatsapp_message WHERE wamid = $1',
    [wamid],
  );
  return row!.attempts;
}

/** Waits until a try has failed and the next one is planned. */
async function failed(wamid: string, tries: number): Promise<void> {
  await eventually(
    async () => {
      const [row] = await app.sql<{ attempts: number; waits: boolean }>(
        'SELECT attempts, next_attempt_at < $2 AS waits FROM whatsapp_message WHERE wamid = $1',
        [wamid, new Date(app.clock.nowMs() + 10 * 60_000)],
      );
      return row!;
    },
    (row) => row.attempts === tries && row.waits,
  );
}

describe('the file of a message', () => {
  it('is fetched after the message is there, and told as another revision of it', async () => {
    const bytes = await makePicture('jpeg');
    const held = graph.hold('describe');
    const id = await send('image', {
      id: graph.putMedia(bytes, 'image/jpeg'),
      mime_type: 'image/jpeg',
      caption: 'Look',
    });
    const { message: first } = await socket.next(
      'new-message',
      ({ message: one }) => one.whatsapp?.waMessageId === id,
    );
    expect(first).toMatchObject({ type: 'IMAGE', text: 'Look', media: null });
    held.release();
    const { message: second } = await socket.next(
      'message-edited',
      ({ message: one }) => one.id === first.id,
    );
    expect(second).toMatchObject({
      rev: 2,
      text: 'Look',
      editedAt: null,
      media: { kind: 'IMAGE', width: 40 },
    });
    const served = await fetch(new URL(second.media.url as string, app.url));
    expect(served.status).toBe(200);
    expect(served.headers.get('content-type')).toBe('image/jpeg');
    expect(graph.violations).toEqual([]);
  });

  it('has the name that the customer gave it, and the token is shown to nobody else', async () => {
    const pdf = Buffer.from(`%PDF-1.4\n${randomBytes(200).toString('hex')}\n%%EOF`);
    const id = await send('document', { id: graph.putMedia(pdf, 'application/pdf'), filename: 'bill.pdf' });
    const { media_id: mediaId } = await fetched(id);
    const [media] = await app.sql('SELECT owner_id, file_name, kind FROM media WHERE id = $1', [mediaId]);
    expect(media).toEqual({ owner_id: null, file_name: 'bill.pdf', kind: 'DOCUMENT' });

    const elsewhere = await send('image', { url: 'https://files.example.com/a.jpg' });
    expect(await fetched(elsewhere)).toMatchObject({ media_id: null, error: { code: 'MEDIA_LOST' } });
    const redirected = await send('image', { id: graph.putMedia(await makePicture('png'), 'image/png') });
    graph.plan('download', 'redirect');
    await eventually(
      () => attempts(redirected),
      (count) => count > 0,
    );
    expect(app.logs.join('\n')).not.toContain(token);
  });

  it('is fetched from a new address when the first has expired', async () => {
    const id = graph.putMedia(await makePicture('jpeg'), 'image/jpeg');
    const held = graph.hold('download');
    const wamid = await send('image', { id });
    await held.arrived;
    graph.expireUrls();
    held.release();
    await failed(wamid, 1);
    app.clock.advance(5_000);
    expect(await fetched(wamid)).toMatchObject({ error: null, rev: 2 });
  });

  it('is tried again for as long as Meta keeps it, and then given up with a reason', async () => {
    const wamid = await send(
      'image',
      { id: 'unheard-of' },
      { timestamp: secondsOf(new Date(app.clock.nowMs() - 7 * DAY_MS + 30_000)) },
    );
    await failed(wamid, 1);
    app.clock.advance(5_000);
    await failed(wamid, 2);
    app.clock.advance(10_000);
    expect(await fetched(wamid)).toMatchObject({ media_id: null, error: { code: 'MEDIA_EXPIRED' }, rev: 2 });
  });

  it('is found by the sweep when no job knows of it', async () => {
    const id = graph.putMedia(await makePicture('jpeg'), 'image/jpeg');
    graph.plan('describe', 'error');
    const wamid = await send('image', { id });
    await failed(wamid, 1);
    await app.sql('UPDATE whatsapp_message SET attempts = 7, next_attempt_at = NULL WHERE wamid = $1', [
      wamid,
    ]);
    app.clock.advance(60_000);
    expect(await fetched(wamid)).toMatchObject({ error: null });
    expect(await attempts(wamid)).toBeGreaterThan(7);
  });

  it('is refused when it is larger than may be, or nothing that may be kept', async () => {
    const large = await send('image', { id: graph.putMedia(randomBytes(200_000_000), 'image/jpeg') });
    expect(await fetched(large)).toMatchObject({ media_id: null, error: { code: 'PAYLOAD_TOO_LARGE' } });
    const program = Buffer.concat([Buffer.from('7f454c46', 'hex'), Buffer.alloc(100)]);
    const odd = await send('document', { id: graph.putMedia(program, 'application/x-elf') });
    expect(await fetched(odd)).toMatchObject({ media_id: null, error: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
    const left = await readdir(join(app.dataDir, 'tmp'));
    expect(left).toEqual([]);
  });

  it('is not asked for when the tenant never calls the network', async () => {
    tenant = await registerTenant(app, { accessToken: 'mock_x' });
    const wamid = await send('image', { id: '1' });
    expect(await messageOf(app, tenant, wamid)).toMatchObject({ media_pending: false, media_id: null });
  });

  it('goes with the message that was revoked, also while it is fetched', async () => {
    const held = graph.hold('download');
    const wamid = await send('image', { id: graph.putMedia(await makePicture('jpeg'), 'image/jpeg') });
    await held.arrived;
    const revoke = { from: CUSTOMER, id: newWamid(), type: 'revoke', revoke: { original_message_id: wamid } };
    await take(app, message(tenant, revoke));
    const downloads = graph.log.filter((line) => line === 'download 200').length;
    held.release();
    await eventually(
      async () => ({
        done: graph.log.filter((line) => line === 'download 200').length > downloads,
        files: await readdir(join(app.dataDir, 'tmp')),
        rows: await app.sql(`SELECT key FROM loose_file UNION ALL
          SELECT f.storage_key FROM media f WHERE NOT EXISTS (SELECT FROM message m WHERE m.media_id = f.id)`),
      }),
      ({ done, files, rows }) => done && files.length + rows.length === 0,
    );
    expect(await messageOf(app, tenant, wamid)).toMatchObject({ media_id: null, text: null, rev: 2 });
  });

  it('of an echo and of the history is fetched as well', async () => {
    const put = async () => ({ id: graph.putMedia(await makePicture('jpeg'), 'image/jpeg') });
    const at = secondsOf(app.clock.now());
    const [echoed, past] = [newWamid(), newWamid()];
    const echo = { from: tenant.displayPhoneNumber, to: CUSTOMER, id: echoed, timestamp: at, type: 'image' };
    await take(
      app,
      change(tenant, 'smb_message_echoes', { message_echoes: [{ ...echo, image: await put() }] }),
    );
    const old = { from: CUSTOMER, id: past, timestamp: at };
    const threads = [{ id: CUSTOMER, messages: [{ ...old, type: 'media_placeholder' }] }];
    await take(app, change(tenant, 'history', { history: [{ threads }] }));
    await take(app, change(tenant, 'history', { messages: [{ ...old, type: 'image', image: await put() }] }));
    for (const wamid of [echoed, past]) {
      expect((await fetched(wamid)).media_id).not.toBeNull();
    }
  });

  it('tells the operator when the token is dead, and comes once there is a new one', async () => {
    const id = graph.putMedia(await makePicture('jpeg'), 'image/jpeg');
    graph.revokeToken(tenant.phoneNumberId, 'EAAGnexttoken');
    const wamid = await send('image', { id });
    await failed(wamid, 1);
    expect((await tenant.http.get(`/api/tenants/${tenant.id}`)).data).toMatchObject({
      status: 'disconnected',
    });
    const accessToken = 'EAAGnexttoken';
    await tenant.http.patch(`/api/tenants/${tenant.id}`, { accessToken });
    app.clock.advance(5_000);
    expect(await fetched(wamid)).toMatchObject({ error: null, rev: 2 });
  });
});
