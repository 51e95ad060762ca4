import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';

/** What one member has set for themselves; absent means unchanged. */
export interface SettingChanges {
  mutedUntil?: Date | null;
  pinned?: boolean;
  archived?: boolean;
  markedUnread?: boolean;
}

@Injectable()
export class SettingsRepository {
  async update(
    tx: PrismaTransaction,
    chatId: string,
    userId: string,
    changes: SettingChanges,
  ): Promise<void> {
    await tx.member.update({ where: { chatId_userId: { chatId, userId } }, data: changes });
  }

  /** Hides the history up to `seq` from the member, to whom nothing is unread then. */
  async clear(tx: PrismaTransaction, chatId: string, userId: string, seq: number): Promise<void> {
    await tx.member.update({
      where: { chatId_userId: { chatId, userId } },
      data: { clearedSeq: seq, markedUnread: false },
    });
  }
}
