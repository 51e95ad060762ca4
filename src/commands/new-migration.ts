import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SystemClock } from '../common/clock.js';
import { StartupError } from '../common/startup-error.js';
import { MIGRATIONS_FOLDER } from '../infra/database/migrate.js';
import { diffSchemas } from '../infra/database/schema-diff.js';
import { runCommand } from './run-command.js';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const SCHEMA = 'prisma/schema.prisma';
const NOTHING_CHANGED = '-- This is an empty migration.';

/**
 * `npm run db:new -- <name>`: writes the migration that leads from the last commit's `schema.prisma` to the one in
 * the working tree. What Prisma's schema cannot say (functions, partial indexes) is added to the file by hand.
 */
await runCommand(async (print) => {
  const name = process.argv[2] ?? '';
  if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name)) {
    throw new StartupError('Name the migration in small letters: npm run db:new -- add_chat_topic');
  }
  const uncommitted = await git('status', '--porcelain', '--untracked-files=all', '--', 'prisma/migrations');
  if (/^\?\?|^A/m.test(uncommitted)) {
    throw new StartupError(
      'prisma/migrations has a migration that is not committed, which the new one would repeat: commit or delete it.',
    );
  }
  const committed = await git('show', `HEAD:${SCHEMA}`).catch(() => undefined);
  const sql = await diffSchemas(committed, await readFile(join(PROJECT, SCHEMA), 'utf8'));
  const time = new SystemClock().now().toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = join(MIGRATIONS_FOLDER, `${time}_${name}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'migration.sql'), sql, { flag: 'wx' });
  print(`Wrote prisma/migrations/${time}_${name}/migration.sql`);
  if (sql.includes(NOTHING_CHANGED)) print('The schema is that of the last commit: write the SQL by hand.');
});

async function git(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', args, { cwd: PROJECT });
  return stdout;
}
