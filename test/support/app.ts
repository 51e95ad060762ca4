import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import pg from 'pg';
import { createApp, type RunningApp } from '../../src/create-app.js';
import type { PingTimes } from '../../src/realtime/realtime.server.js';
import { loadConfig, type Config } from '../../src/infra/config/config.js';
import { TestClock } from './clock.js';
import { makeFolder } from './folder.js';
import { TestHttp } from './http.js';
import { TestSocket, type SocketAuth } from './socket.js';

export interface TestAppOptions {
  /** Differences from the usual: outside production, no rate limits, no Redis, a small pool. */
  config?: Partial<Config>;
  /** The environment that the configuration is read from, on top of the tests' own. */
  env?: Record<string, string>;
  clock?: TestClock;
  /** Another running app: this one becomes a second instance on its database, secrets, files and clock. */
  shareDatabaseWith?: TestApp;
  redisUrl?: string;
  /** When a silent socket is given up, if not as usual. */
  pings?: PingTimes;
  /** Another way to the database than the direct one: gets its address and returns that of the way. */
  databaseVia?: (databaseUrl: string) => Promise<string>;
}

/** Somebody with an account, signed in. */
export interface TestPerson {
  id: string;
  name: string;
  email: string;
  password: string;
  token: string;
  refreshToken: string;
  /** Calls as this person. */
  http: TestHttp;
}

export interface NewPerson {
  name?: string;
  email?: string;
  password?: string;
  phone?: string;
}

export const SECRETS = {
  JWT_SECRET: 'a secret of the tests, 32 characters',
  MASTER_KEY: 'a master key of the tests, 32 chars',
};

/** The real server inside this process, on a database of its own and with a clock that the test moves. */
export class TestApp {
  readonly clock: TestClock;
  /** Every line the server has logged, as JSON text. */
  readonly logs: string[] = [];
  url = '';
  databaseUrl = '';
  dataDir = '';
  running: RunningApp;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly sockets = new Set<TestSocket>();
  private pool: pg.Pool | undefined;

  constructor(private readonly options: TestAppOptions = {}) {
    this.clock = options.clock ?? options.shareDatabaseWith?.clock ?? new TestClock();
  }

  async start(): Promise<this> {
    const { shareDatabaseWith: first, redisUrl, env, config, databaseVia, pings } = this.options;
    this.databaseUrl = first?.databaseUrl ?? (await cloneTemplate());
    this.dataDir = first?.dataDir ?? (await makeFolder('files'));
    const usual = loadConfig({
      ...SECRETS,
      RATE_LIMITS: 'off',
      LOG_LEVEL: 'debug',
      HOST: '127.0.0.1',
      DATABASE_POOL_MAX: '6',
      DATA_DIR: this.dataDir,
      ...(redisUrl && { REDIS_URL: redisUrl }),
      ...env,
    });
    const databaseUrl = databaseVia ? await databaseVia(this.databaseUrl) : this.databaseUrl;
    this.running = await createApp({
      config: { ...usual, port: 0, ...config },
      databaseUrl,
      directUrl: databaseUrl,
      clock: this.clock,
      ...(pings && { pings }),
      logSink: {
        write: (line: string) => {
          this.logs.push(line);
        },
      },
    });
    this.url = this.running.url;
    return this;
  }

  /** Calls the REST API of this instance, with an access token or without. */
  http(token?: string): TestHttp {
    return new TestHttp(this.url, this.agent, token);
  }

  /** Makes an account through the API. */
  async registerUser(overrides: NewPerson = {}): Promise<TestPerson> {
    const tag = randomUUID().slice(0, 8);
    const account = {
      name: `Person ${tag}`,
      email: `${tag}@example.com`,
      password: `password of ${tag}`,
      ...overrides,
    };
    const answer = await this.http().post('/api/auth/register', account);
    if (answer.status !== 201) throw new Error(`registration failed: ${JSON.stringify(answer.body)}`);
    const { user, token, refreshToken } = answer.data as {
      user: { id: string };
      token: string;
      refreshToken: string;
    };
    const { name, email, password } = account;
    return { id: user.id, name, email, password, token, refreshToken, http: this.http(token) };
  }

  /** A signed-in socket to this instance. It is closed with the app. @throws ConnectError */
  async connect(
    person: Pick<TestPerson, 'token'>,
    auth: Omit<SocketAuth, 'token'> = {},
  ): Promise<TestSocket> {
    const socket = await TestSocket.connect(this.url, { token: person.token, ...auth });
    this.sockets.add(socket);
    return socket;
  }

  /** Runs SQL on the database of the app, past the app. */
  async sql<Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    this.pool ??= new pg.Pool({ connectionString: this.databaseUrl, max: 2 });
    return (await this.pool.query<Row>(text, [...values])).rows;
  }

  /** Closes the app and all that came from it. The database goes with the run: dropping it costs more. */
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.disconnect();
    this.agent.destroy();
    await this.pool?.end();
    await this.running.close();
    if (!this.options.shareDatabaseWith) await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Starts an app; whoever calls this closes it. */
export function startApp(options?: TestAppOptions): Promise<TestApp> {
  return new TestApp(options).start();
}

/** An app for all tests of the surrounding `describe` or file, started before the first and closed after the last. */
export function useApp(options?: TestAppOptions): TestApp {
  const app = new TestApp(options);
  beforeAll(() => app.start());
  afterAll(() => app.close());
  return app;
}

/** Makes a migrated, empty database and returns its address. */
export async function cloneTemplate(): Promise<string> {
  const url = new URL(process.env.PARLEY_TEST_DATABASE ?? '');
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    await client.query(`CREATE DATABASE ${name} TEMPLATE parley_template`);
    url.pathname = `/${name}`;
    return url.href;
  } finally {
    await client.end();
  }
}
