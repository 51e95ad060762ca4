import { SetMetadata, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from './request-context.js';

export const IS_PUBLIC = 'parley:public';
export const BEARER_OPTIONAL = 'parley:bearer-optional';
export const RATE_LIMIT = 'parley:rate-limit';
export const LIMITED_BY_ITSELF = 'parley:limited-by-itself';
/** Whether a route takes forms besides JSON, or forms alone. */
export const ACCEPTS_MULTIPART = 'parley:multipart';
export type FormAcceptance = 'too' | 'alone';

/** Opens a route to callers who have not signed in; everything else is closed by a global guard. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(IS_PUBLIC, true);

/** Lets callers without a token through, for routes that know another proof; a token that is sent must be good. */
export const BearerOptional = (): MethodDecorator => SetMetadata(BEARER_OPTIONAL, true);

/** For routes whose own guard counts their calls, because it alone knows who is calling. */
export const LimitedByItself = (): MethodDecorator & ClassDecorator => SetMetadata(LIMITED_BY_ITSELF, true);

/** The signed-in person. Only on routes that are not `@Public()`. */
export const CurrentUser = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<Request>();
  if (!principal) throw new Error('@CurrentUser() on a public route');
  return principal;
});
