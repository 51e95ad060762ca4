import { spawn } from 'node:child_process';
import { chmod, chown, readFile, stat } from 'node:fs/promises';
import { StartupError } from '../../../common/startup-error.js';
import type { PostgresBinaries } from './postgres-binaries.js';

/**
 * How PostgreSQL's programs are started, given that they refuse to run as root: directly when we are not root; in a
 * user namespace in which we look like somebody else and still own our files; or as another user of the system.
 */
export interface DatabaseUser {
  name: string;
  /** What is put before the program on the command line. */
  prefix: string[];
  /** The ids the program runs with, and to whom its folder is given; undefined keeps ours. */
  ids?: { uid: number; gid: number };
}

/** `PG*` and locale variables of the person who starts the server must not change what the database is. */
export const PROGRAM_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

const NOBODY = 65534;
const OURSELVES: DatabaseUser = { name: 'this user', prefix: [] };

/** Who runs an existing cluster: whoever owns its files. Throws StartupError when we cannot act as the owner. */
export async function userOfCluster(cluster: string): Promise<DatabaseUser> {
  const { uid, gid } = await stat(cluster);
  const own = process.geteuid?.();
  if (own === 0) return uid === 0 ? namespaceUser() : { name: `user ${uid}`, prefix: [], ids: { uid, gid } };
  if (uid === own) return OURSELVES;
  throw new StartupError(
    `The database in ${cluster} belongs to another user (uid ${uid}): start Parley as that user, or choose another DATA_DIR.`,
  );
}

/**
 * Who shall run a new cluster in the folder `cluster`, which exists and is empty and is handed over to that user.
 * Throws StartupError when nobody can: then the way to the folder or to the programs is closed for all but root.
 */
export async function userForNewCluster(
  dataDir: string,
  cluster: string,
  binaries: PostgresBinaries,
): Promise<DatabaseUser> {
  if (process.geteuid?.() !== 0) return OURSELVES;
  const before = await stat(dataDir);
  const users = await readUsers();
  const candidates = [await namespaceUser()];
  for (const name of ['postgres', 'nobody']) {
    const found = users.find((user) => user.name === name);
    if (found) candidates.push({ name: `user ${name}`, prefix: [], ids: { uid: found.uid, gid: found.gid } });
  }
  for (const candidate of candidates) {
    if (candidate.ids) await handOver(dataDir, cluster, candidate.ids);
    const probe = await runProgram(candidate, '/bin/sh', ['-c', PROBE, 'sh', cluster, binaries.postgres]);
    if (probe.code === 0) return candidate;
  }
  await chown(dataDir, before.uid, before.gid);
  await chmod(dataDir, before.mode & 0o777);
  throw new StartupError(
    `PostgreSQL does not run as root, and no other user can reach both ${dataDir} and ${binaries.postgres}: start Parley as an ordinary user, move both out of folders that only root may enter, or set DATABASE_URL.`,
  );
}

const PROBE = 'cd "$1" && test -w . && exec "$2" --version';

/** Runs a program to its end as that user. `code` is null when a signal ended it or it could not be started. */
export function runProgram(
  user: DatabaseUser,
  program: string,
  args: string[],
): Promise<{ code: number | null; output: string }> {
  const [file, ...rest] = [...user.prefix, program, ...args];
  return new Promise((resolve) => {
    // An own process group: Ctrl-C must not stop it half way, we clean up ourselves.
    const child = spawn(file as string, rest, {
      ...user.ids,
      cwd: '/',
      env: PROGRAM_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => {
      resolve({ code: null, output: `${output}${error.message}` });
    });
    child.once('close', (code) => {
      resolve({ code, output });
    });
  });
}

/** The id we take in the namespace must be one that the system knows by name, or `initdb` gives up. */
async function namespaceUser(): Promise<DatabaseUser> {
  const users = (await readUsers()).filter((user) => user.uid !== 0);
  const { uid, gid } = users.find((user) => user.uid === NOBODY) ?? users[0] ?? { uid: NOBODY, gid: NOBODY };
  return {
    name: 'a user namespace',
    prefix: ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`],
  };
}

async function handOver(dataDir: string, cluster: string, ids: { uid: number; gid: number }): Promise<void> {
  await chown(cluster, ids.uid, ids.gid);
  const { mode, uid } = await stat(dataDir);
  if (mode & 0o001) return;
  // That group may pass through to its own folder and still not list ours, whose files stay closed to it.
  await chown(dataDir, uid, ids.gid);
  await chmod(dataDir, (mode & 0o777) | 0o010);
}

async function readUsers(): Promise<{ name: string; uid: number; gid: number }[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
