import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { clusterPath } from '../src/infra/database/embedded/cluster.js';
import { databaseUrl, findDatabaseFile, findFreePort } from '../src/infra/database/embedded/database-file.js';
import { findOrphan, stopPostmaster } from '../src/infra/database/embedded/postmaster.js';
import type { ServerInsides } from './crowd.js';

const READY_POLL_MS = 100;
const READY_MS = 60_000;
const STOP_MS = 60_000;
const LOG_TAIL_CHARACTERS = 2_000;

export interface DatabaseFacts {
  version: string;
  fsync: string;
  synchronousCommit: string;
}

/**
 * The built server as `npm start` runs it, with an embedded database of its own in a new folder beside the usual
 * `.data`, so on the same disk. `stop` leaves nothing of it behind, however far it came.
 */
export class ServerProcess {
  readonly logPath: string;
  url = '';
  private readonly folder: string;
  private readonly dataDir: string;
  private child: ChildProcess | undefined;

  /**
   * @param root the project's folder, built
   * @param env settings on top of the usual ones
   */
  constructor(
    private readonly root: string,
    private readonly env: Readonly<Record<string, string>> = {},
  ) {
    this.folder = mkdtempSync(join(root, '.data-bench-'));
    this.dataDir = join(this.folder, 'data');
    this.logPath = join(this.folder, 'server.log');
  }

  /**
   * Resolves once the server is ready.
   *
   * @param profileFolder where Node.js leaves a processor profile when the server ends
   * @throws Error with the end of its log when it does not become ready
   */
  async start(profileFolder?: string): Promise<void> {
    const port = await findFreePort();
    this.url = `http://127.0.0.1:${port}`;
    if (profileFolder !== undefined) mkdirSync(profileFolder, { recursive: true });
    const profiling = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
    const log = openSync(this.logPath, 'w', 0o600);
    // The port of the inspector, which is off until somebody asks for it; 0 is any.
    this.child = spawn(
      process.execPath,
      ['--inspect-port=0', ...profiling, join(this.root, 'dist/main.js')],
      {
        cwd: this.root,
        // Nothing else of this shell's environment, which may hold another server's settings.
        env: {
          PATH: process.env.PATH,
          HOME: process.env.HOME,
          PORT: String(port),
          HOST: '127.0.0.1',
          DATA_DIR: this.dataDir,
          RATE_LIMITS: 'off',
          ...this.env,
        },
        stdio: ['ignore', log, log],
        // Ctrl-C must reach it through `stop` alone, after the load has ended.
        detached: true,
      },
    );
    closeSync(log);
    await this.becomeReady();
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  async findPostmasterPid(): Promise<number> {
    const postmaster = await findOrphan(clusterPath(this.dataDir));
    if (!postmaster) throw new Error('The server has no PostgreSQL of its own.');
    return postmaster.pid;
  }

  /** What a load needs that sets itself up past the API. */
  async readInsides(): Promise<ServerInsides> {
    const file = await findDatabaseFile(this.dataDir);
    if (!file) throw new Error('The server has no PostgreSQL of its own.');
    const secrets = JSON.parse(readFileSync(join(this.dataDir, 'secrets.json'), 'utf8')) as {
      jwtSecret: string;
    };
    return { databaseUrl: databaseUrl(file), jwtSecret: secrets.jwtSecret };
  }

  /** A connection to its database, past the server. The caller ends it. */
  async connectToDatabase(): Promise<pg.Client> {
    const file = await findDatabaseFile(this.dataDir);
    if (!file) throw new Error('The server has no PostgreSQL of its own.');
    const client = new pg.Client(databaseUrl(file));
    await client.connect();
    return client;
  }

  async readDatabaseFacts(): Promise<DatabaseFacts> {
    const client = await this.connectToDatabase();
    try {
      const show = async (name: string): Promise<string> =>
        (await client.query<Record<string, string>>(`SHOW ${name}`)).rows[0]?.[name] ?? '';
      return {
        version: await show('server_version'),
        fsync: await show('fsync'),
        synchronousCommit: await show('synchronous_commit'),
      };
    } finally {
      await client.end();
    }
  }

  /** Ends the server and its PostgreSQL and removes their files. */
  async stop(): Promise<void> {
    const { child } = this;
    if (child && isAlive(child)) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const cutOff = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(cutOff);
    }
    const orphan = await findOrphan(clusterPath(this.dataDir));
    if (orphan) await stopPostmaster(orphan);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async becomeReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    while (this.child && isAlive(this.child) && performance.now() < deadline) {
      const answer = await fetch(`${this.url}/health/ready`).catch(() => undefined);
      if (answer?.ok) return;
      await sleep(READY_POLL_MS);
    }
    const tail = readFileSync(this.logPath, 'utf8').slice(-LOG_TAIL_CHARACTERS);
    throw new Error(`The server did not become ready:\n${tail}`);
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
