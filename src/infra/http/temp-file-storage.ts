import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request } from 'express';
import type { StorageEngine } from 'multer';
import { AppError } from '../../common/errors.js';
import type { Config } from '../config/config.js';
import { newTempPath } from '../storage/temp-files.js';
import type { UploadLimits } from './form-reader.js';

/** What the limit of a file is decided by, in bytes. */
const HEAD_BYTES = 64 * 1024;

/** Writes a file of a form to the folder for temporary files, and stops as soon as it is too large for what it is. */
export class TempFileStorage implements StorageEngine {
  constructor(
    private readonly config: Config,
    private readonly limits: UploadLimits,
    /** Called once the file is known to be too large, before the rest of the body has come. */
    private readonly onTooLarge: () => void,
  ) {}

  _handleFile(
    _request: Request,
    file: Express.Multer.File,
    done: (error?: unknown, info?: Partial<Express.Multer.File>) => void,
  ): void {
    this.write(file.stream).then(
      (info) => {
        done(null, info);
      },
      (error: unknown) => {
        done(error);
      },
    );
  }

  _removeFile(_request: Request, file: Express.Multer.File, done: (error: Error | null) => void): void {
    rm(file.path, { force: true }).then(() => {
      done(null);
    }, done);
  }

  private async write(source: Readable): Promise<{ path: string; size: number }> {
    const path = await newTempPath(this.config);
    let size = 0;
    try {
      await pipeline(
        source,
        (chunks: AsyncIterable<Buffer>) => this.limited(chunks, (bytes) => (size += bytes)),
        createWriteStream(path, { mode: 0o600 }),
      );
      return { path, size };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  private async *limited(
    chunks: AsyncIterable<Buffer>,
    count: (bytes: number) => number,
  ): AsyncGenerator<Buffer> {
    let limit = this.limits.max(this.config);
    let head: Buffer | null = this.limits.byHead ? Buffer.alloc(0) : null;
    const refuseAbove = (size: number): void => {
      if (size <= limit) return;
      this.onTooLarge();
      throw new AppError('PAYLOAD_TOO_LARGE');
    };
    for await (const chunk of chunks) {
      refuseAbove(count(chunk.length));
      if (!head) {
        yield chunk;
        continue;
      }
      head = Buffer.concat([head, chunk]);
      if (head.length < HEAD_BYTES) continue;
      limit = await this.limitByHead(head, limit);
      refuseAbove(count(0));
      yield head;
      head = null;
    }
    if (!head) return;
    limit = await this.limitByHead(head, limit);
    refuseAbove(count(0));
    yield head;
  }

  private async limitByHead(head: Buffer, limit: number): Promise<number> {
    return (await this.limits.byHead?.(head, this.config)) ?? limit;
  }
}
