import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { HealthController } from './health.controller.js';

/** Closes everything but health and metrics: a worker loads features for their jobs, not for their routes. */
@Injectable()
export class OperationsOnlyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getClass() !== HealthController) throw new AppError('ROUTE_NOT_FOUND');
    return true;
  }
}
