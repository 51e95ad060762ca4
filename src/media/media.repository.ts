import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { Media } from '../infra/database/generated/client.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';

/** Where the bytes of one medium lie. */
export interface StoredFiles {
  storageKey: string;
  thumbnailKey: string | null;
}

/** What serving a medium needs to know. */
export interface ServedMedia extends StoredFiles {
  ownerId: string;
  mimeType: string;
  size: number;
  sha256: string;
  isProfilePicture: boolean;
}

export type NewMedia = Omit<Media, 'ownerId' | 'createdAt'>;

interface ServedRow {
  owner_id: string;
  mime_type: string;
  size: number;
  sha256: string;
  storage_key: string;
  thumbnail_key: string | null;
  is_profile_picture: boolean;
}

@Injectable()
export class MediaRepository {
  constructor(
    private readonly database: Database,
    private readonly prisma: PrismaService,
  ) {}

  async insert(tx: PrismaTransaction, media: NewMedia, ownerId: string, at: Date): Promise<void> {
    await tx.media.create({ data: { ...media, ownerId, createdAt: at } });
  }

  /** Media by id, in no order; ids of nothing are absent. */
  async listByIds(ids: readonly string[]): Promise<Media[]> {
    return this.prisma.media.findMany({ where: { id: { in: [...ids] } } });
  }

  async findServed(id: string): Promise<ServedMedia | null> {
    const [row] = await this.database.query<ServedRow>(
      {
        name: 'find_served_media',
        text: `
          SELECT m.owner_id, m.mime_type, m.size, m.sha256, m.storage_key, m.thumbnail_key,
            u.picture_id IS NOT DISTINCT FROM m.id AS is_profile_picture
          FROM media m JOIN app_user u ON u.id = m.owner_id
          WHERE m.id = $1`,
      },
      [id],
    );
    return row
      ? {
          ownerId: row.owner_id,
          mimeType: row.mime_type,
          size: row.size,
          sha256: row.sha256,
          storageKey: row.storage_key,
          thumbnailKey: row.thumbnail_key,
          isProfilePicture: row.is_profile_picture,
        }
      : null;
  }

  /** Returns the files that are nobody's once `tx` has committed. */
  async delete(tx: PrismaTransaction, id: string): Promise<StoredFiles[]> {
    const files = await tx.media.findMany({
      where: { id },
      select: { storageKey: true, thumbnailKey: true },
    });
    await tx.media.deleteMany({ where: { id } });
    return files;
  }

  /** Returns the files that are nobody's once `tx` has committed. */
  async deleteAllOf(tx: PrismaTransaction, ownerId: string): Promise<StoredFiles[]> {
    const files = await tx.media.findMany({
      where: { ownerId },
      select: { storageKey: true, thumbnailKey: true },
    });
    await tx.media.deleteMany({ where: { ownerId } });
    return files;
  }
}
