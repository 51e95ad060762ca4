import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Log } from '../observability/log.js';
import type { Metrics } from '../observability/metrics.js';

/** Who is asking: set by the authentication guard. */
export interface Principal {
  userId: string;
  sessionId: string;
  deviceId: string | null;
}

declare module 'express-serve-static-core' {
  interface Request {
    requestId?: string;
    principal?: Principal;
    /** Unless it fails, it is one of many that only metrics are interested in. */
    isRoutine?: boolean;
  }
}

const SANE_REQUEST_ID = /^[\w.:-]{1,128}$/;

/** The id a client gave its request, if it can stand in a log as it is; otherwise a new one. */
export function chooseRequestId(given: unknown): string {
  return typeof given === 'string' && SANE_REQUEST_ID.test(given) ? given : randomUUID();
}

export function requestIdOf(request: Request): string {
  return (request.requestId ??= randomUUID());
}

/**
 * Gives every request its id, and when it is answered counts it and writes its line in the log.
 */
export function requestContext(log: Log, metrics: Metrics): RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    const startedAt = performance.now();
    const requestId = chooseRequestId(request.headers['x-request-id']);
    request.requestId = requestId;
    response.setHeader('X-Request-Id', requestId);
    const path = pathOf(request.originalUrl);
    response.once('close', () => {
      const durationMs = performance.now() - startedAt;
      const status = response.writableFinished ? response.statusCode : 499;
      metrics.observeRequest(request.method, routeOf(request), status, durationMs / 1000);
      const line = {
        requestId,
        method: request.method,
        path,
        status,
        durationMs: Math.round(durationMs * 10) / 10,
        userId: request.principal?.userId,
      };
      log.request(line, request.isRoutine === true && status < 400);
    });
    next();
  };
}

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** The route's pattern, so that ids do not make a time series each. */
function routeOf(request: Request): string {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : 'unmatched';
}
