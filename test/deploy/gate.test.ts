import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/project.js';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('.ci/run', () => {
  const script = read('.ci/run');

  it('can be run', () => {
    accessSync(join(ROOT, '.ci/run'), constants.X_OK);
    expect(script).toMatch(/^#!\/usr\/bin\/env bash\n/);
    expect(script).toContain('set -euo pipefail');
  });

  it('checks lint, types and imports, and ends with the test command of the README, word for word', () => {
    const commands = script.split('\n').filter((line) => line.startsWith('npm '));
    expect(commands).toEqual([
      'npm ci',
      'npm run lint',
      'npm run typecheck',
      'npm run depcruise',
      'npm ci && npm test',
    ]);
    expect(read('README.md')).toMatch(/```sh\nnpm ci && npm test\n```/);
  });
});

describe('the documents', () => {
  it.each(['README.md', 'CONTRIBUTING.md', 'docs/architecture.md'])(
    '%s names nothing that is not there',
    (path) => {
      const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
      const text = read(path);
      for (const [, script] of text.matchAll(/npm run ([\w:]+)/g)) expect(scripts).toContain(script);
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link ?? '');
      const files = [...text.matchAll(/`((?:src|test|docs|prisma|deploy|bench)\/[\w./-]+)`/g)].map(
        ([, file]) => file ?? '',
      );
      for (const link of links) accessSync(join(ROOT, path, '..', link));
      for (const file of files) accessSync(join(ROOT, file));
    },
  );
});
