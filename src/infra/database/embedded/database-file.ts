import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { StartupError } from '../../../common/startup-error.js';

const HOST = '127.0.0.1';

/** How the embedded database is reached; kept in `database.json` beside it, mode 0600. */
export interface DatabaseFile {
  port: number;
  password: string;
}

export const DATABASE_USER = 'parley';
export const DATABASE_NAME = 'parley';

/** The connection URL of one database of the embedded server. */
export function databaseUrl({ port, password }: DatabaseFile, database: string = DATABASE_NAME): string {
  return `postgresql://${DATABASE_USER}:${password}@${HOST}:${port}/${database}`;
}

/** Returns undefined when there is no file yet; throws StartupError when it is damaged. */
export async function findDatabaseFile(dataDir: string): Promise<DatabaseFile | undefined> {
  const path = join(dataDir, 'database.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { port, password } = parse(text);
  if (typeof port !== 'number' || typeof password !== 'string') {
    throw new StartupError(
      `${path}, which holds the database's password, is damaged: restore it from a backup.`,
    );
  }
  return { port, password };
}

/** Replaces the file as a whole and durably: a password that is lost locks the database. */
export async function writeDatabaseFile(dataDir: string, content: DatabaseFile): Promise<void> {
  const path = join(dataDir, 'database.json');
  const scratch = `${path}.new`;
  const file = await open(scratch, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(scratch, path);
}

export async function newDatabaseFile(): Promise<DatabaseFile> {
  return { port: await findFreePort(), password: randomBytes(24).toString('base64url') };
}

/** A loopback port that nobody uses at this moment. */
export async function findFreePort(): Promise<number> {
  const port = await listenOnce(0);
  if (port === undefined)
    throw new StartupError('No free port is left on 127.0.0.1: end some programs first.');
  return port;
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== undefined;
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(undefined);
    });
    probe.listen({ port, host: HOST, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => {
        resolve(address !== null && typeof address === 'object' ? address.port : undefined);
      });
    });
  });
}

function parse(text: string): Partial<Record<keyof DatabaseFile, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
