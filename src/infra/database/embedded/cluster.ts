import { chown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../../../common/startup-error.js';
import { DATABASE_USER } from './database-file.js';
import { type DatabaseUser, runProgram, userForNewCluster, userOfCluster } from './database-user.js';
import type { PostgresBinaries } from './postgres-binaries.js';

const SCRATCH_PREFIX = 'postgres.new-';

/**
 * The character classes of words, which trigram and text search ask the system for. The first one that the system
 * knows is taken; sorting and case come from PostgreSQL's own C.UTF-8 whichever it is.
 */
const CHARACTER_TYPES = ['C.UTF-8', 'en_US.UTF-8', 'C'];

export interface Cluster {
  /** The folder with PostgreSQL's files. */
  path: string;
  user: DatabaseUser;
}

/** Where the cluster of a data folder is, whether or not it exists yet. */
export function clusterPath(dataDir: string): string {
  return join(dataDir, 'postgres');
}

/**
 * Returns the cluster of an existing data folder, or undefined when it has none. Throws StartupError when it cannot
 * be used: made by another major version, by another user, or not a cluster at all. Changes nothing.
 */
export async function findCluster(dataDir: string, binaries: PostgresBinaries): Promise<Cluster | undefined> {
  const path = clusterPath(dataDir);
  if (!(await exists(path))) return undefined;
  const user = await userOfCluster(path);
  const version = await readFile(join(path, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version === undefined) {
    throw new StartupError(
      `${path} does not hold a PostgreSQL database: move it away, or restore it from a backup.`,
    );
  }
  const major = version.trim();
  if (major !== String(binaries.major)) {
    throw new StartupError(
      `${path} was made by PostgreSQL ${major} and this build brings ${binaries.major}: start the Parley version that made it, or move the data with pg_dump ${major} into a new DATA_DIR.`,
    );
  }
  return { path, user };
}

/**
 * Makes a new cluster whose superuser has this password. It is built beside its place and moved there when it is
 * complete and on disk, so that a crash at any moment leaves either none or a whole one.
 * Throws StartupError, and leaves nothing behind, when the disk is full or `initdb` fails.
 */
export async function createCluster(
  dataDir: string,
  binaries: PostgresBinaries,
  password: string,
): Promise<Cluster> {
  await removeScratch(dataDir);
  const scratch = join(dataDir, `${SCRATCH_PREFIX}${process.pid}`);
  const passwordFile = `${scratch}.password`;
  try {
    await mkdir(scratch, { mode: 0o700 });
    const user = await userForNewCluster(dataDir, scratch, binaries);
    await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
    if (user.ids) await chown(passwordFile, user.ids.uid, user.ids.gid);
    await initialise(user, binaries, scratch, passwordFile);
    const path = clusterPath(dataDir);
    await rename(scratch, path);
    await syncFolder(dataDir);
    return { path, user };
  } catch (error) {
    throw error instanceof StartupError
      ? error
      : new StartupError(explain(dataDir, String(error)), { cause: error });
  } finally {
    await removeScratch(dataDir);
  }
}

async function initialise(
  user: DatabaseUser,
  binaries: PostgresBinaries,
  folder: string,
  passwordFile: string,
): Promise<void> {
  let output = '';
  for (const characterType of CHARACTER_TYPES) {
    const result = await runProgram(user, binaries.initdb, [
      `--pgdata=${folder}`,
      `--username=${DATABASE_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      `--lc-ctype=${characterType}`,
    ]);
    if (result.code === 0) return;
    output = result.output;
    if (!output.includes('invalid locale name')) break;
  }
  throw new StartupError(explain(folder, output));
}

function explain(folder: string, output: string): string {
  if (/ENOSPC|EDQUOT|No space left|quota exceeded/i.test(output)) {
    return `The disk of ${folder} is full: make room there (a new database takes about 50 MB), or choose another DATA_DIR.`;
  }
  if (/shared librar|Library not loaded|No such file or directory.*lib/.test(output)) {
    return `PostgreSQL's libraries are not complete: run "npm rebuild", or set DATABASE_URL. (${lastLine(output)})`;
  }
  return `PostgreSQL could not make a database in ${folder}: mend what it names, or set DATABASE_URL. (${lastLine(output)})`;
}

/** What `initdb` says about its own cleaning up comes after the reason. */
function lastLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const reason = lines.filter((line) => /error|fatal|could not|not found|denied/i.test(line)).at(-1);
  return (reason ?? lines.at(-1) ?? 'it said nothing').trim();
}

async function removeScratch(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith(SCRATCH_PREFIX))
      await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
