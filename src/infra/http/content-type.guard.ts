import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { AppError } from '../../common/errors.js';
import { ACCEPTS_MULTIPART } from './decorators.js';

/** Bodies are JSON; multipart only where a route says so. Anything else is refused before it is read. */
@Injectable()
export class ContentTypeGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    if (!hasBody(request)) return true;
    if (request.is('application/json')) return true;
    const acceptsMultipart = this.reflector.get<boolean | undefined>(ACCEPTS_MULTIPART, context.getHandler());
    if (acceptsMultipart && request.is('multipart/form-data')) return true;
    throw new AppError('UNSUPPORTED_MEDIA_TYPE');
  }
}

function hasBody(request: Request): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}
