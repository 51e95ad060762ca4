import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { Media } from '../infra/database/generated/client.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import type { StorageName } from '../infra/storage/storage.js';

/** What serving a medium needs to know. */
export interface ServedMedia {
  fileName: string | null;
  mimeType: string;
  size: number;
  sha256: string;
  storage: StorageName;
  storageKey: string;
  thumbnailKey: string | null;
  /** Whether the one who asks may see it. */
  mayBeSeen: boolean;
}

export type NewMedia = Omit<Media, 'ownerId' | 'createdAt' | 'checkAt' | 'storage'> & {
  storage: StorageName;
};

/** What a medium leaves behind. */
export interface RemovedMedia {
  id: string;
  storage: StorageName;
  mime_type: string;
  storage_key: string;
  thumbnail_key: string | null;
}

interface ServedRow {
  file_name: string | null;
  mime_type: string;
  size: number;
  sha256: string;
  storage: StorageName;
  storage_key: string;
  thumbnail_key: string | null;
  may_be_seen: boolean;
}

@Injectable()
export class MediaRepository {
  constructor(
    private readonly database: Database,
    private readonly prisma: PrismaService,
  ) {}

  /** @param checkAt when the sweep is to look whether anything uses it */
  async insert(
    tx: PrismaTransaction,
    media: NewMedia,
    ownerId: string | null,
    at: Date,
    checkAt: Date,
  ): Promise<void> {
    await tx.media.create({ data: { ...media, ownerId, createdAt: at, checkAt } });
  }

  /** Media by id, in no order; ids of nothing are absent. */
  async listByIds(ids: readonly string[]): Promise<Media[]> {
    return this.prisma.media.findMany({ where: { id: { in: [...ids] } } });
  }

  /** A medium that the person may attach to a message, or null. */
  async findAttachable(userId: string, id: string): Promise<Media | null> {
    const [found] = await this.database.query<{ attachable: boolean }>(
      { name: 'media.find-attachable', text: 'SELECT may_attach($1, $2) AS attachable' },
      [userId, id],
    );
    return found?.attachable ? this.prisma.media.findUnique({ where: { id } }) : null;
  }

  /**
   * A medium, unless the last that used it has dropped it.
   *
   * @param userId who asks without a signature: they may see their own uploads, what is in a message that they see,
   *   the pictures of groups they are in, and everybody's profile picture. Null is not asked about.
   */
  async findServed(id: string, userId: string | null): Promise<ServedMedia | null> {
    const [row] = await this.database.query<ServedRow>(
      {
        name: 'media.find-served',
        text: `
          SELECT m.file_name, m.mime_type, m.size, m.sha256, m.storage, m.storage_key, m.thumbnail_key,
            CASE WHEN $2::uuid IS NULL THEN false ELSE
              EXISTS (SELECT FROM app_user u WHERE u.id = m.owner_id AND u.picture_id = m.id)
              OR may_attach($2, m.id)
              OR EXISTS (
                SELECT FROM chat c JOIN member b ON b.chat_id = c.id AND b.user_id = $2 AND b.left_at IS NULL
                WHERE c.image_id = m.id)
            END AS may_be_seen
          FROM media m
          WHERE m.id = $1 AND (m.check_at IS DISTINCT FROM 'epoch' OR media_is_used(m.id))`,
      },
      [id, userId],
    );
    return row
      ? {
          fileName: row.file_name,
          mimeType: row.mime_type,
          size: row.size,
          sha256: row.sha256,
          storage: row.storage,
          storageKey: row.storage_key,
          thumbnailKey: row.thumbnail_key,
          mayBeSeen: row.may_be_seen,
        }
      : null;
  }

  /**
   * Removes those of the media that nothing uses, and notes that the others are used. The lock excludes a send that
   * is attaching one; whether they are used is asked by a second statement, which sees what that send has committed.
   */
  async deleteUnused(tx: PrismaTransaction, ids: readonly string[]): Promise<RemovedMedia[]> {
    await tx.$queryRaw`SELECT id FROM media WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR UPDATE`;
    const removed = await tx.$queryRaw<RemovedMedia[]>`
      DELETE FROM media WHERE id = ANY (${ids}::uuid[]) AND NOT media_is_used(id)
      RETURNING id, storage, mime_type, storage_key, thumbnail_key`;
    await tx.$executeRaw`
      UPDATE media SET check_at = NULL WHERE id = ANY (${ids}::uuid[]) AND check_at IS NOT NULL`;
    return removed;
  }

  /** Media that the sweep is to look at, the longest due first. */
  async listDue(at: Date, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      {
        name: 'media.list-due',
        text: 'SELECT id FROM media WHERE check_at <= $1 ORDER BY check_at, id LIMIT $2',
      },
      [at, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Notes that whatever of this owner's no message shows is not to outlive the account; returns the ids. */
  async markDroppedOf(tx: PrismaTransaction, ownerId: string): Promise<string[]> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      UPDATE media m SET check_at = 'epoch'
      WHERE m.owner_id = ${ownerId}::uuid
        AND NOT EXISTS (SELECT FROM message h WHERE h.media_id = m.id AND h.deleted_at IS NULL)
      RETURNING m.id`;
    return rows.map(({ id }) => id);
  }
}
