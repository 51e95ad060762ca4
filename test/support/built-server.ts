import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { ROOT } from './project.js';

const READY = 'Parley is ready.';

export interface BuiltServerOptions {
  dataDir: string;
  port: number;
  env?: Record<string, string>;
  /** Modules that Node loads before the server: how a test builds a fault into it. */
  preload?: readonly string[];
}

/** The built server as a process of its own, with the embedded PostgreSQL in `dataDir`. */
export class BuiltServer {
  private constructor(
    readonly url: string,
    readonly child: ChildProcess,
    private readonly dataDir: string,
    private readonly output: () => string,
  ) {}

  /** Starts what `buildProject` has built, and resolves when it has printed that it is ready. */
  static async start({ dataDir, port, env, preload = [] }: BuiltServerOptions): Promise<BuiltServer> {
    const imports = preload.flatMap((module) => ['--import', module]);
    const child = spawn(process.execPath, [...imports, join(ROOT, 'dist/main.js')], {
      cwd: ROOT,
      env: {
        ...cleanEnv(),
        DATA_DIR: dataDir,
        PORT: String(port),
        HOST: '127.0.0.1',
        LOG_LEVEL: 'warn',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const ready = new Promise<void>((resolveReady, reject) => {
      const take = (chunk: Buffer): void => {
        output += chunk.toString();
        if (output.includes(READY)) resolveReady();
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.once('exit', (code) => {
        reject(new Error(`the server ended with code ${String(code)}:\n${output}`));
      });
    });
    await ready;
    return new BuiltServer(`http://127.0.0.1:${port}`, child, dataDir, () => output);
  }

  /** What it has printed. */
  get printed(): string {
    return this.output();
  }

  /** Ends it as `kill -9` does; its PostgreSQL lives on. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Ends it as an operator does. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** Runs SQL on its database. */
  async sql<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { port, password } = JSON.parse(await readFile(join(this.dataDir, 'database.json'), 'utf8')) as {
      port: number;
      password: string;
    };
    const client = new pg.Client({ host: '127.0.0.1', port, password, user: 'parley', database: 'parley' });
    await client.connect();
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}

/** The environment without what Jest and a developer's shell would decide for the server. */
function cleanEnv(): NodeJS.ProcessEnv {
  const {
    NODE_OPTIONS: _jest,
    NODE_ENV: _test,
    DATABASE_URL: _database,
    REDIS_URL: _redis,
    ...rest
  } = process.env;
  return rest;
}
