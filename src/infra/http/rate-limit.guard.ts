import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { RATE_LIMIT } from './decorators.js';
import { isForm } from './form-reader.js';
import { RATE_LIMITS, RateLimits, type RateLimitName } from './rate-limits.js';

/** Puts a route under a limit of its own instead of the default one. */
export const RateLimit = (name: RateLimitName): MethodDecorator => SetMetadata(RATE_LIMIT, name);

/**
 * Limits every route by signed-in user, or by address on public ones, and prints the state in the headers of
 * draft-ietf-httpapi-ratelimit-headers-10.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly limits: RateLimits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!this.limits.enabled) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (!request.path.startsWith('/api')) return true;
    const own = this.reflector.get<RateLimitName | undefined>(RATE_LIMIT, context.getHandler());
    const response = http.getResponse<Response>();
    const isUpload = isForm(request);
    if (own !== undefined || !isUpload) await this.consume(own ?? 'default', request, response);
    // A form is an upload, whatever else it is.
    if (isUpload && own !== 'uploads') await this.consume('uploads', request, response);
    return true;
  }

  private async consume(name: RateLimitName, request: Request, response: Response): Promise<void> {
    const { points, window } = RATE_LIMITS[name];
    response.setHeader('RateLimit-Policy', `"${name}";q=${points};w=${window}`);
    try {
      const state = await this.limits.consume(name, request.principal?.userId ?? request.ip ?? 'unknown');
      response.setHeader('RateLimit', `"${name}";r=${state.remaining};t=${Math.ceil(state.resetMs / 1000)}`);
    } catch (error) {
      const waitMs = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0;
      response.setHeader('RateLimit', `"${name}";r=0;t=${Math.ceil(waitMs / 1000)}`);
      throw error;
    }
  }
}
