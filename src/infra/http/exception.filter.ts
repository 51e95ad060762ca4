import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Log } from '../observability/log.js';
import { failure } from './envelope.js';
import { requestIdOf } from './request-context.js';
import { toAppError } from './to-app-error.js';

/** Prints every error of a REST route in the one shape; only what the server itself did wrong is logged. */
@Catch()
@Injectable()
export class AppExceptionFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendError(thrown, http.getRequest<Request>(), http.getResponse<Response>(), this.log);
  }
}

/** Answers a request with an error, wherever in the stack it was thrown. */
export function sendError(thrown: unknown, request: Request, response: Response, log: Log): void {
  const error = toAppError(thrown);
  const requestId = requestIdOf(request);
  if (error.status >= 500) {
    log.error({ err: error.cause ?? error, requestId, code: error.code }, 'a request failed');
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.retryAfterMs !== undefined) {
    response.setHeader('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  if (error.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  response.status(error.status).json(failure(error, requestId));
}
