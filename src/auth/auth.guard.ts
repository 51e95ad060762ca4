import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { AppError } from '../common/errors.js';
import { BEARER_OPTIONAL, IS_PUBLIC } from '../infra/http/decorators.js';
import { SessionsService } from './sessions.service.js';

const BEARER = /^Bearer +(\S+)$/i;

/** Closes every route that is not marked `@Public()` to callers without a valid access token. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly sessions: SessionsService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const handler = context.getHandler();
    if (this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, [handler, context.getClass()]))
      return true;
    const request = context.switchToHttp().getRequest<Request>();
    const { authorization } = request.headers;
    if (authorization === undefined) {
      if (this.reflector.get<boolean | undefined>(BEARER_OPTIONAL, handler)) return true;
      throw new AppError('UNAUTHENTICATED');
    }
    request.principal = await this.sessions.authenticate(BEARER.exec(authorization)?.[1] ?? '');
    return true;
  }
}
