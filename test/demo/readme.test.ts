import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
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
let server: Program;
let terminal: Program;

beforeAll(async () => {
  dataDir = join(await makeFolder('readme'), 'data');
  await buildProject();
  const port = await findFreePort();
  const env = { DATA_DIR: dataDir, PORT: String(port), HOST: '127.0.0.1', LOG_LEVEL: 'warn' };
  server = new Program('npm', ['start'], { cwd: ROOT, env });
  // What is pasted here runs in one shell, block by block, as a reader would have it.
  terminal = new Program('bash', ['-e'], { cwd: ROOT, env: { API: `http://127.0.0.1:${port}` } });
  await addressOf(server);
}, 120_000);

afterAll(async () => {
  terminal.signalGroup('SIGINT');
  await terminal.destroy();
  server.signalGroup('SIGINT');
  expect((await server.ended).code).toBe(0);
  expect(processesOf(dataDir)).toEqual([]);
});

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

  it('sends what is typed when no text is given', async () => {
    const command = block('send').trim();
    const interactive = command.replace(" 'Are you there?'", '');
    expect(interactive).not.toBe(command);
    await paste(`coproc typist { ${interactive}; }\nprintf 'one\\ntwo\\n' >&"\${typist[1]}"\ncat <&"\${typist[0]}" &`);
    await terminal.prints(/sent as message 4/);
  });
});

describe('the client in docs/examples', () => {
  it('stays as short as the README says', () => {
    const source = readFileSync(join(ROOT, 'docs/examples/chat.mjs'), 'utf8');
    const lines = source.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
    expect(lines.length).toBeLessThanOrEqual(22);
  });

  it('says why it cannot sign in', async () => {
    const args = ['docs/examples/chat.mjs', 'nobody@example.com', 'not the password', 'chat'];
    const url = `http://127.0.0.1:${new URL(await addressOf(server)).port}`;
    const client = new Program(process.execPath, args, { cwd: ROOT, env: { API: url } });
    expect((await client.ended).code).toBe(1);
    expect(client.err).toContain('The e-mail address or the password is wrong.');
  });
});
