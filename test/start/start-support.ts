import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));
const TS_LOADER = fileURLToPath(new URL('../support/ts-loader.mjs', import.meta.url));

export const isRoot = process.geteuid?.() === 0;

/** What Node.js has to be given to run one of the programs in `fixtures`. */
export function fixture(name: string): string[] {
  return ['--import', TS_LOADER, join(FIXTURES, name)];
}

/** Folders of one test file, removed at its end; each has mode 0700, as `mkdtemp` makes them. */
export class Folders {
  private readonly made: string[] = [];
  private readonly mounted: string[] = [];

  make(): string {
    const folder = mkdtempSync(join(tmpdir(), 'parley-start-'));
    this.made.push(folder);
    return folder;
  }

  /** A file system of its own in memory, for what only a file system can do. Needs root. */
  mount(options: string): string {
    const folder = this.make();
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
    this.mounted.push(folder);
    return folder;
  }

  /** A folder that this user, even root, cannot write. */
  makeReadOnly(): string {
    if (isRoot) return this.mount('ro');
    const folder = this.make();
    chmodSync(folder, 0o500);
    return folder;
  }

  removeAll(): void {
    for (const folder of this.mounted.splice(0)) execFileSync('umount', [folder]);
    for (const folder of this.made.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}

interface Line {
  url?: string;
  refused?: string;
  log?: string;
}

/** A process of its own that runs an embedded database. */
export class Holder {
  readonly logged: string[] = [];

  private constructor(
    readonly process: ChildProcess,
    readonly outcome: Promise<Line>,
  ) {}

  static start(dataDir: string, env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '' }): Holder {
    const child = spawn(process.execPath, [...fixture('hold-database.ts'), dataDir], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let settle: (line: Line) => void;
    const holder = new Holder(child, new Promise((resolve) => (settle = resolve)));
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      if (line.log === undefined) settle(line);
      else holder.logged.push(line.log);
    });
    child.once('exit', () => {
      settle({ refused: 'it ended' });
    });
    return holder;
  }

  async url(): Promise<string> {
    const { url, refused } = await this.outcome;
    if (url === undefined) throw new Error(refused);
    return url;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill(signal);
    await exited;
  }
}

/** Runs one statement on a connection of its own. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** A folder of migrations; the keys are their names. */
export function writeMigrations(folder: string, migrations: Record<string, string>): string {
  for (const [name, sql] of Object.entries(migrations)) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'migration.sql'), sql);
  }
  return folder;
}
