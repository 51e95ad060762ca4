import {
  Injectable,
  SetMetadata,
  UseInterceptors,
  applyDecorators,
  createParamDecorator,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiBody, ApiConsumes, ApiExtension, type OpenAPIObject } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { lastValueFrom, of, type Observable } from 'rxjs';
import { refuseFields } from './content-type.guard.js';
import { ACCEPTS_MULTIPART, type FormAcceptance } from './decorators.js';
import { FormReader, type FormOptions, type ReceivedUpload } from './form-reader.js';

interface MultipartOptions extends FormOptions {
  /** The route takes nothing but a form, and in it nothing but the file. */
  formOnly?: boolean;
}

const MULTIPART_OPTIONS = 'parley:multipart-options';

/**
 * Lets a route take its body as a form with one file too, besides JSON. The fields are checked against the same DTO;
 * an empty field says null, which a form cannot say otherwise. The file is found with `@ReceivedFile()`, and is gone
 * when the handler has returned: who keeps it moves or copies it.
 */
export function Multipart(options: MultipartOptions): MethodDecorator {
  return applyDecorators(
    TakesForm(options),
    SetMetadata(MULTIPART_OPTIONS, options),
    UseInterceptors(MultipartInterceptor),
  );
}

/**
 * The same for a handler that reads the form itself, with a `FormReader`: requests without one then pay nothing for it.
 */
export function TakesForm({ file, formOnly = false }: MultipartOptions): MethodDecorator {
  return applyDecorators(
    SetMetadata(ACCEPTS_MULTIPART, (formOnly ? 'alone' : 'too') satisfies FormAcceptance),
    ApiConsumes(...(formOnly ? [] : ['application/json']), 'multipart/form-data'),
    formOnly ? ApiBody({ schema: fileSchema(file) }) : ApiExtension('x-multipart-file', file),
  );
}

function fileSchema(file: string): object {
  return {
    type: 'object',
    required: [file],
    properties: { [file]: { type: 'string', format: 'binary' } },
    additionalProperties: false,
  };
}

/** The path of the file that came with the form, or undefined. */
export const ReceivedFile = createParamDecorator(
  (_data: unknown, context: ExecutionContext): string | undefined => uploadOf(context)?.path,
);

/** The file that came with the form with its name, or undefined. */
export const Upload = createParamDecorator(
  (_data: unknown, context: ExecutionContext): ReceivedUpload | undefined => uploadOf(context),
);

function uploadOf(context: ExecutionContext): ReceivedUpload | undefined {
  const { file } = context.switchToHttp().getRequest<Request>();
  return file && { path: file.path, name: file.originalname };
}

/** Reads a form before the validation pipe sees the body. */
@Injectable()
export class MultipartInterceptor implements NestInterceptor {
  constructor(
    private readonly forms: FormReader,
    private readonly reflector: Reflector,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler<unknown>): Promise<Observable<unknown>> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const options = this.reflector.get<MultipartOptions>(MULTIPART_OPTIONS, context.getHandler());
    if (!request.is('multipart/form-data')) return next.handle();
    return this.forms.read(options, request, http.getResponse<Response>(), async (fields) => {
      if (options.formOnly) refuseFields(fields);
      request.body = fields;
      return of(await lastValueFrom(next.handle()));
    });
  }
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['post']>;

/** Describes the forms of all routes with `@Multipart`: the fields of the JSON body, and the file. */
export function describeForms(document: OpenAPIObject): void {
  for (const path of Object.values(document.paths)) {
    for (const operation of [path.post, path.put, path.patch])
      if (operation) describeForm(document, operation);
  }
}

function describeForm(document: OpenAPIObject, operation: Operation & { 'x-multipart-file'?: string }): void {
  const file = operation['x-multipart-file'];
  if (file === undefined) return;
  delete operation['x-multipart-file'];
  const content =
    operation.requestBody && 'content' in operation.requestBody ? operation.requestBody.content : {};
  const reference = content['application/json']?.schema;
  const name = reference && '$ref' in reference ? reference.$ref.split('/').at(-1) : undefined;
  const body = document.components?.schemas?.[name ?? ''];
  if (!body || !('properties' in body))
    throw new Error(`${operation.operationId ?? file}: a form needs a DTO as its body`);
  content['multipart/form-data'] = {
    schema: { ...body, properties: { ...body.properties, [file]: { type: 'string', format: 'binary' } } },
  };
}
