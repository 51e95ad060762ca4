import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { LIMITED_BY_ITSELF, RATE_LIMIT } from './decorators.js';
import { isForm } from './form-reader.js';
import { RATE_LIMITS, RateLimits, type RateLimitName } from './rate-limits.js';

/** What clients call; `/send-message` is another name for a route under `/api`. */
const LIMITED_PATHS = /^\/(api(\/|$)|send-message\/?$)/;

/** Puts a route under a limit of its own instead of the default one. */
export const RateLimit = (name: RateLimitName): MethodDecorator => SetMetadata(RATE_LIMIT, name);

/** Counts calls against the limit of their route, and prints the state in the headers of draft-ietf-httpapi-ratelimit-headers-10. */
@Injectable()
export class RequestLimits {
  constructor(
    private readonly reflector: Reflector,
    private readonly limits: RateLimits,
  ) {}

  /**
   * @param caller whose call it is: an id, or an address
   * @throws AppError RATE_LIMITED
   */
  async consume(
    context: ExecutionContext,
    request: Request,
    response: Response,
    caller: string,
  ): Promise<void> {
    if (!this.limits.enabled) return;
    const own = this.reflector.get<RateLimitName | undefined>(RATE_LIMIT, context.getHandler());
    const isUpload = isForm(request);
    if (own !== undefined || !isUpload) await this.count(own ?? 'default', caller, response);
    // A form is an upload, whatever else it is.
    if (isUpload && own !== 'uploads') await this.count('uploads', caller, response);
  }

  private async count(name: RateLimitName, caller: string, response: Response): Promise<void> {
    const { points, window } = RATE_LIMITS[name];
    response.setHeader('RateLimit-Policy', `"${name}";q=${points};w=${window}`);
    try {
      const state = await this.limits.consume(name, caller);
      response.setHeader('RateLimit', `"${name}";r=${state.remaining};t=${Math.ceil(state.resetMs / 1000)}`);
    } catch (error) {
      const waitMs = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0;
      response.setHeader('RateLimit', `"${name}";r=0;t=${Math.ceil(waitMs / 1000)}`);
      throw error;
    }
  }
}

/** Limits every route by signed-in user, or by address on public ones. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly limits: RequestLimits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (!LIMITED_PATHS.test(request.path)) return true;
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(LIMITED_BY_ITSELF, targets)) return true;
    const caller = request.principal?.userId ?? request.ip ?? 'unknown';
    await this.limits.consume(context, request, http.getResponse<Response>(), caller);
    return true;
  }
}
