import { rm } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import multer from 'multer';
import { AppError, validationError } from '../../common/errors.js';
import { CONFIG, type Config } from '../config/config.js';
import { TempFileStorage } from './temp-file-storage.js';

/** How large a file may be, in bytes. */
export interface UploadLimits {
  max(config: Config): number;
  /** By what the file begins with: its first 64 KiB, or all of it if it is shorter. */
  byHead?(head: Buffer, config: Config): Promise<number>;
}

export interface FormOptions {
  /** The one field that holds a file. */
  file: string;
  /** Fields that hold JSON, as a form has no objects. */
  json?: readonly string[];
  /** Fields that hold a list of texts: as JSON, or the field once an item. */
  lists?: readonly string[];
  /** Default: those of a picture. */
  limits?: UploadLimits;
}

/** A file that came with a form. */
export interface ReceivedUpload {
  path: string;
  /** As the client gave it: it may hold anything. */
  name: string;
}

const PICTURE_LIMITS: UploadLimits = { max: (config) => config.maxImageBytes };
const MAX_FIELDS = 30;
const MAX_FIELD_NAME_BYTES = 100;
const MAX_FIELD_BYTES = 64 * 1024;
/** What a form may hold besides its file, in bytes. */
export const MAX_FORM_BYTES = 1024 * 1024;
/** How long a refused body is still read, in milliseconds, so that its sender gets to read the answer. */
const LINGER_MS = 5_000;

/** Whether the body is a form; cheaper than `request.is`, for the routes that are called most. */
export function isForm(request: Request): boolean {
  return request.headers['content-type']?.startsWith('multipart/') ?? false;
}

/** Reads forms with one file, which goes to the folder for temporary files while it arrives. */
@Injectable()
export class FormReader {
  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /**
   * Runs `work` with the fields of the form, an empty one as null, and its file. The file is gone afterwards: who keeps
   * it moves or copies it.
   *
   * @throws AppError PAYLOAD_TOO_LARGE, VALIDATION_FAILED
   */
  async read<T>(
    options: FormOptions,
    request: Request,
    response: Response,
    work: (fields: Record<string, unknown>, file: ReceivedUpload | undefined) => Promise<T>,
  ): Promise<T> {
    await this.receive(options, request, response);
    const { file } = request;
    try {
      const fields = readFields(request.body as Record<string, unknown>, options);
      return await work(fields, file && { path: file.path, name: file.originalname });
    } finally {
      if (file) await rm(file.path, { force: true });
    }
  }

  /** Refuses as soon as it is known that the body is too large: multer would read it to its end first. */
  private async receive(options: FormOptions, request: Request, response: Response): Promise<void> {
    const limits = options.limits ?? PICTURE_LIMITS;
    const max = limits.max(this.config);
    const length = Number(request.headers['content-length'] ?? 0);
    if (length > max + MAX_FORM_BYTES) {
      response.setHeader('Connection', 'close');
      throw new AppError('PAYLOAD_TOO_LARGE');
    }
    await new Promise<void>((resolve, reject) => {
      const storage = new TempFileStorage(this.config, limits, () => {
        lingerOn(request);
        reject(new AppError('PAYLOAD_TOO_LARGE'));
      });
      const form = multer({
        storage,
        // Names are UTF-8 in every browser of today.
        defParamCharset: 'utf8',
        limits: {
          fileSize: max,
          files: 1,
          fields: MAX_FIELDS,
          fieldSize: MAX_FIELD_BYTES,
          fieldNameSize: MAX_FIELD_NAME_BYTES,
          fieldNestingDepth: 0,
        },
      });
      void form.single(options.file)(request, response, (error: unknown) => {
        if (error instanceof Error) reject(toFormError(error, options.file));
        else resolve();
      });
    });
  }
}

/** A body without an end keeps its connection only a moment longer than its refusal. */
function lingerOn(request: Request): void {
  const timer = setTimeout(() => {
    if (!request.readableEnded) request.destroy();
  }, LINGER_MS);
  timer.unref();
  request.once('close', () => {
    clearTimeout(timer);
  });
}

function readFields(
  fields: Record<string, unknown>,
  { json = [], lists = [] }: FormOptions,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (value === '') return [name, null];
      if (typeof value !== 'string') return [name, value];
      if (lists.includes(name) && !value.startsWith('[')) return [name, [value]];
      return [name, json.includes(name) || lists.includes(name) ? parseJson(name, value) : value];
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
  if (error instanceof AppError) return error;
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
