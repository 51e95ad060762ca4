import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../infra/config/config.js';
import { openDatabase } from '../infra/database/embedded/open-database.js';
import { runCommand } from './run-command.js';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const PRISMA = createRequire(import.meta.url).resolve('prisma/build/index.js');

/**
 * `npm run studio`: Prisma Studio on the configured database, beside a running server too. Arguments are passed on,
 * for example `npm run studio -- --port 5556`. A browser is opened only when a person sits in front of a terminal.
 */
await runCommand(async (print) => {
  const database = await openDatabase(loadConfig(process.env), print);
  try {
    const browser = process.stdout.isTTY ? [] : ['--browser', 'none'];
    const studio = spawn(process.execPath, [PRISMA, 'studio', ...browser, ...process.argv.slice(2)], {
      cwd: PROJECT,
      stdio: 'inherit',
      env: {
        ...process.env,
        // In the environment and not among the arguments, which every user of the machine can see.
        DATABASE_URL: database.url,
        // Studio never runs the schema engine, but Prisma would download one unless it is told where it is.
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      },
    });
    const told: NodeJS.Signals[] = [];
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        told.push(signal);
        studio.kill(signal);
      });
    }
    const [code] = (await once(studio, 'close')) as [number | null];
    process.exitCode = told.length > 0 ? 0 : (code ?? 1);
  } finally {
    await database.stop();
  }
});
