import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { isId } from '../common/ids.js';
import type { Media } from '../infra/database/generated/client.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { Principal } from '../infra/http/request-context.js';
import { SignedUrls } from '../infra/storage/signed-urls.js';
import type { ByteRange } from '../infra/storage/storage.js';
import type { AfterCommit } from '../users/account-removal.js';
import type { PictureStore, ReceivedPicture } from '../users/profile-pictures.js';
import { MediaFiles, THUMBNAIL_TYPE } from './media-files.js';
import { MediaIntake } from './media-intake.js';
import { MediaRelease } from './media-release.js';
import type { MediaBody, MediaQuery } from './media.dto.js';
import { MediaRepository, type ServedMedia } from './media.repository.js';

/** Bytes that are ready to be sent. */
export interface OpenedMedia {
  fileName: string | null;
  mimeType: string;
  size: number;
  /** Changes whenever the bytes do. */
  etag: string;
  read(range?: ByteRange): Promise<Readable>;
}

/** A medium whose row was read before it is shown: `view` signs it for any reader without another query. */
export interface FoundMedia {
  id: string;
  kind: Media['kind'];
  /** @param readerId a user's id, or `chatReader(chatId)` */
  view(readerId: string): MediaBody;
}

/** Media for everybody else: taking them in, showing them, letting them go. */
@Injectable()
export class MediaService implements PictureStore {
  constructor(
    private readonly media: MediaRepository,
    private readonly files: MediaFiles,
    private readonly intake: MediaIntake,
    private readonly release: MediaRelease,
    private readonly urls: SignedUrls,
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
    return new Map(rows.map((row) => [row.id, this.view(row, readerId)]));
  }

  /** A medium that the person may attach: their own upload, or one of a message that they see. Null for any other. */
  async findAttachable(userId: string, mediaId: string): Promise<FoundMedia | null> {
    const row = isId(mediaId) ? await this.media.findAttachable(userId, mediaId) : null;
    return row && this.found(row);
  }

  /**
   * Makes a medium of an uploaded file: its kind is that of its bytes, pictures lose their metadata.
   *
   * @param localPath a file of this process, which it may move away
   * @param fileName as the client gave it
   * @throws AppError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, UNPROCESSABLE, MEDIA_INFECTED, NOT_READY
   */
  async upload(ownerId: string, localPath: string, fileName: string | null): Promise<FoundMedia> {
    return this.take(ownerId, localPath, fileName);
  }

  /** Like `upload`, of a file that came through a channel: it is nobody's, and goes if no message takes it. */
  async takeIn(localPath: string, fileName: string | null): Promise<FoundMedia> {
    return this.take(null, localPath, fileName);
  }

  async receive(localPath: string): Promise<ReceivedPicture> {
    return this.intake.receivePicture(localPath);
  }

  /** The reference to it must be gone in `tx` already: what anything else shows stays. */
  async detach(tx: PrismaTransaction, pictureId: string): Promise<() => Promise<void>> {
    return this.release.releaseIn(tx, [pictureId]);
  }

  /**
   * Removes those of the media that nothing uses any more, rows and files: call it after the commit that dropped
   * references. It does not throw: what cannot be removed now, the sweep removes later.
   */
  async releaseUnused(mediaIds: readonly string[]): Promise<void> {
    await this.release.releaseUnused(mediaIds);
  }

  /** In `tx`, lets go of what an account has uploaded and no message shows; the returned function removes it. */
  async releaseAllOf(tx: PrismaTransaction, ownerId: string): Promise<AfterCommit> {
    return this.release.releaseAllOf(tx, ownerId);
  }

  /**
   * Opens a medium for whoever holds a valid signature for it, or may see it.
   *
   * @param caller null when there is no bearer
   * @throws AppError UNAUTHENTICATED without either, MEDIA_NOT_FOUND for what is not there or may not be seen,
   *   NOT_READY when the storage does not answer
   */
  async open(id: string, query: MediaQuery, caller: Principal | null): Promise<OpenedMedia> {
    const isSigned = this.isSigned(id, query);
    if (!isSigned && !caller) {
      throw new AppError('UNAUTHENTICATED', {
        message: 'This address has expired or was changed: ask for a new one, or sign in.',
      });
    }
    const media = isId(id)
      ? await this.media.findServed(id, isSigned ? null : (caller?.userId ?? null))
      : null;
    if (!media || !(isSigned || media.mayBeSeen)) throw new AppError('MEDIA_NOT_FOUND');
    const { thumbnailKey } = media;
    return query.size === 'thumbnail' && thumbnailKey !== null
      ? this.openThumbnail(media, thumbnailKey)
      : this.whole(media);
  }

  private whole({ fileName, mimeType, size, sha256, storage, storageKey: key }: ServedMedia): OpenedMedia {
    return {
      fileName,
      mimeType,
      size,
      etag: `"${sha256}"`,
      read: (range) => this.files.read({ key, storage, mimeType }, range),
    };
  }

  /**
   * Opens a medium for the server's own use: who calls this knows that it may be used so.
   *
   * @throws AppError MEDIA_NOT_FOUND; reading it, NOT_READY when the storage does not answer
   */
  async openStored(id: string): Promise<OpenedMedia> {
    const media = isId(id) ? await this.media.findServed(id, null) : null;
    if (!media) throw new AppError('MEDIA_NOT_FOUND');
    return this.whole(media);
  }

  private async take(
    ownerId: string | null,
    localPath: string,
    fileName: string | null,
  ): Promise<FoundMedia> {
    const id = await this.intake.receiveUpload(ownerId, localPath, fileName);
    const [row] = await this.media.listByIds([id]);
    if (!row) throw new AppError('MEDIA_NOT_FOUND');
    return this.found(row);
  }

  private found(row: Media): FoundMedia {
    return { id: row.id, kind: row.kind, view: (readerId) => this.view(row, readerId) };
  }

  private view(row: Media, readerId: string): MediaBody {
    const { id, kind, mimeType, size, sha256, fileName, width, height, durationMs } = row;
    const url = this.urls.sign(id, readerId);
    const thumbnailUrl = row.thumbnailKey === null ? null : `${url}&size=thumbnail`;
    return { id, kind, mimeType, size, sha256, fileName, width, height, durationMs, url, thumbnailUrl };
  }

  private isSigned(id: string, { reader, expires, signature }: MediaQuery): boolean {
    if (reader === undefined || expires === undefined || signature === undefined) return false;
    return this.urls.isValid(id, reader, expires, signature);
  }

  /** A thumbnail's size is in no row, and it is small: it is read whole. */
  private async openThumbnail(media: ServedMedia, key: string): Promise<OpenedMedia> {
    const chunks: Buffer[] = [];
    const file = { key, storage: media.storage, mimeType: THUMBNAIL_TYPE };
    for await (const chunk of await this.files.read(file)) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    return {
      fileName: null,
      mimeType: THUMBNAIL_TYPE,
      size: bytes.length,
      etag: `"${media.sha256}-thumbnail"`,
      read: (range) =>
        Promise.resolve(Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes])),
    };
  }
}
