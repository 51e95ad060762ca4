import { createHash, randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { isId, newId } from '../common/ids.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { Principal } from '../infra/http/request-context.js';
import { Log } from '../infra/observability/log.js';
import { SignedUrls } from '../infra/storage/signed-urls.js';
import { STORAGE, type ByteRange, type Storage } from '../infra/storage/storage.js';
import { newTempPath } from '../infra/storage/temp-files.js';
import type { AfterCommit } from '../users/account-removal.js';
import type { PictureStore, ReceivedPicture } from '../users/profile-pictures.js';
import type { MediaBody, MediaQuery } from './media.dto.js';
import { MediaRepository, type NewMedia, type ServedMedia, type StoredFiles } from './media.repository.js';
import { convertPicture } from './picture-conversion.js';

/** Bytes that are ready to be sent. */
export interface OpenedMedia {
  mimeType: string;
  size: number;
  /** Changes whenever the bytes do. */
  etag: string;
  read(range?: ByteRange): Promise<Readable>;
}

@Injectable()
export class MediaService implements PictureStore {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(STORAGE) private readonly storage: Storage,
    private readonly media: MediaRepository,
    private readonly urls: SignedUrls,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * Media by id as `readerId` sees them, with addresses signed for that reader; ids of nothing are absent. Whether they
   * may see them, the caller knows: it has found the ids in what they may see.
   *
   * @param readerId a user's id, or `chatReader(chatId)` for a packet that serves all members alike
   */
  async viewFor(readerId: string, ids: readonly string[]): Promise<Map<string, MediaBody>> {
    if (ids.length === 0) return new Map();
    const rows = await this.media.listByIds([...new Set(ids)]);
    return new Map(
      rows.map((row) => {
        const { id, kind, mimeType, size, sha256, fileName, width, height, durationMs } = row;
        const url = this.urls.sign(id, readerId);
        const thumbnailUrl = row.thumbnailKey === null ? null : `${url}&size=thumbnail`;
        return [
          id,
          { id, kind, mimeType, size, sha256, fileName, width, height, durationMs, url, thumbnailUrl },
        ];
      }),
    );
  }

  async receive(localPath: string): Promise<ReceivedPicture> {
    const { mimeType, extension, picture, width, height, thumbnail } = await convertPicture(localPath);
    const row: NewMedia & { thumbnailKey: string } = {
      id: newId(),
      kind: 'IMAGE',
      mimeType,
      size: picture.length,
      sha256: createHash('sha256').update(picture).digest('hex'),
      fileName: null,
      width,
      height,
      durationMs: null,
      storageKey: newKey(extension),
      thumbnailKey: newKey(extension),
    };
    try {
      await this.put(row.storageKey, picture, mimeType);
      await this.put(row.thumbnailKey, thumbnail, mimeType);
    } catch (error) {
      await this.removeFiles([row]);
      throw error;
    }
    return {
      id: row.id,
      attach: (tx, ownerId) => this.media.insert(tx, row, ownerId, this.clock.now()),
      discard: () => this.removeFiles([row]),
    };
  }

  async detach(tx: PrismaTransaction, pictureId: string): Promise<() => Promise<void>> {
    const files = await this.media.delete(tx, pictureId);
    return () => this.removeFiles(files);
  }

  /** Removes every medium of an account in `tx`; the returned function removes the files, after the commit. */
  async removeAllOf(tx: PrismaTransaction, ownerId: string): Promise<AfterCommit> {
    const files = await this.media.deleteAllOf(tx, ownerId);
    return () => this.removeFiles(files);
  }

  /**
   * Opens a medium for whoever holds a valid signature for it, or may see it.
   *
   * @param caller null when there is no bearer
   * @throws AppError UNAUTHENTICATED without either, MEDIA_NOT_FOUND for what is not there or may not be seen
   */
  async open(id: string, query: MediaQuery, caller: Principal | null): Promise<OpenedMedia> {
    const isSigned = this.isSigned(id, query);
    if (!isSigned && !caller) {
      throw new AppError('UNAUTHENTICATED', {
        message: 'This address has expired or was changed: ask for a new one, or sign in.',
      });
    }
    const media = isId(id) ? await this.media.findServed(id) : null;
    if (!media || !(isSigned || (caller && mayBeSeenBy(caller.userId, media))))
      throw new AppError('MEDIA_NOT_FOUND');
    return query.size === 'thumbnail' && media.thumbnailKey !== null
      ? this.openThumbnail(media, media.thumbnailKey)
      : {
          mimeType: media.mimeType,
          size: media.size,
          etag: `"${media.sha256}"`,
          read: (range) => this.read(media.storageKey, range),
        };
  }

  private isSigned(id: string, { reader, expires, signature }: MediaQuery): boolean {
    if (reader === undefined || expires === undefined || signature === undefined) return false;
    return this.urls.isValid(id, reader, expires, signature);
  }

  /** A thumbnail's size is in no row, and it is small: it is read whole. */
  private async openThumbnail(media: ServedMedia, key: string): Promise<OpenedMedia> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.read(key)) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    return {
      mimeType: media.mimeType,
      size: bytes.length,
      etag: `"${media.sha256}-thumbnail"`,
      read: (range) =>
        Promise.resolve(Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes])),
    };
  }

  /** A file that went between its row and now was replaced or removed by its owner. */
  private async read(key: string, range?: ByteRange): Promise<Readable> {
    try {
      return await this.storage.read(key, range);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new AppError('MEDIA_NOT_FOUND', { cause: error });
      throw error;
    }
  }

  private async put(key: string, bytes: Buffer, mimeType: string): Promise<void> {
    const file = await newTempPath(this.config);
    try {
      await writeFile(file, bytes, { mode: 0o600 });
      await this.storage.put(key, file, mimeType);
    } finally {
      await rm(file, { force: true });
    }
  }

  /** What asked for it is done already, so a file that stays is logged and harms nobody. */
  private async removeFiles(files: readonly StoredFiles[]): Promise<void> {
    for (const key of files.flatMap(({ storageKey, thumbnailKey }) => [storageKey, thumbnailKey])) {
      if (key === null) continue;
      await this.storage.remove(key).catch((error: unknown) => {
        this.log.error({ err: error, key }, 'a file could not be removed');
      });
    }
  }
}

function mayBeSeenBy(userId: string, media: ServedMedia): boolean {
  return media.isProfilePicture || media.ownerId === userId;
}

function newKey(extension: string): string {
  return `${randomBytes(20).toString('hex')}.${extension}`;
}
