import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedDatabase } from '../../src/infra/database/embedded/embedded-database.js';
import { migrate } from '../../src/infra/database/migrate.js';

/**
 * The PostgreSQL of one test run, in a process of its own that outlives whatever happens to the run: it stops the
 * database and removes its folder as soon as its standard input closes, which it also does when the run is killed.
 * Prints one line of JSON, `{ url, folder }`, when `TEMPLATE` is there to be cloned.
 */
const TEMPLATE = 'parley_template';

// Ctrl-C is meant for the run; its end closes our standard input, and there is nobody left to tell anything.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

const closed = new Promise<void>((resolve) => {
  process.stdin.once('close', resolve);
  process.stdin.resume();
});
const folder = await mkdtemp(join(tmpdir(), 'parley-test-'));
const notes: string[] = [];
const note = (line: string): void => {
  notes.push(line);
};

try {
  const database = await startEmbeddedDatabase(join(folder, 'data'), note);
  try {
    await makeTemplate(database.url);
    process.stdout.write(`${JSON.stringify({ url: database.url, folder })}\n`);
    await closed;
  } finally {
    await database.stop();
  }
} catch (error) {
  process.stderr.write(`${notes.join('\n')}\n${String(error)}\n`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function makeTemplate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE}`);
    const templateUrl = new URL(url);
    templateUrl.pathname = `/${TEMPLATE}`;
    await migrate(templateUrl.href, note);
    // A template can be copied only while nobody is connected to it.
    await client.query(`ALTER DATABASE ${TEMPLATE} IS_TEMPLATE true ALLOW_CONNECTIONS false`);
  } finally {
    await client.end();
  }
}
