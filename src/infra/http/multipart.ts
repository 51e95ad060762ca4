import { mkdir, rm } from 'node:fs/promises';
import {
  Inject,
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
import { ApiConsumes, ApiExtension, type OpenAPIObject } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import multer from 'multer';
import { lastValueFrom, of, type Observable } from 'rxjs';
import { AppError, validationError } from '../../common/errors.js';
import { CONFIG, type Config } from '../config/config.js';
import { tempFolder } from '../storage/temp-files.js';
import { ACCEPTS_MULTIPART } from './decorators.js';

interface MultipartOptions {
  /** The one field that holds a file. */
  file: string;
  /** Fields that hold JSON, as a form has no objects. */
  json?: readonly string[];
}

const MULTIPART_OPTIONS = 'parley:multipart-options';
const MAX_FIELDS = 30;
const MAX_FIELD_NAME_BYTES = 100;
const MAX_FIELD_BYTES = 64 * 1024;

/**
 * Lets a route take its body as a form with one file too, besides JSON. The fields are checked against the same DTO;
 * an empty field says null, which a form cannot say otherwise. The file is found with `@ReceivedFile()`, and is gone
 * when the handler has returned: who keeps it moves or copies it.
 */
export function Multipart(options: MultipartOptions): MethodDecorator {
  return applyDecorators(
    SetMetadata(ACCEPTS_MULTIPART, true),
    SetMetadata(MULTIPART_OPTIONS, options),
    UseInterceptors(MultipartInterceptor),
    ApiConsumes('application/json', 'multipart/form-data'),
    ApiExtension('x-multipart-file', options.file),
  );
}

/** The path of the file that came with the form, or undefined. */
export const ReceivedFile = createParamDecorator(
  (_data: unknown, context: ExecutionContext): string | undefined =>
    context.switchToHttp().getRequest<Request>().file?.path,
);

/** Reads a form before the validation pipe sees the body. */
@Injectable()
export class MultipartInterceptor implements NestInterceptor {
  private readonly uploads: multer.Multer;
  private readonly folder: string;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly reflector: Reflector,
  ) {
    this.folder = tempFolder(config);
    this.uploads = multer({
      storage: multer.diskStorage({
        destination: (_request, _file, done) => {
          mkdir(this.folder, { recursive: true, mode: 0o700 }).then(
            () => done(null, this.folder),
            (error: unknown) => done(error as Error, this.folder),
          );
        },
      }),
      limits: {
        fileSize: config.maxImageBytes,
        files: 1,
        fields: MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        fieldNameSize: MAX_FIELD_NAME_BYTES,
        fieldNestingDepth: 0,
      },
    });
  }

  async intercept(context: ExecutionContext, next: CallHandler<unknown>): Promise<Observable<unknown>> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    if (!request.is('multipart/form-data')) return next.handle();
    const options = this.reflector.get<MultipartOptions>(MULTIPART_OPTIONS, context.getHandler());
    await this.receive(options.file, request, http.getResponse<Response>());
    try {
      request.body = readFields(request.body as Record<string, unknown>, options.json ?? []);
      return of(await lastValueFrom(next.handle()));
    } finally {
      if (request.file) await rm(request.file.path, { force: true });
    }
  }

  private async receive(field: string, request: Request, response: Response): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      void this.uploads.single(field)(request, response, (error: unknown) => {
        if (error instanceof Error) reject(toFormError(error, field));
        else resolve();
      });
    });
  }
}

function readFields(fields: Record<string, unknown>, json: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (value === '') return [name, null];
      return [name, json.includes(name) && typeof value === 'string' ? parseJson(name, value) : value];
    }),
  );
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw validationError([{ field: name, message: 'must be JSON' }]);
  }
}

function toFormError(error: Error, fileField: string): Error {
  if (error instanceof multer.MulterError) {
    if (error.code === 'LIMIT_FILE_SIZE') return new AppError('PAYLOAD_TOO_LARGE');
    const field = error.field ?? fileField;
    if (error.code === 'LIMIT_UNEXPECTED_FILE') {
      return validationError([{ field, message: 'is not a file field of this request' }]);
    }
    return validationError([{ field, message: error.message }]);
  }
  // What the file system refuses is our affair; everything else is a form that is not one.
  return 'syscall' in error
    ? error
    : new AppError('VALIDATION_FAILED', { message: 'The form is not well-formed.', cause: error });
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
