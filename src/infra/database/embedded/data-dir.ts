import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StartupError } from '../../../common/startup-error.js';

const MARKER = 'parley.json';
const FORMAT = 1;
const SCRATCH_PREFIX = '.parley-';

/**
 * Makes sure that `dataDir` is a folder of ours that can be written, creating it (mode 0700) when it is missing.
 * A folder is ours when it holds `parley.json`; an empty one becomes ours. Several servers may call this at once.
 * Throws StartupError, before anything is written, for a folder with other people's files, and for a path that is
 * no folder or cannot be written.
 */
export async function prepareDataDir(dataDir: string): Promise<void> {
  try {
    await makeFolder(resolve(dataDir));
    const entries = await readdir(dataDir);
    if (entries.includes(MARKER)) await checkFormat(dataDir);
    else if (!entries.every(isOfNobody)) throw foreign(dataDir);
    await writeMarker(dataDir, entries.includes(MARKER));
  } catch (error) {
    throw error instanceof StartupError ? error : new StartupError(explain(dataDir, error), { cause: error });
  }
}

/** Node's own recursive `mkdir` hides why it fails, for example that the file system is read-only. */
async function makeFolder(path: string): Promise<void> {
  try {
    await makeOneFolder(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await makeOneFolder(path);
  }
}

async function makeOneFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** What a fresh file system puts into its root, and what another server that starts right now is writing. */
function isOfNobody(entry: string): boolean {
  return entry === 'lost+found' || entry.startsWith(SCRATCH_PREFIX);
}

/** Written even when it is there already, under another name: only a write proves that the folder takes one. */
async function writeMarker(dataDir: string, present: boolean): Promise<void> {
  const scratch = join(dataDir, `${SCRATCH_PREFIX}${randomUUID()}`);
  try {
    await writeFile(scratch, `${JSON.stringify({ format: FORMAT })}\n`, { mode: 0o600, flag: 'wx' });
    if (!present) await rename(scratch, join(dataDir, MARKER));
  } finally {
    await rm(scratch, { force: true });
  }
}

async function checkFormat(dataDir: string): Promise<void> {
  const text = await readFile(join(dataDir, MARKER), 'utf8');
  const format = readFormat(text);
  if (format === FORMAT) return;
  throw typeof format === 'number' && format > FORMAT
    ? new StartupError(
        `DATA_DIR ${dataDir} was written by a newer Parley: start that version, or choose another DATA_DIR.`,
      )
    : foreign(dataDir);
}

function readFormat(text: string): unknown {
  try {
    const marker: unknown = JSON.parse(text);
    return typeof marker === 'object' && marker !== null && 'format' in marker ? marker.format : undefined;
  } catch {
    return undefined;
  }
}

function foreign(dataDir: string): StartupError {
  return new StartupError(
    `DATA_DIR ${dataDir} holds files that are not Parley's: choose an empty folder, or one that Parley made.`,
  );
}

function explain(dataDir: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EROFS':
      return `DATA_DIR ${dataDir} is on a read-only file system: choose a folder that can be written.`;
    case 'EACCES':
    case 'EPERM':
      return `DATA_DIR ${dataDir} cannot be written by this user: give it to this user, or choose another folder.`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `DATA_DIR ${dataDir} is not a folder, or a part of its path is a file: choose another path.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `The disk of DATA_DIR ${dataDir} is full: make room there, or choose another folder.`;
    default:
      return `DATA_DIR ${dataDir} cannot be used (${message}): choose another folder.`;
  }
}
