import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { useApp } from '../support/app.js';
import { makeFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { ROOT } from '../support/project.js';
import { APP_SECRET, registerTenant, settled } from './support/channel.js';

const LOADER = join(ROOT, 'test/support/ts-loader.mjs');
const COMMAND = join(ROOT, 'src/commands/ingest.ts');
const SAMPLES = resolve(import.meta.dirname, '../fixtures/whatsapp/samples');

const app = useApp({ env: { APP_SECRET } });

beforeAll(async () => {
  await registerTenant(app, { phoneNumberId: '629305560276479' });
});

/** `npm run ingest -- …`, against the app of this file. */
async function ingest(
  args: string[],
  env: Record<string, string> = { APP_SECRET },
): Promise<Program & { code: number | null }> {
  const { port } = new URL(app.url);
  const program = new Program(process.execPath, ['--import', LOADER, COMMAND, ...args], {
    cwd: ROOT,
    env: { PORT: port, HOST: '127.0.0.1', ...env },
  });
  const { code } = await program.ended;
  return Object.assign(program, { code });
}

async function countEvents(): Promise<number> {
  return (await app.sql('SELECT 1 FROM webhook_event')).length;
}

describe('npm run ingest', () => {
  it('posts a folder in the order of its names, signed, and reports each file', async () => {
    const { code, lines } = await ingest([SAMPLES]);
    expect(code).toBe(0);
    expect(lines).toHaveLength(11);
    expect(lines[0]).toBe(`200  ${join(SAMPLES, 'conversation_1_message_1.json')}`);
    expect(lines.at(-1)).toBe('10 of 10 taken in.');
    await settled(app);
    const messages = await app.sql('SELECT 1 FROM whatsapp_message');
    expect(messages).toHaveLength(4);
  });

  it('posts one file, to the address given', async () => {
    const before = await countEvents();
    const file = join(SAMPLES, 'conversation_1_message_1.json');
    const { code, lines } = await ingest([file, `${app.url}/`], { APP_SECRET, PORT: '1' });
    expect([code, lines]).toEqual([0, [`200  ${file}`, '1 of 1 taken in.']]);
    expect(await countEvents()).toBe(before + 1);
  });

  it('says which files are refused, goes on, and fails', async () => {
    const folder = join(await makeFolder('ingest'), 'bodies');
    await mkdir(folder);
    await writeFile(join(folder, '1.json'), '[]');
    await writeFile(join(folder, '2.json'), '{"entry":[]}');
    const { code, lines } = await ingest([folder]);
    expect(code).toBe(1);
    expect(lines).toEqual([
      `400 VALIDATION_FAILED  ${join(folder, '1.json')}`,
      `200  ${join(folder, '2.json')}`,
      '1 of 2 taken in.',
    ]);
  });

  it('is refused with another secret', async () => {
    const { code, lines } = await ingest([join(SAMPLES, 'conversation_1_message_1.json')], {
      APP_SECRET: 'another',
    });
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^401 SIGNATURE_INVALID /);
  });

  it.each([
    ['nothing to post', [], /^Usage: /],
    ['a file that is not there', ['/nowhere.json'], /^There is no \/nowhere\.json\.$/m],
    ['no server', [SAMPLES, 'http://127.0.0.1:1'], /^No server answers at http:\/\/127\.0\.0\.1:1\//],
  ])('says in one line that there is %s', async (_what, args, complaint) => {
    const { code, err } = await ingest(args);
    expect(code).toBe(1);
    expect(err).toMatch(complaint);
  });
});
