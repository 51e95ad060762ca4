import { prepareDataDir } from './data-dir.js';
import { findLockHolder } from './server-lock.js';
import { shareEmbeddedDatabase, startEmbeddedDatabase } from './embedded-database.js';

/** What `openDatabase` reads of the configuration. */
export interface DatabaseLocation {
  databaseUrl?: string;
  databaseDirectUrl?: string;
  dataDir: string;
}

export interface OpenDatabase {
  url: string;
  /** Past any pooler: for migrations and LISTEN. */
  directUrl: string;
  stop(): Promise<void>;
}

/**
 * The database that the configuration names, for a tool: the given one, or the embedded one, started for this tool
 * unless a server has it running. Throws StartupError as `startEmbeddedDatabase` does.
 */
export async function openDatabase(
  location: DatabaseLocation,
  log: (line: string) => void,
): Promise<OpenDatabase> {
  const { databaseUrl, databaseDirectUrl, dataDir } = location;
  if (databaseUrl !== undefined) {
    return { url: databaseUrl, directUrl: databaseDirectUrl ?? databaseUrl, stop: () => Promise.resolve() };
  }
  const shared = await shareEmbeddedDatabase(dataDir, log);
  return { url: shared.url, directUrl: shared.url, stop: () => shared.stop() };
}

/**
 * The database that the configuration names, for a server: the given one, or the embedded one, which then is this
 * server's alone. Throws StartupError as `startEmbeddedDatabase` does.
 */
export async function openServerDatabase(
  location: DatabaseLocation,
  log: (line: string) => void,
): Promise<OpenDatabase> {
  const { databaseUrl, databaseDirectUrl, dataDir } = location;
  if (databaseUrl !== undefined) {
    await prepareDataDir(dataDir);
    return { url: databaseUrl, directUrl: databaseDirectUrl ?? databaseUrl, stop: () => Promise.resolve() };
  }
  const own = await startEmbeddedDatabase(dataDir, log);
  return { url: own.url, directUrl: own.url, stop: () => own.stop() };
}

/** The pid of a server that uses this location's embedded database now, or undefined. */
export async function findRunningServer(location: DatabaseLocation): Promise<number | undefined> {
  return location.databaseUrl === undefined ? findLockHolder(location.dataDir) : undefined;
}
