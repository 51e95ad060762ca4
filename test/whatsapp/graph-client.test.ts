import { createServer, type AddressInfo, type Server } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphClient } from '../../src/whatsapp/graph/graph.client.js';
import {
  GraphError,
  GraphFileTooLarge,
  GraphHostRefused,
  GraphUnreachable,
} from '../../src/whatsapp/graph/graph.errors.js';
import { TenantsService, type Tenant } from '../../src/whatsapp/tenants/tenants.service.js';
import { startApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeFolder } from '../support/folder.js';
import { registerTenant } from './support/channel.js';
import { CALL_TIMEOUT_MS, connectTenant, useStage, type ConnectedTenant } from './support/sending.js';

const stage = useStage();
let connected: ConnectedTenant;
let tenant: Tenant;
let client: GraphClient;

beforeAll(async () => {
  connected = await connectTenant(stage);
  const { nest } = stage.app.running;
  tenant = await nest.get(TenantsService, { strict: false }).get(connected.id);
  client = nest.get(GraphClient, { strict: false });
});

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error,
  );
}

const BODY = { recipient_type: 'individual', to: '+491521111111', type: 'text', text: { body: 'hello' } };

it('names what Meta answers', async () => {
  expect(await client.sendMessage(tenant, BODY)).toMatchObject({
    waId: '491521111111',
    userId: null,
    messageStatus: null,
  });
});

it('makes an error of a refusal, with its code, wait and class', async () => {
  stage.graph.plan('send', {
    code: 130429,
    httpStatus: 429,
    details: 'slow down',
    plainData: true,
    headers: { 'Retry-After': '3' },
  });
  const error = await failureOf(client.sendMessage(tenant, BODY));
  expect(error).toBeInstanceOf(GraphError);
  expect(error).toMatchObject({
    code: 130429,
    httpStatus: 429,
    details: 'slow down',
    retryAfterMs: 3_000,
    class: 'NUMBER_LIMIT',
  });
});

it.each(['late-cut', 'cut', 'empty'] as const)(
  'knows that it may have been sent after "%s"',
  async (step) => {
    stage.graph.plan('send', step);
    expect(await failureOf(client.sendMessage(tenant, BODY))).toMatchObject({
      name: 'GraphUnreachable',
      maySent: true,
    });
  },
);

it('gives up what is not answered in time, by the clock', async () => {
  stage.graph.plan('send', 'late-hang');
  const before = stage.graph.accepted.length;
  const failure = failureOf(client.sendMessage(tenant, BODY));
  await stage.graph.awaitAccepted(before + 1);
  stage.clock.advance(CALL_TIMEOUT_MS - 1);
  stage.clock.advance(1);
  expect(await failure).toMatchObject({
    name: 'GraphUnreachable',
    maySent: true,
    message: 'The Graph API did not answer in time.',
  });
});

it('does not follow a redirect, which would show the token to another host', async () => {
  stage.graph.plan('read', 'redirect');
  expect(await failureOf(client.markRead(tenant, 'wamid.1', false))).toMatchObject({
    httpStatus: 302,
    class: 'OUTCOME_UNKNOWN',
  });
});

describe('without a connection', () => {
  async function unreachableAt(apiBase: string): Promise<unknown> {
    const app = await startApp({
      shareDatabaseWith: stage.app,
      env: { WHATSAPP_API_BASE: apiBase, ROLE: 'api' },
    });
    try {
      return await failureOf(app.running.nest.get(GraphClient, { strict: false }).sendMessage(tenant, BODY));
    } finally {
      await app.close();
    }
  }

  it('knows that nothing was sent: nobody listens, and there is no such host', async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    for (const base of [`http://127.0.0.1:${port}`, 'http://nobody.invalid']) {
      const error = await unreachableAt(base);
      expect(error).toBeInstanceOf(GraphUnreachable);
      expect(error).toMatchObject({ maySent: false });
    }
  });

  it('knows it of a host that speaks no TLS', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    server.unref();
    expect(await unreachableAt(`https://127.0.0.1:${port}`)).toMatchObject({ maySent: false });
    server.close();
  });
});

describe('files', () => {
  it('are uploaded, described and fetched', async () => {
    const content = Buffer.from('%PDF-1.7 a document');
    const id = await client.uploadMedia(tenant, {
      fileName: 'a "strange"\r\nname ü.pdf',
      mimeType: 'application/pdf',
      size: content.length,
      read: () =>
        Promise.resolve(
          (async function* () {
            yield content.subarray(0, 5);
            await Promise.resolve();
            yield content.subarray(5);
          })(),
        ),
    });
    expect(stage.graph.media.get(id)).toMatchObject({ content, mimeType: 'application/pdf' });
    const theirs = stage.graph.putMedia(content, 'application/pdf');
    const described = await client.describeMedia(tenant, theirs);
    expect(described).toMatchObject({ mimeType: 'application/pdf', size: content.length });
    const path = join(await makeFolder('download'), 'file');
    await client.downloadMedia(tenant, described.url, path, 100);
    expect(await readFile(path)).toEqual(content);

    expect(await failureOf(client.downloadMedia(tenant, described.url, `${path}2`, 5))).toBeInstanceOf(
      GraphFileTooLarge,
    );
    stage.graph.plan('download', 'late-cut');
    expect(await failureOf(client.downloadMedia(tenant, described.url, `${path}3`, 100))).toBeInstanceOf(
      GraphUnreachable,
    );
    stage.graph.expireUrls();
    expect(await failureOf(client.downloadMedia(tenant, described.url, `${path}4`, 100))).toMatchObject({
      name: 'GraphError',
      httpStatus: 404,
    });
  });

  it.each([
    'https://example.com/file',
    'http://lookaside.fbsbx.com/file',
    'https://lookaside.fbsbx.com.example.com/file',
    'https://evilfbsbx.com/file',
    'https://user:password@lookaside.fbsbx.com/file',
    'file:///etc/passwd',
    'data:text/plain,x',
  ])('are not fetched from %s', async (url) => {
    expect(await failureOf(client.downloadMedia(tenant, url, '/nowhere', 100))).toBeInstanceOf(
      GraphHostRefused,
    );
  });
});

it('pages through templates', async () => {
  const names = Array.from({ length: 130 }, (_, index) => `template_${index}`);
  stage.graph.templates.set(
    connected.wabaId,
    names.map((name, index) => ({
      id: String(index),
      name,
      language: 'en',
      status: 'APPROVED',
      category: 'UTILITY',
    })),
  );
  const found: unknown[] = [];
  let after: string | null = null;
  do {
    const page = await client.listTemplates(tenant, after ?? undefined);
    found.push(...page.templates.map(({ name }) => name));
    ({ after } = page);
  } while (after !== null);
  expect(found).toEqual(names);
});

it('shows the token in no error and no line of the log', async () => {
  const { graph, app } = stage;
  const { accessToken } = connected.number;
  const errors: unknown[] = [];
  for (const step of [
    'cut',
    'garbage',
    { code: 190, details: `Malformed access token ${accessToken}` },
  ] as const) {
    graph.plan('send', step);
    errors.push(await failureOf(client.sendMessage(tenant, BODY)));
  }
  for (const error of errors) {
    const told = [
      error,
      (error as Error).stack,
      JSON.stringify(error),
      JSON.stringify(Object.getOwnPropertyNames(error).map((name) => Reflect.get(error as object, name))),
    ];
    expect(told.map(String).join('\n')).not.toContain(accessToken);
  }
  const mock = await registerTenant(app);
  expect(mock.apiKey).toBeTruthy();
  await eventually(
    () => app.sql('SELECT 1'),
    () => true,
  );
  expect(app.logs.join('\n')).not.toContain(accessToken);
});
