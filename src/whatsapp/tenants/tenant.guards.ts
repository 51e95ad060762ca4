import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { RequestLimits } from '../../infra/http/rate-limit.guard.js';
import { TenantKeys } from './tenant-keys.js';
import { TenantsService, type Tenant } from './tenants.service.js';

declare module 'express-serve-static-core' {
  interface Request {
    tenantCaller?: { tenant: Tenant; isOperator: boolean };
  }
}

/** Unlike a person’s token, a master key may hold spaces. */
const BEARER = /^Bearer +(\S.*)$/i;
/** Whose uses all calls with the master key count as. */
const OPERATOR = 'operator';

/** Lets the operator and the tenant named in the path through. Limits count by tenant, and strangers by address. */
@Injectable()
export class TenantGuard implements CanActivate {
  constructor(
    private readonly keys: TenantKeys,
    private readonly tenants: TenantsService,
    private readonly limits: RequestLimits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const caller = await authenticate(this.keys, this.limits, context);
    const { tenantId } = request.params;
    if (typeof tenantId !== 'string') throw new Error('a tenant route without :tenantId');
    if (caller === OPERATOR) {
      request.tenantCaller = { tenant: await this.tenants.get(tenantId), isOperator: true };
    } else {
      if (caller.id !== tenantId) throw new AppError('TENANT_NOT_FOUND');
      request.tenantCaller = { tenant: caller, isOperator: false };
    }
    return true;
  }
}

/** Lets the operator through alone. */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(
    private readonly keys: TenantKeys,
    private readonly limits: RequestLimits,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if ((await authenticate(this.keys, this.limits, context)) !== OPERATOR) throw new AppError('FORBIDDEN');
    return true;
  }
}

/** @throws AppError UNAUTHENTICATED, TOKEN_INVALID, RATE_LIMITED */
async function authenticate(
  keys: TenantKeys,
  limits: RequestLimits,
  context: ExecutionContext,
): Promise<Tenant | typeof OPERATOR> {
  const http = context.switchToHttp();
  const request = http.getRequest<Request>();
  const response = http.getResponse<Response>();
  const { authorization } = request.headers;
  const token = authorization === undefined ? undefined : (BEARER.exec(authorization)?.[1] ?? '');
  const isOperator = token !== undefined && keys.isMasterKey(token);
  const tenant = token === undefined || isOperator ? null : await keys.findTenant(token);
  const countedAs = isOperator ? OPERATOR : (tenant?.id ?? request.ip ?? 'unknown');
  await limits.consume(context, request, response, countedAs);
  if (token === undefined) throw new AppError('UNAUTHENTICATED');
  if (isOperator) return OPERATOR;
  if (!tenant) throw new AppError('TOKEN_INVALID');
  return tenant;
}
