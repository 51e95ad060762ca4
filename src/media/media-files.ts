import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import { Log } from '../infra/observability/log.js';
import { FileMissing, FileRefused, type ByteRange, type StorageName } from '../infra/storage/storage.js';
import { Storages } from '../infra/storage/storages.js';
import { LooseFilesRepository, type StoredFile } from './loose-files.repository.js';
import type { RemovedMedia } from './media.repository.js';

export const THUMBNAIL_TYPE = 'image/webp';

/** Storing a file and committing its medium take less than this, in milliseconds, or the file is given up. */
const STORED_WITHIN_MS = 3_600_000;
const TRY_AGAIN_AFTER_MS = 15 * 60_000;
const BATCH = 50;
const RETRY_AFTER_MS = 5_000;

/** A file of this process that is to be stored, and the file it becomes. */
export interface NewFile {
  localPath: string;
  file: StoredFile;
}

/**
 * The files of media.
 *
 * Invariant: every file in a storage has a row, in `media` or in `loose_file`, from before it is written until after it
 * is removed. So whatever a crash leaves behind, the sweep finds it.
 */
@Injectable()
export class MediaFiles {
  constructor(
    private readonly storages: Storages,
    private readonly loose: LooseFilesRepository,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Where new files go. */
  get storage(): StorageName {
    return this.storages.current;
  }

  /** @param extension without the dot */
  newFile(mimeType: string, extension: string): StoredFile {
    return { key: `${randomBytes(20).toString('hex')}.${extension}`, storage: this.storage, mimeType };
  }

  /**
   * Stores files that are nobody's until `claim` commits. If one cannot be stored, none stays.
   *
   * @throws AppError NOT_READY when the storage cannot take them now, UNPROCESSABLE when it never will
   */
  async put(files: readonly NewFile[]): Promise<void> {
    const stored = files.map(({ file }) => file);
    await this.loose.insert(stored, new Date(this.clock.nowMs() + STORED_WITHIN_MS));
    try {
      for (const { localPath, file } of files) await this.storages.of(file.storage).put(file, localPath);
    } catch (error) {
      // Their rows stay: what the storage did after it stopped answering, nobody knows yet.
      await Promise.all(stored.map((file) => this.remove(file)));
      if (error instanceof FileRefused) {
        throw new AppError('UNPROCESSABLE', { message: 'The file cannot be read.', cause: error });
      }
      throw this.unavailable(error);
    }
  }

  /** @throws AppError NOT_READY when the sweep has given the files up meanwhile */
  async claim(tx: PrismaTransaction, keys: readonly string[]): Promise<void> {
    if ((await this.loose.takeIn(tx, keys)) !== keys.length) throw new AppError('NOT_READY');
  }

  /** Leaves the files of removed media to `discard`, and to the sweep if that never comes. In the caller's transaction. */
  async release(tx: PrismaTransaction, removed: readonly RemovedMedia[]): Promise<StoredFile[]> {
    const files = removed.flatMap(filesOf);
    if (files.length > 0) await this.loose.insertIn(tx, files, this.clock.now());
    return files;
  }

  /** Removes loose files; what asked for it is done already, so one that stays is left to the sweep. */
  async discard(files: readonly StoredFile[]): Promise<void> {
    if (files.length === 0) return;
    const gone = await Promise.all(files.map((file) => this.remove(file)));
    const keys = files.filter((_file, index) => gone[index]).map(({ key }) => key);
    await this.loose.delete(keys).catch((error: unknown) => {
      this.log.error({ err: error }, 'the rows of removed files could not be deleted');
    });
  }

  /**
   * Removes files after a transaction that called `claim` has failed. It may have been committed all the same, its
   * answer lost: what a medium holds stays, and what cannot be looked at now is left to the sweep.
   */
  async abandon(files: readonly StoredFile[]): Promise<void> {
    const againAt = new Date(this.clock.nowMs() + TRY_AGAIN_AFTER_MS);
    try {
      await this.discard(
        await this.loose.claim(
          files.map(({ key }) => key),
          againAt,
        ),
      );
    } catch (error) {
      this.log.error({ err: error }, 'files that nobody holds could not be removed');
    }
  }

  /** Removes a batch of loose files that are due; false when there was nothing to do. */
  async sweep(): Promise<boolean> {
    const againAt = new Date(this.clock.nowMs() + TRY_AGAIN_AFTER_MS);
    const files = await this.loose.claimDue(this.clock.now(), againAt, BATCH);
    await this.discard(files);
    return files.length > 0;
  }

  /** @throws AppError MEDIA_NOT_FOUND when the file is gone, NOT_READY when the storage does not answer */
  async read(file: StoredFile, range?: ByteRange): Promise<Readable> {
    try {
      return await this.storages.of(file.storage).read(file, range);
    } catch (error) {
      // A file that went between its row and now was replaced or removed by its owner.
      if (error instanceof FileMissing) throw new AppError('MEDIA_NOT_FOUND', { cause: error });
      throw this.unavailable(error);
    }
  }

  private async remove(file: StoredFile): Promise<boolean> {
    try {
      await this.storages.of(file.storage).remove(file);
      return true;
    } catch (error) {
      this.log.error({ err: error, key: file.key }, 'a file could not be removed');
      return false;
    }
  }

  private unavailable(cause: unknown): AppError {
    return new AppError('NOT_READY', {
      message: 'Files cannot be stored or read just now: try again in a moment.',
      retryAfterMs: RETRY_AFTER_MS,
      cause,
    });
  }
}

function filesOf({ storage, mime_type, storage_key, thumbnail_key }: RemovedMedia): StoredFile[] {
  const whole = { key: storage_key, storage, mimeType: mime_type };
  return thumbnail_key === null
    ? [whole]
    : [whole, { key: thumbnail_key, storage, mimeType: THUMBNAIL_TYPE }];
}
