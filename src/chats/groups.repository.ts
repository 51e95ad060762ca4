import { Injectable } from '@nestjs/common';
import type { MediaKind } from '../media/media.dto.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';

export interface NewGroup {
  id: string;
  name: string;
  imageId: string | null;
  ownerId: string;
  /** All others. */
  memberIds: readonly string[];
}

/** What a group is called and looks like. */
export interface GroupLook {
  name: string | null;
  imageId: string | null;
}

@Injectable()
export class GroupsRepository {
  async insert(tx: PrismaTransaction, group: NewGroup, at: Date): Promise<void> {
    const { id, name, imageId, ownerId, memberIds } = group;
    await tx.chat.create({
      data: { id, type: 'GROUP', name, imageId, createdById: ownerId, createdAt: at, updatedAt: at },
    });
    await tx.$executeRaw`
      INSERT INTO member (chat_id, user_id, role, joined_at)
      SELECT ${id}::uuid, p.id, CASE WHEN p.id = ${ownerId}::uuid THEN 'OWNER' ELSE 'MEMBER' END::member_role, ${at}
      FROM unnest(${[ownerId, ...memberIds]}::uuid[]) AS p (id)`;
  }

  /** How a group looks; null if there is none. */
  async findLook(tx: PrismaTransaction, chatId: string): Promise<GroupLook | null> {
    return tx.chat.findUnique({ where: { id: chatId }, select: { name: true, imageId: true } });
  }

  async updateLook(tx: PrismaTransaction, chatId: string, look: Partial<GroupLook>): Promise<void> {
    await tx.chat.update({ where: { id: chatId }, data: look });
  }

  /** The kind of a person's own upload, which cannot go until `tx` ends; null if it is not theirs. */
  async lockOwnMedia(tx: PrismaTransaction, ownerId: string, mediaId: string): Promise<MediaKind | null> {
    const rows = await tx.$queryRaw<{ kind: MediaKind }[]>`
      SELECT kind FROM media WHERE id = ${mediaId}::uuid AND owner_id = ${ownerId}::uuid FOR KEY SHARE`;
    return rows[0]?.kind ?? null;
  }
}
