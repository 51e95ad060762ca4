import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import type { From, JSONInstruction } from 'dockerfile-ast';
import { VARIABLES } from '../../src/infra/config/config.js';
import { ROOT } from '../support/project.js';
import { readIgnoreFile, readInstructions } from './dockerfile.js';

describe('the Dockerfile', () => {
  it('has nothing a linter complains about', async () => {
    expect(validate(await readFile(join(ROOT, 'Dockerfile'), 'utf8'))).toEqual([]);
  });

  it('builds in stages on the Node.js that the project asks for', async () => {
    const froms = (await readInstructions()).filter((one) => one.getKeyword() === 'FROM') as From[];
    expect(froms.map((from) => [from.getImage(), from.getBuildStage()])).toEqual([
      ['node:20-bookworm-slim', 'deps'],
      ['deps', 'build'],
      ['node:20-bookworm-slim', 'runtime'],
    ]);
  });

  it('ends as somebody who is not root, with a health check, signals and the usual port', async () => {
    const all = await readInstructions();
    const last = all.slice(all.findLastIndex((one) => one.getKeyword() === 'FROM'));
    const argument = (keyword: string): string | null | undefined =>
      last.find((one) => one.getKeyword() === keyword)?.getArgumentsContent();
    expect(argument('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(argument('ENV')).toContain('NODE_ENV=production');
    expect(argument('EXPOSE')).toBe(VARIABLES.find(({ name }) => name === 'PORT')?.default);
    expect(argument('HEALTHCHECK')).toBe('CMD ["node", "deploy/health-check.mjs"]');
    // The exec form: a shell in between would keep signals from the server.
    const command = last.find((one) => one.getKeyword() === 'CMD') as JSONInstruction;
    expect(command.getJSONStrings().map((word) => word.getJSONValue())).toEqual(['node', 'dist/main.js']);
  });

  it('gets no secrets, no data and nothing that was built elsewhere', async () => {
    const isIgnored = await readIgnoreFile();
    const kept = ['package.json', 'package-lock.json', 'src/main.ts', 'prisma/schema.prisma'];
    expect(kept.filter(isIgnored)).toEqual([]);
    const secret = [
      '.env',
      '.git/config',
      '.data/secrets.json',
      '.data-demo/database.json',
      'node_modules/ms',
    ];
    const stale = ['dist/main.js', 'src/infra/database/generated/client.ts', 'test/support/app.ts', '.npmrc'];
    expect([...secret, ...stale].filter((path) => !isIgnored(path))).toEqual([]);
  });
});
