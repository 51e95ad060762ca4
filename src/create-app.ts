import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import compression from 'compression';
import cors from 'cors';
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import helmet from 'helmet';
import { AppModule } from './app.module.js';
import { SystemClock, type Clock } from './common/clock.js';
import { AppError } from './common/errors.js';
import { Readiness } from './health/readiness.js';
import type { Config } from './infra/config/config.js';
import { sendError } from './infra/http/exception.filter.js';
import { MAX_FORM_BYTES } from './infra/http/form-reader.js';
import { buildOpenApi } from './infra/http/openapi-document.js';
import { isAllowedOrigin } from './infra/http/origins.js';
import { requestContext } from './infra/http/request-context.js';
import type { InfraParts } from './infra/infra.module.js';
import { Log, NestLog, type LogSink } from './infra/observability/log.js';
import { openInfra, type OpenInfra } from './infra/open-infra.js';
import { serveEventsDocument } from './realtime/events-docs.js';
import { RealtimeServer, type PingTimes } from './realtime/realtime.server.js';
import { VERSION } from './version.js';
import { WebhookFront } from './whatsapp/webhook/webhook-front.js';
import { WebhookController } from './whatsapp/webhook/webhook.controller.js';

export interface AppOptions {
  config: Config;
  /** The migrated database. */
  databaseUrl: string;
  /** The same past a pooler. */
  directUrl: string;
  clock?: Clock;
  logSink?: LogSink;
  /** A server that listens already, and answers 503 until the application takes it over. */
  server?: Server;
  /** When a silent socket is given up, if not as usual. */
  pings?: PingTimes;
}

export interface RunningApp {
  /** Where it can be reached from this machine, without a slash at the end. */
  url: string;
  server: Server;
  nest: INestApplication;
  log: Log;
  /** Finishes what has begun, tells the sockets and closes every connection. */
  close(): Promise<void>;
}

/** Largest JSON body in bytes: a text of 4,096 characters, each written as an escape, fits many times. */
const MAX_JSON_BYTES = 256 * 1024;
/** Longer than the 60 s after which most load balancers let an idle connection go, so that they close it and not we. */
const KEEP_ALIVE_MS = 75_000;
/** How long requests may still take once the server is told to stop, in milliseconds. */
const DRAIN_MS = 20_000;

/** Starts the whole server on a migrated database and resolves once it serves. */
export async function createApp(options: AppOptions): Promise<RunningApp> {
  const { config } = options;
  const log = new Log(config.logLevel, options.logSink);
  const infra = await openInfra(
    config,
    options.databaseUrl,
    options.directUrl,
    options.clock ?? new SystemClock(),
    log,
  );
  try {
    return await assemble(options, infra, log);
  } catch (error) {
    await infra.close();
    throw error;
  }
}

async function assemble(options: AppOptions, infra: OpenInfra, log: Log): Promise<RunningApp> {
  const { config } = options;
  const server = options.server ?? createServer();
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const app = express();
  // `/API` is not `/api`: what is decided by a path must hold for every way of writing it.
  app.enable('case sensitive routing');
  const adapter = new ServerAdapter(app, server);
  const webhook = new WebhookFront(log);
  useMiddleware(app, infra.parts, webhook);
  const nest = await NestFactory.create(AppModule.with(infra.parts), adapter, {
    bodyParser: false,
    logger: new NestLog(log),
    abortOnError: false,
  });
  setUpDocs(nest);
  await nest.init();
  if (config.role !== 'worker') webhook.open(nest.get(WebhookController));

  const realtime = nest.get(RealtimeServer);
  // In this order: Socket.IO puts itself before the listener that is there.
  adapter.serve();
  const quiet = new QuietConnections(server);
  if (config.role === 'worker') realtime.tellOthers();
  else realtime.attach(server, options.pings);
  if (!server.listening) await listen(server, config);

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    nest.get(Readiness).startDraining();
    const jobsDone = infra.parts.queues.stopWorking();
    await realtime.close();
    await closeServer(server, quiet);
    await jobsDone;
    await nest.close();
    await infra.close();
    log.flush();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    nest,
    log,
    close: () => (closing ??= close()),
  };
}

/** Lets Nest route the requests of a server that we listen on, and close, ourselves. */
class ServerAdapter extends ExpressAdapter {
  constructor(
    private readonly app: Express,
    private readonly server: Server,
  ) {
    super(app);
  }

  override initHttpServer(): void {
    this.setHttpServer(this.server);
  }

  override async close(): Promise<void> {
    return Promise.resolve();
  }

  serve(): void {
    this.server.removeAllListeners('request');
    this.server.on('request', this.app);
  }
}

function useMiddleware(app: Express, parts: InfraParts, webhook: WebhookFront): void {
  const { config } = parts;
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', config.trustProxy);
  app.use(requestContext(parts.log, parts.metrics));
  app.use(webhook.serve);
  // Who serves plain HTTP in a network of their own needs the pages of /docs to load over it.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  app.use(whereItMatters(config));
  app.use(refuseTooLarge(config));
  app.use(express.json({ limit: MAX_JSON_BYTES, strict: false }));
  // Before Nest's own, which answers every unreadable body alike.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendError(error, request, response, parts.log);
  });
}

/**
 * CORS for requests that name an origin, compression for answers that can be long, and `no-store` for the API: one
 * layer, because sending a message needs none of the first two and every layer costs it.
 */
function whereItMatters(config: Config): RequestHandler {
  const compress = compression();
  const shareWithOrigins = cors({
    origin: (origin, allow) => {
      allow(null, origin !== undefined && isAllowedOrigin(config.corsOrigins, origin));
    },
    credentials: true,
    exposedHeaders: ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Retry-After'],
    maxAge: 600,
  });
  return (request, response, next) => {
    if (request.path.startsWith('/api/')) response.setHeader('Cache-Control', 'no-store');
    const proceed: NextFunction = (error?: unknown) => {
      if (error !== undefined) next(error);
      else if (request.method === 'GET') compress(request, response, next);
      else next();
    };
    if (request.headers.origin === undefined) proceed();
    else shareWithOrigins(request, response, proceed);
  };
}

/**
 * Refuses a body by its announced length: the parsers would read it to its end before they answer. Which form may be
 * how large, its route says.
 */
function refuseTooLarge(config: Config): RequestHandler {
  const { maxImageBytes, maxAudioBytes, maxVideoBytes, maxDocumentBytes } = config;
  const maxForm = Math.max(maxImageBytes, maxAudioBytes, maxVideoBytes, maxDocumentBytes) + MAX_FORM_BYTES;
  return (request, response, next) => {
    const length = Number(request.headers['content-length'] ?? 0);
    const isTooLarge = length > MAX_JSON_BYTES && !(length <= maxForm && request.is('multipart/form-data'));
    if (!isTooLarge) {
      next();
      return;
    }
    response.setHeader('Connection', 'close');
    next(new AppError('PAYLOAD_TOO_LARGE'));
  };
}

function setUpDocs(nest: INestApplication): void {
  let document: OpenAPIObject | undefined;
  const describe = (): OpenAPIObject => (document ??= buildOpenApi(nest, VERSION));
  SwaggerModule.setup('docs', nest, describe, {
    jsonDocumentUrl: 'docs-json',
    yamlDocumentUrl: 'docs-yaml',
    customSiteTitle: 'Parley API',
  });
  serveEventsDocument(nest, VERSION);
}

async function listen(server: Server, config: Config): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * The connections on which no request is under way, those that never sent one included: Node's own
 * `closeIdleConnections` knows only connections that have been answered before.
 */
class QuietConnections {
  private readonly requests = new Map<Socket, number>();

  constructor(server: Server) {
    server.on('connection', (connection) => {
      this.requests.set(connection, 0);
      connection.once('close', () => this.requests.delete(connection));
    });
    // Before the application's own listener, which the server may be given later.
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.requests.set(socket, (this.requests.get(socket) ?? 0) + 1);
      response.once('close', () => {
        const left = (this.requests.get(socket) ?? 1) - 1;
        if (this.requests.has(socket)) this.requests.set(socket, left);
      });
    });
  }

  close(): void {
    for (const [connection, requests] of this.requests) if (requests === 0) connection.destroy();
  }
}

async function closeServer(server: Server, quiet: QuietConnections): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  quiet.close();
  const cutOff = setTimeout(() => {
    server.closeAllConnections();
  }, DRAIN_MS);
  await closed;
  clearTimeout(cutOff);
}
