import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../../../common/startup-error.js';
import { processBirth } from './process-identity.js';

const RIVAL_WITHDRAWS_MS = 2_000;
const HELD = 'held';

interface Claim {
  pid: number;
  held: boolean;
}

export interface ServerLock {
  release(): Promise<void>;
}

/**
 * Lets one process at a time use the embedded database of a data folder.
 *
 * Invariant: everyone first leaves a claim, named after its process and that process's start, and only then looks
 * for the claims of others. Of two that start together at least one therefore sees the other, so that never both
 * go on; the one with the lower pid does. A claim whose process is gone is worth nothing, so that nothing has to
 * be cleaned up after a crash.
 *
 * Throws StartupError naming the pid of whoever has the lock.
 */
export async function acquireServerLock(dataDir: string): Promise<ServerLock> {
  const folder = join(dataDir, 'lock');
  const mine = `${process.pid}.${processBirth(process.pid) ?? 'unknown'}`;
  const path = join(folder, mine);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw inUse(dataDir, process.pid);
    throw error;
  }
  const deadline = performance.now() + RIVAL_WITHDRAWS_MS;
  for (;;) {
    const rivals = await livingRivals(folder, mine);
    if (rivals.length === 0) break;
    const winner = rivals.find((rival) => rival.held) ?? rivals.find((rival) => rival.pid < process.pid);
    const refusedBy = winner ?? (performance.now() > deadline ? rivals[0] : undefined);
    if (refusedBy !== undefined) {
      await rm(path, { force: true });
      throw inUse(dataDir, refusedBy.pid);
    }
    await sleep(20);
  }
  await writeFile(path, HELD);
  return { release: () => rm(path, { force: true }) };
}

/** The pid of the server that uses the embedded database of this data folder, or undefined. */
export async function findLockHolder(dataDir: string): Promise<number | undefined> {
  const claims = await livingRivals(join(dataDir, 'lock'), '');
  return claims.find((claim) => claim.held)?.pid;
}

async function livingRivals(folder: string, mine: string): Promise<Claim[]> {
  const rivals: Claim[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (name === mine) continue;
    const path = join(folder, name);
    const [pid, birth] = name.split('.');
    if (processBirth(Number(pid)) === birth) {
      const state = await readFile(path, 'utf8').catch(() => undefined);
      if (state !== undefined) rivals.push({ pid: Number(pid), held: state === HELD });
    } else {
      await rm(path, { force: true });
    }
  }
  return rivals;
}

function inUse(dataDir: string, pid: number): StartupError {
  return new StartupError(
    `Another Parley server (pid ${pid}) is running on ${dataDir}: stop it first, or give this one a DATA_DIR of its own.`,
  );
}
