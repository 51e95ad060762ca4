import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { makeFolder } from '../support/folder.js';
import { Program, processesOf } from '../support/program.js';
import { addressOf, buildProject, ROOT } from '../support/project.js';

jest.setTimeout(60_000);

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The commands below `<!-- try: name -->`. */
function block(name: string): string {
  const found = new RegExp(`<!-- try: ${name} -->\\s+\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(README)?.[1];
  if (found === undefined) throw new Error(`README.md has no block "${name}"`);
  return found;
}

let dataDir: string;
let env: Record<string, string>;
let server: Program;
let terminal: Program;

beforeAll(async () => {
  dataDir = join(await makeFolder('readme'), 'data');
  await buildProject();
  const settings = { DATA_DIR: dataDir, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' };
  server = new Program('npm', ['start'], { cwd: ROOT, env: settings });
  env = { API: await addressOf(server) };
  // What is pasted here runs in one shell, block by block, as a reader would have it.
  terminal = new Program('bash', ['-e'], { cwd: ROOT, env });
}, 120_000);

afterAll(async () => {
  terminal.signalGroup('SIGINT');
  await terminal.destroy();
  server.signalGroup('SIGINT');
  expect((await server.ended).code).toBe(0);
  expect(processesOf(dataDir)).toEqual([]);
});

function client(args: string[]): Program {
  return new Program(process.execPath, ['docs/examples/chat.mjs', ...args], { cwd: ROOT, env });
}

let pasted = 0;

/** Types the block, and returns what is printed until all of it has run. */
async function paste(commands: string): Promise<string> {
  const from = terminal.out.length;
  pasted += 1;
  terminal.type(`${commands}\necho "block ${pasted} has run"\n`);
  const { index } = await terminal.prints(new RegExp(`^block ${pasted} has run$`, 'm'));
  expect(terminal.err).toBe('');
  return terminal.out.slice(from, index);
}

describe('"Try it in two terminals" in the README', () => {
  it('begins with the one command that installs and starts everything', () => {
    expect(README).toMatch(/in the first terminal:\s+```sh\nnpm ci && npm start\n```/);
  });

  it('lets two people meet and write, with curl', async () => {
    const printed = await paste(block('rest'));
    expect(printed).toMatch(/^ACCEPTED\nSENT\n\[\n {2}\{/);
    expect(printed).toMatch(/seq: 1,/);
    expect(printed).toContain("text: 'Hello, Grace 👋'");
  });

  it('shows live messages, and that they are read, through a client of a few lines', async () => {
    await paste(block('listen'));
    await terminal.prints(/^Grace is connected$/m);

    expect(await paste(block('send'))).toMatch(/^sent as message 2$/m);
    await terminal.prints(/^Grace reads: Are you there\?$/m);

    expect(await paste(block('receipts'))).toMatch(/^READ$/m);
  });

  it('sends line after line when no text is given', async () => {
    const [, chatId = ''] = /chat is (\S+)/.exec(await paste('echo "chat is $chat"')) ?? [];
    const ada = client(['ada@example.com', 'note G, 1843', chatId]);
    await ada.prints(/^Ada is connected$/m);
    ada.type('one\ntwo\n');
    await ada.prints(/^sent as message 3\nsent as message 4$/m);
    await ada.destroy();
  });
});

describe('the client in docs/examples', () => {
  it('stays as short as the README says', () => {
    const source = readFileSync(join(ROOT, 'docs/examples/chat.mjs'), 'utf8');
    const lines = source.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
    expect(lines.length).toBeLessThanOrEqual(22);
  });

  it('says why it cannot sign in', async () => {
    const nobody = client(['nobody@example.com', 'not the password', 'chat']);
    expect((await nobody.ended).code).toBe(1);
    expect(nobody.err).toContain('The e-mail address or the password is wrong.');
  });
});
