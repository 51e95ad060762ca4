import { UseGuards, applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiBearerAuth, ApiParam } from '@nestjs/swagger';
import type { Request } from 'express';
import { LimitedByItself, Public } from '../../infra/http/decorators.js';
import { ApiFailures } from '../../infra/http/openapi.js';
import { OperatorGuard, TenantGuard } from './tenant.guards.js';
import type { Tenant } from './tenants.service.js';

/** Where the routes of tenants are; the second is another name for the first. */
export const TENANT_PATHS = ['api/tenants', 'tenants'];

/**
 * For routes with `:tenantId` in their path: open to the operator (`MASTER_KEY`) and to the tenant's own system (its
 * `apiKey`); to another tenant's key the tenant does not exist. On a class or a method of a module that imports
 * TenantsModule. People's tokens do not open it.
 */
export const TenantRoute = (): MethodDecorator & ClassDecorator =>
  applyDecorators(
    Public(),
    LimitedByItself(),
    UseGuards(TenantGuard),
    ApiBearerAuth(),
    ApiParam({ name: 'tenantId', type: String }),
    ApiFailures('TENANT_NOT_FOUND'),
  );

/** For routes of the operator alone (`MASTER_KEY`), else like `TenantRoute`. */
export const OperatorRoute = (): MethodDecorator & ClassDecorator =>
  applyDecorators(
    Public(),
    LimitedByItself(),
    UseGuards(OperatorGuard),
    ApiBearerAuth(),
    ApiFailures('FORBIDDEN'),
  );

/** The tenant of the path. Only on a `@TenantRoute()`. */
export const CurrentTenant = createParamDecorator((_data: unknown, context: ExecutionContext): Tenant => {
  const { tenantCaller } = context.switchToHttp().getRequest<Request>();
  if (!tenantCaller) throw new Error('@CurrentTenant() on a route without a tenant');
  return tenantCaller.tenant;
});

/** Whether the operator is asking, and not the tenant itself. Only on a `@TenantRoute()`. */
export const IsOperator = createParamDecorator((_data: unknown, context: ExecutionContext): boolean => {
  const { tenantCaller } = context.switchToHttp().getRequest<Request>();
  if (!tenantCaller) throw new Error('@IsOperator() on a route without a tenant');
  return tenantCaller.isOperator;
});
