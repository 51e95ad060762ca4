import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { AppError } from '../../common/errors.js';
import { ACCEPTS_MULTIPART, type FormAcceptance } from './decorators.js';
import { validateInput } from './validate.js';

/** Bodies are JSON; multipart only where a route says so. Anything else is refused before it is read. */
@Injectable()
export class ContentTypeGuard implements CanActivate {
  private readonly bodies = new WeakMap<object, boolean>();

  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    if (!hasBody(request)) return true;
    if (request.is('application/json')) {
      if (this.takesBody(context)) return true;
      if (this.acceptsForms(context) === 'alone') throw new AppError('UNSUPPORTED_MEDIA_TYPE');
      refuseFields(request.body);
      return true;
    }
    if (this.acceptsForms(context) && request.is('multipart/form-data')) return true;
    throw new AppError('UNSUPPORTED_MEDIA_TYPE');
  }

  private acceptsForms(context: ExecutionContext): FormAcceptance | undefined {
    return this.reflector.get<FormAcceptance | undefined>(ACCEPTS_MULTIPART, context.getHandler());
  }

  private takesBody(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    let takes = this.bodies.get(handler);
    if (takes === undefined) {
      takes = hasBodyParameter(context);
      this.bodies.set(handler, takes);
    }
    return takes;
  }
}

/** Whether the handler has a parameter with `@Body()`: Nest keeps them by kind and place. */
function hasBodyParameter(context: ExecutionContext): boolean {
  const { name } = context.getHandler();
  const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), name) ?? {}) as object;
  return Object.keys(parameters).some((key) => key.startsWith(`${RouteParamtypes.BODY}:`));
}

/** A route without a body declares no field, so it takes none. @throws AppError VALIDATION_FAILED naming them */
export function refuseFields(body: unknown): void {
  validateInput(NoFields, body ?? {});
}

class NoFields {}

function hasBody(request: Request): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}
