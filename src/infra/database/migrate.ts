import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { DriverAdapterError, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { StartupError } from '../../common/startup-error.js';
import { isQueueSchemaUpToDate, migrateQueueSchema } from '../queue/queue-schema.js';
import { explainConnectionProblem, parseUrl } from './connection-problem.js';
import { createSchemaEngine } from './schema-engine.js';

/** The migrations of this build; `src` and `dist` lie equally deep below the project's root. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../../prisma/migrations/', import.meta.url));

const OLDEST_MAJOR = 15;
const CONNECT_TIMEOUT_MS = 10_000;
/** The lock that `prisma migrate deploy` takes, and the engine below too: the same session may take it twice. */
const MIGRATION_LOCK = 72_707_369;
const LOCK_POLL_MS = 200;
const UNDEFINED_TABLE = '42P01';

interface Migration {
  name: string;
  sql: string;
}

/**
 * Brings the database up to the migrations in `folder`, and the tables of the job queues to what the installed BullMQ
 * works on, and returns the names of the migrations it applied. Several instances
 * and `prisma migrate deploy` may run at once on one database: one works, the others wait. `directUrl` must lead to
 * PostgreSQL itself, past any pooler. A migration that was cut off by a crash is applied again.
 *
 * Throws StartupError, in one line without the password, when the database cannot be reached or used, is older than
 * PostgreSQL 15, has tables of something else, or refuses a migration.
 */
export async function migrate(
  directUrl: string,
  log: (line: string) => void,
  folder: string = MIGRATIONS_FOLDER,
): Promise<string[]> {
  const migrations = await readMigrations(folder);
  // One connection for everything: the lock lives and dies with the session that migrates.
  const pool = new pg.Pool({
    connectionString: directUrl,
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'parley-migrate',
  });
  pool.on('error', () => undefined);
  try {
    await checkServer(pool, directUrl);
    if (await isUpToDate(pool, migrations)) return [];
    await lock(pool, log);
    if (await isUpToDate(pool, migrations)) return [];
    await retryInterrupted(pool, log);
    const applied = (await areApplied(pool, migrations))
      ? []
      : await apply(pool, migrations, folder, directUrl);
    await prepareQueues(pool);
    return applied;
  } finally {
    await pool.end();
  }
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  if (names.length === 0) {
    throw new StartupError(`There are no migrations in ${folder}: restore the folder from the release.`);
  }
  return Promise.all(
    names
      .sort()
      .map(async (name) => ({ name, sql: await readFile(join(folder, name, 'migration.sql'), 'utf8') })),
  );
}

async function checkServer(pool: pg.Pool, url: string): Promise<void> {
  if (parseUrl(url) === undefined) throw explainConnectionProblem(url, undefined);
  let version: string;
  try {
    const { rows } = await pool.query<{ server_version: string }>('SHOW server_version');
    version = rows[0]?.server_version ?? '';
  } catch (error) {
    throw explainConnectionProblem(url, error);
  }
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    throw new StartupError(
      `DATABASE_URL: PostgreSQL ${version} is too old: use version ${OLDEST_MAJOR} or newer.`,
    );
  }
}

/** Asked first, so that an ordinary start neither loads the engine nor takes a lock. */
async function isUpToDate(pool: pg.Pool, migrations: Migration[]): Promise<boolean> {
  return (await areApplied(pool, migrations)) && (await isQueueSchemaUpToDate(pool));
}

async function areApplied(pool: pg.Pool, migrations: Migration[]): Promise<boolean> {
  try {
    const { rows } = await pool.query<{ migration_name: string }>(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    const applied = new Set(rows.map((row) => row.migration_name));
    return migrations.every(({ name }) => applied.has(name));
  } catch (error) {
    if ((error as pg.DatabaseError).code === UNDEFINED_TABLE) return false;
    throw error;
  }
}

/**
 * Asks again and again instead of waiting inside the database: a waiting statement holds a snapshot, which a
 * `CREATE INDEX CONCURRENTLY` of whoever has the lock would wait for in turn.
 */
async function lock(pool: pg.Pool, log: (line: string) => void): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const { rows } = await pool.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
      MIGRATION_LOCK,
    ]);
    if (rows[0]?.taken === true) return;
    if (attempt === 0) log('Another instance is applying the migrations: waiting for it.');
    await sleep(LOCK_POLL_MS);
  }
}

/**
 * A migration and the note that it is finished are committed together (see `runScript`). Under the lock, one that is
 * noted as begun and not as finished has therefore left nothing behind.
 */
async function retryInterrupted(pool: pg.Pool, log: (line: string) => void): Promise<void> {
  const { rows } = await pool
    .query<{ migration_name: string }>(
      `UPDATE _prisma_migrations SET rolled_back_at = now()
        WHERE finished_at IS NULL AND rolled_back_at IS NULL RETURNING migration_name`,
    )
    .catch((error: unknown) => {
      if ((error as pg.DatabaseError).code === UNDEFINED_TABLE) return { rows: [] };
      throw error;
    });
  for (const row of rows)
    log(`Migration ${row.migration_name} did not finish the last time: trying it again.`);
}

async function apply(pool: pg.Pool, migrations: Migration[], folder: string, url: string): Promise<string[]> {
  let engine;
  try {
    engine = await createSchemaEngine(adapterFor(pool));
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: {
        baseDir: folder,
        lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
        shadowDbInitScript: '',
        migrationDirectories: migrations.map(({ name, sql }) => ({
          path: name,
          migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
        })),
      },
      filters: { externalTables: [], externalEnums: [] },
    });
    return appliedMigrationNames;
  } catch (error) {
    throw await explainFailure(pool, url, error);
  } finally {
    engine?.free();
  }
}

/** The tables of BullMQ, which has migrations and a ledger of its own. */
async function prepareQueues(pool: pg.Pool): Promise<void> {
  if (await isQueueSchemaUpToDate(pool)) return;
  try {
    await migrateQueueSchema(pool);
  } catch (error) {
    throw new StartupError(
      `The tables of the job queues could not be made: ${(error as Error).message}. Mend that and start again.`,
    );
  }
}

/** Prisma's adapter cuts scripts at every semicolon, those inside functions and texts too, so ours runs them. */
function adapterFor(pool: pg.Pool): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPg(pool);
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    connectToShadowDb: () => factory.connectToShadowDb(),
    connect: async () => {
      const adapter = await factory.connect();
      adapter.executeScript = (script) => runScript(pool, script);
      return adapter;
    },
  };
}

/**
 * Several statements sent as one query are one transaction. What runs outside of a transaction must be sent alone,
 * and cannot be finished in the same breath.
 */
async function runScript(pool: pg.Pool, script: string): Promise<void> {
  const mustRunAlone = /\bCONCURRENTLY\b/i.test(script);
  const finish =
    'UPDATE _prisma_migrations SET finished_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL';
  try {
    await pool.query(mustRunAlone ? script : `${script}\n;\n${finish}`);
  } catch (error) {
    const { code, severity, message, detail, column, hint } = error as pg.DatabaseError;
    throw new DriverAdapterError({
      kind: 'postgres',
      code: code ?? 'N/A',
      severity: severity ?? 'N/A',
      message,
      detail,
      column,
      hint,
    });
  }
}

async function explainFailure(pool: pg.Pool, url: string, error: unknown): Promise<StartupError> {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'P3005') {
    const database = parseUrl(url)?.database ?? '';
    return new StartupError(
      `DATABASE_URL: the database "${database}" holds tables that are not Parley's: give it an empty one.`,
    );
  }
  const reason = /ERROR: (.*)/.exec(message)?.[1] ?? message.split('\n', 1)[0] ?? message;
  const name = await findUnfinished(pool);
  return name === undefined
    ? new StartupError(`The migrations could not be applied: ${reason}. Mend that and start again.`)
    : new StartupError(`Migration ${name} failed: ${reason}. Mend that and start again.`);
}

async function findUnfinished(pool: pg.Pool): Promise<string | undefined> {
  try {
    const { rows } = await pool.query<{ migration_name: string }>(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL',
    );
    return rows[0]?.migration_name;
  } catch {
    return undefined;
  }
}
