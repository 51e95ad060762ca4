import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { newId } from '../common/ids.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import {
  PrismaService,
  isMissingReference,
  type PrismaTransaction,
} from '../infra/database/prisma.service.js';
import { newTempPath } from '../infra/storage/temp-files.js';
import type { ReceivedPicture } from '../users/profile-pictures.js';
import { findKind, limitOf, type FileKind } from './file-kinds.js';
import { cleanFileName } from './file-names.js';
import type { StoredFile } from './loose-files.repository.js';
import { MediaFiles, THUMBNAIL_TYPE, type NewFile } from './media-files.js';
import type { MediaKind } from './media.dto.js';
import { MediaRepository, type NewMedia } from './media.repository.js';
import { cleanPicture, shrinkPicture } from './picture-conversion.js';
import { probe } from './probe.js';
import { VirusScanner } from './virus-scanner.js';

/** An upload that nothing uses is kept so long, in milliseconds. */
const UNUSED_KEPT_MS = 24 * 3_600_000;

/** A file that is ready to be stored. */
interface Prepared {
  kind: MediaKind;
  mimeType: string;
  extension: string;
  localPath: string;
  thumbnailPath: string | null;
  fileName: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
}

/** Takes files in: scans them, finds out what they are, and stores what may be kept. */
@Injectable()
export class MediaIntake {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly media: MediaRepository,
    private readonly files: MediaFiles,
    private readonly scanner: VirusScanner,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
  ) {}

  /** Returns the id of the new medium, which is committed. See `MediaService.upload`. */
  async receiveUpload(ownerId: string | null, localPath: string, fileName: string | null): Promise<string> {
    const stored = await this.withTempFiles(async (newPath) =>
      this.store(await this.prepareUpload(localPath, cleanFileName(fileName), newPath)),
    );
    try {
      await this.prisma.inTransaction((tx) => this.commit(tx, stored, ownerId));
    } catch (error) {
      await this.files.abandon(stored.files);
      // The account went while its file was received, and its session with it.
      if (isMissingReference(error)) throw new AppError('SESSION_REVOKED', { cause: error });
      throw error;
    }
    return stored.row.id;
  }

  /** See `PictureStore.receive`. */
  async receivePicture(localPath: string): Promise<ReceivedPicture> {
    const stored = await this.withTempFiles(async (newPath) =>
      this.store(await this.preparePicture(localPath, newPath)),
    );
    return {
      id: stored.row.id,
      attach: (tx, ownerId) => this.commit(tx, stored, ownerId),
      discard: () => this.files.abandon(stored.files),
    };
  }

  private async prepareUpload(
    localPath: string,
    fileName: string | null,
    newPath: () => Promise<string>,
  ): Promise<Prepared> {
    await this.scanner.assertClean(localPath);
    const found = await findKind(localPath, fileName);
    const prepared =
      found.kind === 'IMAGE'
        ? await this.preparePictureUpload(localPath, found, newPath)
        : { ...found, ...(await this.describe(localPath, found)), localPath, thumbnailPath: null };
    if ((await stat(localPath)).size > limitOf(prepared.kind, this.config))
      throw new AppError('PAYLOAD_TOO_LARGE');
    return { ...prepared, fileName };
  }

  private async preparePictureUpload(
    localPath: string,
    { mimeType, extension }: FileKind,
    newPath: () => Promise<string>,
  ): Promise<Omit<Prepared, 'fileName'>> {
    const [target, thumbnailPath] = [await newPath(), await newPath()];
    const { width, height, isSticker } = await cleanPicture(localPath, mimeType, target, thumbnailPath);
    const kind = isSticker ? 'STICKER' : 'IMAGE';
    return { kind, mimeType, extension, localPath: target, thumbnailPath, width, height, durationMs: null };
  }

  private async preparePicture(localPath: string, newPath: () => Promise<string>): Promise<Prepared> {
    await this.scanner.assertClean(localPath);
    const { mimeType: found } = await findKind(localPath, null);
    const [target, thumbnailPath] = [await newPath(), await newPath()];
    const sides = await shrinkPicture(localPath, found, target, thumbnailPath);
    return {
      ...sides,
      kind: 'IMAGE',
      mimeType: 'image/webp',
      extension: 'webp',
      localPath: target,
      thumbnailPath,
      fileName: null,
      durationMs: null,
    };
  }

  /** A container of films that holds none is a sound. */
  private async describe(
    localPath: string,
    { kind, mimeType }: FileKind,
  ): Promise<Pick<Prepared, 'kind' | 'mimeType' | 'width' | 'height' | 'durationMs'>> {
    if (kind === 'DOCUMENT') return { kind, mimeType, width: null, height: null, durationMs: null };
    const { hasVideo, ...facts } = await probe(localPath, mimeType);
    if (kind === 'VIDEO' && hasVideo === false) {
      const sound = mimeType === 'video/quicktime' ? 'audio/mp4' : mimeType.replace('video/', 'audio/');
      return { ...facts, kind: 'AUDIO', mimeType: sound };
    }
    return { ...facts, kind, mimeType };
  }

  /** Stores the file and its thumbnail, which are nobody's until `commit`. */
  private async store(prepared: Prepared): Promise<StoredUpload> {
    const { localPath, thumbnailPath, extension, ...facts } = prepared;
    const whole: NewFile = { localPath, file: this.files.newFile(prepared.mimeType, extension) };
    const thumbnail: NewFile | null =
      thumbnailPath === null
        ? null
        : {
            localPath: thumbnailPath,
            file: this.files.newFile(THUMBNAIL_TYPE, 'webp'),
          };
    const row: NewMedia = {
      ...facts,
      id: newId(),
      size: (await stat(localPath)).size,
      sha256: await sha256Of(localPath),
      storage: whole.file.storage,
      storageKey: whole.file.key,
      thumbnailKey: thumbnail?.file.key ?? null,
    };
    const files = thumbnail ? [whole, thumbnail] : [whole];
    await this.files.put(files);
    return { row, files: files.map(({ file }) => file) };
  }

  private async commit(
    tx: PrismaTransaction,
    { row, files }: StoredUpload,
    ownerId: string | null,
  ): Promise<void> {
    await this.files.claim(
      tx,
      files.map(({ key }) => key),
    );
    const checkAt = new Date(this.clock.nowMs() + UNUSED_KEPT_MS);
    await this.media.insert(tx, row, ownerId, this.clock.now(), checkAt);
  }

  private async withTempFiles<T>(work: (newPath: () => Promise<string>) => Promise<T>): Promise<T> {
    const paths: string[] = [];
    try {
      return await work(async () => {
        const path = await newTempPath(this.config);
        paths.push(path);
        return path;
      });
    } finally {
      await Promise.all(paths.map((path) => rm(path, { force: true })));
    }
  }
}

interface StoredUpload {
  row: NewMedia;
  files: StoredFile[];
}

async function sha256Of(localPath: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(localPath)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
