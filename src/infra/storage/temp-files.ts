import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/config.js';

const ABANDONED_AFTER_MS = 3_600_000;

/** Where uploads lie until they are checked: on the file system of the storage, so that moving one costs nothing. */
export function tempFolder(config: Config): string {
  return path.join(config.dataDir, 'tmp');
}

/** A path for a new file in the folder, which exists when this resolves. Whoever writes the file removes it. */
export async function newTempPath(config: Config): Promise<string> {
  const folder = tempFolder(config);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return path.join(folder, randomBytes(16).toString('hex'));
}

/**
 * Removes what a process that was killed has left behind; younger files may be another instance's at work. How old a
 * file is, the clock of its file system says.
 */
export async function removeAbandonedFiles(config: Config): Promise<void> {
  const folder = tempFolder(config);
  const now = await newTempPath(config);
  await writeFile(now, '', { mode: 0o600 });
  const { mtimeMs } = await stat(now);
  await rm(now, { force: true });
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found && mtimeMs - found.mtimeMs > ABANDONED_AFTER_MS)
      await rm(file, { recursive: true, force: true });
  }
}
