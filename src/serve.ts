import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from './common/errors.js';
import { StartupError } from './common/startup-error.js';
import { createApp, type RunningApp } from './create-app.js';
import type { Config } from './infra/config/config.js';
import {
  findRunningServer,
  openServerDatabase,
  type OpenDatabase,
} from './infra/database/embedded/open-database.js';
import { migrate } from './infra/database/migrate.js';
import { failure } from './infra/http/envelope.js';
import { chooseRequestId } from './infra/http/request-context.js';

export interface Serving {
  app: RunningApp;
  /** Finishes requests, tells the sockets, and stops PostgreSQL if it was started here. */
  stop(): Promise<void>;
}

/** Longer than requests may take to finish, and less than the 30 s after which orchestrators kill. Milliseconds. */
const STOP_WITHIN_MS = 25_000;
const EXIT_PATIENCE_MS = 2_000;

type Print = (line: string) => void;

/**
 * Opens the port, the database and the application, in this order: the port answers `/health/live` and refuses
 * everything else with 503 until the application is there.
 *
 * @param print gets a line for what takes long
 * @throws StartupError in one line that says the cure
 */
export async function serve(config: Config, print: Print): Promise<Serving> {
  const server = createServer(answerWhileStarting);
  await listen(server, config);
  let database: OpenDatabase | undefined;
  try {
    database = await openServerDatabase(config, print);
    const applied = await migrate(database.directUrl, print);
    if (applied.length > 0) print(`Applied ${applied.length} migration${applied.length === 1 ? '' : 's'}.`);
    const opened = database;
    const app = await createApp({ config, databaseUrl: opened.url, directUrl: opened.directUrl, server });
    const stop = async (): Promise<void> => {
      try {
        await Promise.race([app.close(), afterDeadline()]);
      } finally {
        await opened.stop();
      }
    };
    return { app, stop };
  } catch (error) {
    server.close();
    server.closeAllConnections();
    await database?.stop();
    throw error;
  }
}

/**
 * Serves until SIGINT or SIGTERM, then stops cleanly; a second signal while stopping changes nothing.
 * Prints the addresses last, when everything answers. On failure prints one line and sets the exit code to 1.
 */
export async function serveUntilSignal(
  loadConfig: () => Config,
  afterStart: (serving: Serving) => Promise<string[]> = () => Promise.resolve([]),
): Promise<void> {
  const print: Print = (line) => process.stdout.write(`${line}\n`);
  const signalled = new Promise<void>((resolve) => {
    process.on('SIGINT', resolve);
    process.on('SIGTERM', resolve);
  });
  try {
    const config = loadConfig();
    const serving = await serve(config, print);
    try {
      for (const line of [...(await afterStart(serving)), ...addresses(serving.app.url)]) print(line);
      await signalled;
      print('Stopping…');
    } finally {
      await serving.stop();
    }
    print('Stopped.');
    process.exitCode = 0;
  } catch (error) {
    const text =
      error instanceof StartupError || !(error instanceof Error) ? String(error) : (error.stack ?? '');
    process.stderr.write(`${text.replace(/^StartupError: /, '')}\n`);
    process.exitCode = 1;
    // Something half-open must not keep a server that failed to start.
    setTimeout(() => process.exit(), EXIT_PATIENCE_MS).unref();
  } finally {
    process.removeAllListeners('SIGINT');
    process.removeAllListeners('SIGTERM');
  }
}

/** Rejects when a stop takes too long, as with a database that hangs. */
async function afterDeadline(): Promise<never> {
  await sleep(STOP_WITHIN_MS, undefined, { ref: false });
  throw new Error(`The server could not finish within ${STOP_WITHIN_MS / 1000} s.`);
}

function addresses(url: string): string[] {
  const base = url.replace('127.0.0.1', 'localhost');
  return [
    '',
    'Parley is ready.',
    `  API     ${base}/api`,
    `  Docs    ${base}/docs`,
    `  Health  ${base}/health`,
  ];
}

async function listen(server: Server, config: Config): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(config.port, config.host, resolve);
    });
  } catch (error) {
    throw await explainListen(error as NodeJS.ErrnoException, config);
  }
}

async function explainListen(error: NodeJS.ErrnoException, config: Config): Promise<Error> {
  const { port, host } = config;
  switch (error.code) {
    case 'EADDRINUSE': {
      const pid = await findRunningServer(config);
      return new StartupError(
        pid === undefined
          ? `Port ${port} is in use by another program: stop it, or set PORT to a free one.`
          : `Another Parley server (pid ${pid}) is running on ${config.dataDir} and port ${port} is in use: stop it first.`,
      );
    }
    case 'EACCES':
      return new StartupError(`This user may not listen on port ${port}: set PORT to 1024 or higher.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartupError(
        `HOST ${host} is not an address of this machine: set it to one, or to 0.0.0.0.`,
      );
    default:
      return error;
  }
}

function answerWhileStarting(request: IncomingMessage, response: ServerResponse): void {
  const requestId = chooseRequestId(request.headers['x-request-id']);
  response.setHeader('X-Request-Id', requestId);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  if (request.url === '/health/live' || request.url === '/health') {
    response.end(JSON.stringify({ ok: true }));
    return;
  }
  response.statusCode = 503;
  response.setHeader('Retry-After', '1');
  response.end(
    JSON.stringify(failure(new AppError('NOT_READY', { message: 'The server is starting.' }), requestId)),
  );
}
