import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder that is gone, at the latest, when the run has ended, however it ended. */
export function makeFolder(purpose: string): Promise<string> {
  return mkdtemp(join(process.env.PARLEY_TEST_FOLDER ?? tmpdir(), `${purpose}-`));
}
