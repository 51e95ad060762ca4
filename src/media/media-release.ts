import { Injectable } from '@nestjs/common';
import { isId } from '../common/ids.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { Log } from '../infra/observability/log.js';
import type { AfterCommit } from '../users/account-removal.js';
import type { StoredFile } from './loose-files.repository.js';
import { MediaFiles } from './media-files.js';
import { MediaRepository } from './media.repository.js';

/** Media looked at in one transaction. */
const BATCH = 100;

/** Removes media that nothing refers to any more: messages that are not deleted, profiles, groups. */
@Injectable()
export class MediaRelease {
  constructor(
    private readonly media: MediaRepository,
    private readonly files: MediaFiles,
    private readonly prisma: PrismaService,
    private readonly log: Log,
  ) {}

  /**
   * Removes those of the media that nothing uses, rows and files. For after a commit that dropped references; a medium
   * that something still uses stays. What cannot be removed now is left to the sweep, so this does not throw.
   */
  async releaseUnused(mediaIds: readonly string[]): Promise<void> {
    const ids = [...new Set(mediaIds)].filter(isId);
    try {
      for (let start = 0; start < ids.length; start += BATCH) {
        await this.removeUnused(ids.slice(start, start + BATCH));
      }
    } catch (error) {
      this.log.error({ err: error }, 'unused media could not be removed');
    }
  }

  /** Like `releaseUnused` in the caller's transaction; the returned function removes the files, after the commit. */
  async releaseIn(tx: PrismaTransaction, mediaIds: readonly string[]): Promise<() => Promise<void>> {
    const files = await this.removeRows(tx, mediaIds);
    return () => this.files.discard(files);
  }

  /**
   * What an account has sent stays in its messages; everything else of it goes. The sweep may have to finish it.
   */
  async releaseAllOf(tx: PrismaTransaction, ownerId: string): Promise<AfterCommit> {
    const dropped = await this.media.markDroppedOf(tx, ownerId);
    return () => this.releaseUnused(dropped);
  }

  private async removeUnused(ids: readonly string[]): Promise<void> {
    const files = await this.prisma.inTransaction((tx) => this.removeRows(tx, ids));
    await this.files.discard(files);
  }

  private async removeRows(tx: PrismaTransaction, ids: readonly string[]): Promise<StoredFile[]> {
    return this.files.release(tx, await this.media.deleteUnused(tx, ids));
  }
}
