import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { setInterval } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { addressOf } from '../support/project.js';
import { TestHttp } from '../support/http.js';
import { Program, processesOf } from '../support/program.js';
import { TestSocket } from '../support/socket.js';
import { cloneProject } from '../support/working-copy.js';
import { isRoot } from './start-support.js';

jest.setTimeout(120_000);

const START_BUDGET_MS = 5_000;
const EMOJI = 'She said hello 👩‍🚀 — “žluťoučký”';
const ADA = { name: 'Ada', email: 'ada@example.com', password: 'note G, 1843' };
const ADA_SIGNS_IN = { email: ADA.email, password: ADA.password };
const GRACE = { name: 'Grace', email: 'grace@example.com', password: 'one nanosecond' };

const agent = new Agent({ keepAlive: false });
let clone: string;
let running: Program[] = [];
let chatId: string;

beforeAll(async () => {
  clone = await cloneProject();
});

afterEach(async () => {
  for (const program of running) await program.destroy();
  running = [];
});

afterAll(() => {
  agent.destroy();
  for (const line of processesOf(clone)) process.kill(Number.parseInt(line, 10), 'SIGKILL');
});

/** Starts it in the clone, in a shell without a language. */
function run(file: string, args: string[], env: Record<string, string> = {}): Program {
  const program = new Program(file, args, { cwd: clone, env: { LC_ALL: 'C', LOG_LEVEL: 'warn', ...env } });
  running.push(program);
  return program;
}

const npmStart = (env?: Record<string, string>): Program => run('npm', ['start'], env);
const start = (env?: Record<string, string>): Program => run(process.execPath, ['dist/main.js'], env);

async function ask(url: string, path: string): Promise<number> {
  return fetch(url + path).then(
    (answer) => answer.status,
    () => 0,
  );
}

/** Every different answer of `/health/ready`, from before the start until it is 200; 0 is none at all. */
async function watchReadiness(url: string): Promise<number[]> {
  const seen: number[] = [];
  for await (const _ of setInterval(5)) {
    const status = await ask(url, '/health/ready');
    if (seen.at(-1) !== status) seen.push(status);
    if (status === 200) break;
  }
  return seen;
}

async function signIn(url: string, { email, password }: typeof ADA): Promise<TestHttp> {
  const http = new TestHttp(url, agent);
  const { data } = await http.post('/api/auth/login', { email, password });
  return http.as(data.token);
}

async function texts(http: TestHttp): Promise<string[]> {
  const { data } = await http.get(`/api/chats/${chatId}/messages`);
  return (data as { text: string }[]).map((message) => message.text);
}

function postmasterPid(): number {
  return Number(readFileSync(join(clone, '.data/postgres/postmaster.pid'), 'utf8').split('\n')[0]);
}

/** A request that the server has begun to read, and whose rest comes when told. */
async function beginRequest(url: string, token: string, body: string) {
  const outgoing = request(`${url}/api/auth/update-profile`, {
    method: 'PUT',
    agent: new Agent({ keepAlive: false }),
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      Expect: '100-continue',
    },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject);
  });
  await new Promise((resolve) => outgoing.once('continue', resolve).flushHeaders());
  outgoing.write(body.slice(0, 5));
  return {
    finish: async (): Promise<number> => {
      outgoing.end(body.slice(5));
      const response = await answered;
      response.resume();
      return response.statusCode ?? 0;
    },
  };
}

describe('npm start', () => {
  it('builds, migrates and serves on a fresh clone in a folder that only its owner may enter', async () => {
    expect((statSync(dirname(clone)).mode & 0o777).toString(8)).toBe('700');
    const port = await findFreePort();
    const server = npmStart({ PORT: String(port) });
    const url = await addressOf(server);
    expect(server.out).toContain('Building Parley');
    expect(server.lines.slice(-4)).toEqual([
      'Parley is ready.',
      `  API     http://localhost:${port}/api`,
      `  Docs    http://localhost:${port}/docs`,
      `  Health  http://localhost:${port}/health`,
    ]);
    const statuses = ['/health', '/health/ready', '/docs', '/docs-json'].map((path) => ask(url, path));
    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200]);
    if (isRoot) expect(statSync(join(clone, '.data')).uid).toBe(0);

    const http = new TestHttp(url, agent);
    const ada = http.as((await http.post('/api/auth/register', ADA)).data.token);
    const { user, token } = (await http.post('/api/auth/register', GRACE)).data;
    const contact = (await ada.post('/api/contacts/request', { userId: user.id })).data;
    await http.as(token).patch(`/api/contacts/request/${contact.id}/accept`);
    chatId = (await ada.post('/api/chats', { type: 'PRIVATE', participantIds: [user.id] })).data.id;
    expect((await ada.post(`/api/chats/${chatId}/messages`, { text: EMOJI })).status).toBe(201);
    expect(await texts(http.as(token))).toEqual([EMOJI]);

    server.signalGroup('SIGINT');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(clone)).toEqual([]);
  });

  it('does not build again, is ready within the budget, and has kept the data', async () => {
    const port = await findFreePort();
    const began = performance.now();
    const readiness = watchReadiness(`http://127.0.0.1:${port}`);
    const server = npmStart({ PORT: String(port) });
    expect(await readiness).toEqual([0, 503, 200]);
    expect(performance.now() - began).toBeLessThan(START_BUDGET_MS);
    const url = await addressOf(server);
    expect(server.out).not.toContain('Building');
    expect(await texts(await signIn(url, GRACE))).toEqual([EMOJI]);

    server.signal('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(clone)).toEqual([]);
  });
});

describe('stopping', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'on %s finishes what has begun, tells the sockets, and leaves no process',
    async (signal) => {
      const server = npmStart({ PORT: '0' });
      const url = await addressOf(server);
      const { data } = await new TestHttp(url, agent).post('/api/auth/login', ADA_SIGNS_IN);
      const socket = await TestSocket.connect(url, { token: data.token });
      const begun = await beginRequest(url, data.token, JSON.stringify({ bio: `stopped by ${signal}` }));

      server.signalGroup(signal);
      await server.prints(/Stopping…/);
      expect(await socket.closed).toBe('transport close');
      server.signalGroup(signal);
      expect([0, 503]).toContain(await ask(url, '/health/ready'));
      expect(await begun.finish()).toBe(200);
      expect(await server.ended).toEqual({ code: 0, signal: null });
      expect(server.lines.at(-1)).toBe('Stopped.');
      expect(processesOf(clone)).toEqual([]);
    },
  );

  it('on SIGTERM to the server alone, as an orchestrator sends it, ends with 0', async () => {
    const server = start({ PORT: '0' });
    const ada = await signIn(await addressOf(server), ADA);
    expect((await ada.get('/api/auth/profile')).data.bio).toBe('stopped by SIGTERM');
    server.signal('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(clone)).toEqual([]);
  });

  it('while it still starts, ends as soon as it can with 0', async () => {
    const port = await findFreePort();
    const server = start({ PORT: String(port) });
    for await (const _ of setInterval(5))
      if ((await ask(`http://127.0.0.1:${port}`, '/health/live')) === 200) break;
    server.signal('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(clone)).toEqual([]);
  });
});

describe('after kill -9', () => {
  it('takes the PostgreSQL that lives on over within the budget', async () => {
    const killed = start({ PORT: '0' });
    const ada = await signIn(await addressOf(killed), ADA);
    await ada.post(`/api/chats/${chatId}/messages`, { text: 'just before' });
    const pid = postmasterPid();
    killed.signal('SIGKILL');
    await killed.ended;
    process.kill(pid, 0);

    const port = await findFreePort();
    const began = performance.now();
    const server = npmStart({ PORT: String(port) });
    await watchReadiness(`http://127.0.0.1:${port}`);
    expect(performance.now() - began).toBeLessThan(START_BUDGET_MS);
    const url = await addressOf(server);
    expect(server.out).toContain(`PostgreSQL (pid ${pid}) that an earlier server left running`);
    expect(await texts(await signIn(url, GRACE))).toEqual(['just before', EMOJI]);

    server.signalGroup('SIGINT');
    expect((await server.ended).code).toBe(0);
    expect(processesOf(clone)).toEqual([]);
  });
});

describe('beside a server that lives', () => {
  it('a second one fails and names its pid, on the same port and on another, and the first goes on', async () => {
    const port = await findFreePort();
    const first = start({ PORT: String(port) });
    const url = await addressOf(first);
    for (const second of [start({ PORT: String(port) }), start({ PORT: '0' })]) {
      expect(await second.ended).toEqual({ code: 1, signal: null });
      expect(second.err).toMatch(/^Another Parley server \(pid \d+\) is running on [^\n]+\n$/);
      expect(second.err).toContain(`(pid ${first.pid})`);
    }
    const third = npmStart({ PORT: '0' });
    expect((await third.ended).code).toBe(1);
    expect(third.err).toContain(`(pid ${first.pid})`);
    expect(await texts(await signIn(url, GRACE))).toContain(EMOJI);
  });
});

describe('when PostgreSQL dies', () => {
  it('is not ready, lives, says so, and stops with 0', async () => {
    const server = start({ PORT: '0' });
    const url = await addressOf(server);
    const pid = postmasterPid();
    process.kill(pid, 'SIGKILL');
    await server.prints(new RegExp(`PostgreSQL \\(pid ${pid}\\) has ended by itself`));
    expect(await ask(url, '/health/ready')).toBe(503);
    expect(await ask(url, '/health/live')).toBe(200);
    server.signal('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(clone)).toEqual([]);
  });
});

describe('npm run dev', () => {
  it('starts the server again with what has changed, and leaves nothing running', async () => {
    const dev = run('npm', ['run', 'dev'], { PORT: '0' });
    await dev.prints(/Found 0 errors/);
    const source = join(clone, 'src/serve.ts');
    const changed = readFileSync(source, 'utf8').replace('Parley is ready.', 'Parley is ready again.');
    writeFileSync(source, changed);
    await dev.prints(/Parley is ready again\.\n.*\n.*\n.*\/health/);

    dev.signalGroup('SIGINT');
    expect(await dev.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(clone)).toEqual([]);
  });
});
