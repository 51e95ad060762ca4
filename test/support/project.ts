import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Program } from './program.js';

/** The folder of the project. */
export const ROOT = resolve(import.meta.dirname, '../..');

/** Any number; only builds take it. */
const BUILD_LOCK = 7_501_342;

/** Builds `dist/` unless it is fresh. Test files that ask at the same time wait for one build. */
export async function buildProject(): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.PARLEY_TEST_DATABASE });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [BUILD_LOCK]);
    await promisify(execFile)(process.execPath, [join(ROOT, 'deploy/build-if-changed.mjs')], { cwd: ROOT });
  } finally {
    await client.end();
  }
}

/** Resolves with the address of a server once it has printed it. */
export async function addressOf(server: Program): Promise<string> {
  const [, port] = await server.prints(/^ {2}Health {2}http:\/\/localhost:(\d+)\/health$/m);
  return `http://127.0.0.1:${port}`;
}
