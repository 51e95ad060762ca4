import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { StartupError } from '../../../common/startup-error.js';
import { type Cluster, createCluster, findCluster } from './cluster.js';
import { prepareDataDir } from './data-dir.js';
import {
  DATABASE_NAME,
  type DatabaseFile,
  databaseUrl,
  findDatabaseFile,
  findFreePort,
  isPortFree,
  newDatabaseFile,
  writeDatabaseFile,
} from './database-file.js';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import {
  becomesReady,
  findOrphan,
  type Postmaster,
  runsAsWeWould,
  startPostmaster,
  stopPostmaster,
  watchPostmaster,
} from './postmaster.js';
import { acquireServerLock, findLockHolder } from './server-lock.js';

const ORPHAN_PATIENCE_MS = 2_000;
const START_ATTEMPTS = 5;
/** How long the last processes of a killed server may hold its shared memory. */
const REMAINS_VANISH_MS = 4_000;

export interface EmbeddedDatabase {
  url: string;
  /** Ends PostgreSQL, waits until it is gone, and lets another server have the data folder. */
  stop(): Promise<void>;
}

type Log = (line: string) => void;

/**
 * Starts the PostgreSQL that belongs to this data folder, making both when they are not there yet, and returns when
 * it takes connections. One that an earlier server left behind is taken over, or stopped and started again.
 * `log` gets a line now and later when PostgreSQL ends without being asked.
 *
 * Throws StartupError, in one line that says the cure and with no data touched, when another server has the folder,
 * when the folder is not ours, cannot be written or was made by another major version, when the disk is full, and
 * when there is no PostgreSQL for this platform or nobody who may run it.
 */
export async function startEmbeddedDatabase(dataDir: string, log: Log): Promise<EmbeddedDatabase> {
  await prepareDataDir(dataDir);
  const folder = await realpath(dataDir);
  const lock = await acquireServerLock(folder);
  try {
    const { postmaster, url } = await run(folder, log);
    const unwatch = watchPostmaster(postmaster, () => {
      log(
        `PostgreSQL (pid ${postmaster.pid}) has ended by itself: see ${logPath(folder)}, then start Parley again.`,
      );
    });
    let stopped: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      unwatch();
      await stopPostmaster(postmaster);
      await lock.release();
    };
    return { url, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * The database of a data folder for a tool that may run beside the server: the running server's when there is one,
 * which `stop` then leaves alone, otherwise like `startEmbeddedDatabase`.
 */
export async function shareEmbeddedDatabase(dataDir: string, log: Log): Promise<EmbeddedDatabase> {
  const holder = await findLockHolder(dataDir);
  const file = holder === undefined ? undefined : await findDatabaseFile(dataDir);
  if (file === undefined) return startEmbeddedDatabase(dataDir, log);
  return { url: databaseUrl(file), stop: () => Promise.resolve() };
}

async function run(folder: string, log: Log): Promise<{ postmaster: Postmaster; url: string }> {
  const binaries = await findPostgresBinaries();
  const { cluster, file } = await open(folder, binaries, log);
  const taken = await takeOver(cluster, file, binaries, log);
  const running = taken ?? (await start(folder, cluster, file, binaries, log));
  try {
    await ensureDatabase(running.file);
    return { postmaster: running.postmaster, url: databaseUrl(running.file) };
  } catch (error) {
    await stopPostmaster(running.postmaster);
    throw error;
  }
}

async function open(
  folder: string,
  binaries: PostgresBinaries,
  log: Log,
): Promise<{ cluster: Cluster; file: DatabaseFile }> {
  const found = await findCluster(folder, binaries);
  const kept = await findDatabaseFile(folder);
  if (found) {
    if (kept) return { cluster: found, file: kept };
    throw new StartupError(
      `${join(folder, 'database.json')}, which holds the database's password, is missing: restore it from a backup.`,
    );
  }
  log(`Making a new PostgreSQL ${binaries.major} database in ${folder}…`);
  // The password is on disk before the cluster is, so that a crash never leaves a cluster nobody can open.
  const file = kept ?? (await newDatabaseFile());
  if (!kept) await writeDatabaseFile(folder, file);
  return { cluster: await createCluster(folder, binaries, file.password), file };
}

async function takeOver(
  cluster: Cluster,
  file: DatabaseFile,
  binaries: PostgresBinaries,
  log: Log,
): Promise<{ postmaster: Postmaster; file: DatabaseFile } | undefined> {
  const postmaster = await findOrphan(cluster.path);
  if (!postmaster) return undefined;
  const usable =
    runsAsWeWould(postmaster, cluster.path, binaries, file.port) &&
    (await becomesReady(cluster.path, postmaster, log)) &&
    (await servesThisCluster(cluster.path, file));
  if (usable) {
    log(`Took over the PostgreSQL (pid ${postmaster.pid}) that an earlier server left running.`);
    return { postmaster, file };
  }
  log(`Stopping the PostgreSQL (pid ${postmaster.pid}) that an earlier server left running.`);
  await stopPostmaster(postmaster, ORPHAN_PATIENCE_MS);
  return undefined;
}

async function start(
  folder: string,
  cluster: Cluster,
  kept: DatabaseFile,
  binaries: PostgresBinaries,
  log: Log,
): Promise<{ postmaster: Postmaster; file: DatabaseFile }> {
  const began = performance.now();
  let file = kept;
  let failure = '';
  for (let attempt = 0; attempt < START_ATTEMPTS;) {
    if (!(await isPortFree(file.port))) {
      file = { ...file, port: await findFreePort() };
      await writeDatabaseFile(folder, file);
    }
    const result = await startPostmaster(cluster, binaries, file.port, logPath(folder), log);
    if ('postmaster' in result) return { postmaster: result.postmaster, file };
    failure = result.failure;
    const remains = /still in use|lock file .* already exists/.test(failure);
    if (remains && performance.now() - began < REMAINS_VANISH_MS) await sleep(100);
    else if (/could not (bind|create any TCP\/IP)/.test(failure)) attempt += 1;
    else break;
  }
  throw new StartupError(explainFailure(folder, failure));
}

function explainFailure(folder: string, failure: string): string {
  if (/No space left|quota exceeded/i.test(failure)) {
    return `The disk of ${folder} is full: make room there and start again.`;
  }
  const lines = failure.split('\n');
  const reason = lines.find((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? failure;
  const text = reason.replace(/^.*?(FATAL|PANIC): */, '').trim();
  return `PostgreSQL did not start: mend what it names, its log is ${logPath(folder)}. (${text})`;
}

async function servesThisCluster(cluster: string, file: DatabaseFile): Promise<boolean> {
  try {
    return await withClient(databaseUrl(file, 'postgres'), async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      return rows[0] !== undefined && (await realpath(rows[0].data_directory)) === cluster;
    });
  } catch {
    return false;
  }
}

/** A crash may have come between the cluster and the database in it. */
async function ensureDatabase(file: DatabaseFile): Promise<void> {
  try {
    await withClient(databaseUrl(file, 'postgres'), async (client) => {
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE_NAME]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE_NAME}`);
    });
  } catch (error) {
    if ((error as { code?: unknown }).code !== '28P01') throw error;
    throw new StartupError(
      'The password in database.json is not the one of the database beside it: restore both.',
    );
  }
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  // Without a listener a connection that breaks while idle would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

function logPath(folder: string): string {
  return join(folder, 'postgres.log');
}
