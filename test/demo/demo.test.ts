import { Agent } from 'node:http';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { DEMO_CONVERSATIONS, DEMO_PASSWORD, DEMO_PEOPLE } from '../../src/commands/demo/demo-data.js';
import {
  databaseUrl,
  findDatabaseFile,
  findFreePort,
} from '../../src/infra/database/embedded/database-file.js';
import { makeFolder } from '../support/folder.js';
import { TestHttp } from '../support/http.js';
import { Program, processesOf } from '../support/program.js';
import { addressOf, buildProject, ROOT } from '../support/project.js';
import { query } from '../start/start-support.js';

jest.setTimeout(60_000);

const agent = new Agent();
let dataDir: string;
let running: Program[] = [];

beforeAll(async () => {
  dataDir = join(await makeFolder('demo'), 'data');
  await buildProject();
}, 120_000);

afterEach(async () => {
  for (const program of running) await program.destroy();
  running = [];
});

afterAll(() => {
  agent.destroy();
  for (const line of processesOf(dataDir)) process.kill(Number.parseInt(line, 10), 'SIGKILL');
});

function npmRun(script: string, env: Record<string, string> = {}, args: string[] = []): Program {
  const program = new Program('npm', ['run', script, '--', ...args], {
    cwd: ROOT,
    env: { DATA_DIR: dataDir, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', ...env },
  });
  running.push(program);
  return program;
}

async function interrupt(program: Program): Promise<void> {
  program.signalGroup('SIGINT');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(processesOf(dataDir)).toEqual([]);
}

/** Everything the database holds, one line a table; but of what was read, customers are told by and by. */
async function everyRow(): Promise<string[]> {
  const file = await findDatabaseFile(dataDir);
  const url = databaseUrl(file ?? { port: 0, password: '' });
  const tables = await query<{ name: string }>(
    url,
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
  );
  const lines: string[] = [];
  for (const { name } of tables) {
    const [row] = await query<{ rows: number; hash: string }>(
      url,
      `SELECT count(*)::int AS rows, md5(string_agg(t.row::text, '|' ORDER BY t.row::text)) AS hash
        FROM (SELECT to_jsonb(r) - 'told_read_seq' AS row FROM "${name}" r) t`,
    );
    lines.push(`${name}: ${row?.rows} rows, ${row?.hash}`);
  }
  return lines;
}

/** What it prints about the people. */
function introductions(demo: Program): string[] {
  return demo.lines.filter((line) => line.includes('@demo.parley.test'));
}

async function signIn(url: string, email: string): Promise<TestHttp> {
  const http = new TestHttp(url, agent);
  const { status, data } = await http.post('/api/auth/login', { email, password: DEMO_PASSWORD });
  expect(status).toBe(200);
  return http.as(data.token);
}

describe('npm run demo', () => {
  let firstRows: string[];
  let firstIntroductions: string[];

  it('prints who to sign in as, and the addresses last', async () => {
    const demo = npmRun('demo');
    await addressOf(demo);
    firstIntroductions = introductions(demo);
    expect(firstIntroductions).toHaveLength(Object.keys(DEMO_PEOPLE).length);
    expect(demo.out).toContain(`Sign in with the password ${DEMO_PASSWORD} as`);
    expect(demo.lines.at(-1)).toMatch(/^ {2}Health/);
    firstRows = await everyRow();
    expect(firstRows.join('\n')).toMatch(/message: 23 rows/);
    await interrupt(demo);
  });

  it('changes nothing and adds nothing when it is run again, and lets everybody in', async () => {
    const demo = npmRun('demo');
    const url = await addressOf(demo);
    expect(await everyRow()).toEqual(firstRows);
    expect(introductions(demo)).toEqual(firstIntroductions);

    const ada = await signIn(url, DEMO_PEOPLE.ada.email);
    const all = (await ada.get('/api/chats')).data;
    const isWithCustomer = ({ type }: { type: string }): boolean => type === 'WHATSAPP';
    expect(
      all
        .filter(isWithCustomer)
        .map(({ name }: { name: string }) => name)
        .sort(),
    ).toEqual(['Neha Joshi', 'Ravi Kumar']);
    const chats = all.filter((chat: { type: string }) => !isWithCustomer(chat));
    expect(chats).toMatchObject([
      {
        type: 'GROUP',
        name: 'Moth hunters 🦋',
        memberCount: 3,
        unreadCount: 1,
        lastMessage: { text: '蛾がまた来た？', reactions: [{ emoji: '👍🏽' }] },
      },
      { name: 'Alan Turing', unreadCount: 2, my: { readSeq: 2, deliveredSeq: 3 } },
      { name: 'Grace Hopper', unreadCount: 0, lastMessage: { text: '¡Paciencia! 明日は動く。' } },
    ]);
    const history = (await ada.get(`/api/chats/${chats[2].id}/messages`)).data.reverse();
    expect(history.map((message: { text: string }) => message.text)).toEqual(
      DEMO_CONVERSATIONS[0]?.lines.map((line) => line.text),
    );
    expect(history[3]).toMatchObject({ replyTo: { id: history[2].id }, status: 'READ' });
    expect((await ada.get('/api/contacts/pending')).data).toMatchObject([
      { user: { name: 'Katherine Johnson', bio: DEMO_PEOPLE.katherine.bio }, requestedByMe: false },
    ]);
    expect((await ada.get('/api/auth/sessions')).data).toHaveLength(1);

    for (const { email, name } of Object.values(DEMO_PEOPLE)) {
      expect(introductions(demo).some((line) => line.includes(email) && line.includes(name))).toBe(true);
      expect((await (await signIn(url, email)).get('/api/auth/profile')).data).toMatchObject({ name });
    }
    const katherine = await signIn(url, DEMO_PEOPLE.katherine.email);
    const hers = (await katherine.get('/api/chats')).data;
    expect(hers.filter((chat: { type: string }) => !isWithCustomer(chat))).toMatchObject([
      { name: 'Grace Hopper', unreadCount: 2 },
    ]);
    await interrupt(demo);
  });

  it('respects what people have decided since', async () => {
    const first = npmRun('demo');
    const ada = await signIn(await addressOf(first), DEMO_PEOPLE.ada.email);
    const chats = (await ada.get('/api/chats')).data;
    const withAlan = chats.find(({ name }: { name: string }) => name === 'Alan Turing');
    const [alan] = withAlan.members.filter(
      (member: { user: { name: string } }) => member.user.name === 'Alan Turing',
    );
    expect((await ada.post('/api/contacts/block', { userId: alan.user.id })).status).toBe(200);
    const [request] = (await ada.get('/api/contacts/pending')).data;
    expect((await ada.patch(`/api/contacts/request/${request.id}/accept`)).status).toBe(200);
    await interrupt(first);

    const second = npmRun('demo');
    const again = await signIn(await addressOf(second), DEMO_PEOPLE.ada.email);
    expect((await again.get('/api/contacts/blocked')).data).toMatchObject([
      { user: { name: 'Alan Turing' } },
    ]);
    expect((await again.get('/api/contacts/pending')).data).toEqual([]);
    await interrupt(second);
  });

  it('refuses production, where its passwords would open accounts', async () => {
    const secret = 'x'.repeat(32);
    const demo = npmRun('demo', { NODE_ENV: 'production', JWT_SECRET: secret, MASTER_KEY: secret });
    expect((await demo.ended).code).toBe(1);
    expect(demo.err).toContain('it does not run in production');
    expect(processesOf(dataDir)).toEqual([]);
  });
});

describe('npm run studio', () => {
  it('serves Prisma Studio beside the running demo, which goes on when it ends', async () => {
    const demo = npmRun('demo');
    const url = await addressOf(demo);
    const studio = await openStudio();
    studio.signalGroup('SIGINT');
    expect((await studio.ended).code).toBe(0);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    await interrupt(demo);
  });

  it('starts the database itself when nothing runs, and ends it', async () => {
    await interrupt(await openStudio());
  });

  /** Studio on a free port, once it has shown its page and somebody of the demo. */
  async function openStudio(): Promise<Program> {
    const port = await findFreePort();
    const studio = npmRun('studio', {}, ['--port', String(port)]);
    await studio.prints(/Prisma Studio is running at/);
    const page = await fetch(`http://127.0.0.1:${port}/`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<script type="module" src="/studio.js">');
    const question = { sql: "SELECT name FROM app_user WHERE email LIKE 'grace%'", parameters: [] };
    const answer = await fetch(`http://127.0.0.1:${port}/bff`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ procedure: 'query', query: question }),
    });
    expect(await answer.json()).toEqual([null, [{ name: 'Grace Hopper' }]]);
    return studio;
  }
});
