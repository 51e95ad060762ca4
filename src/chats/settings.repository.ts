import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import { AgentsRepository } from './agents.repository.js';
import type { Membership } from './chats.service.js';

/** What one member has set for themselves; absent means unchanged. */
export interface SettingChanges {
  mutedUntil?: Date | null;
  pinned?: boolean;
  archived?: boolean;
  markedUnread?: boolean;
}

@Injectable()
export class SettingsRepository {
  constructor(private readonly agents: AgentsRepository) {}

  async update(
    tx: PrismaTransaction,
    { chatId, userId, chatType }: Membership,
    changes: SettingChanges,
  ): Promise<void> {
    if (chatType === 'WHATSAPP') return this.agents.updateSettings(tx, chatId, userId, changes);
    await tx.member.update({ where: { chatId_userId: { chatId, userId } }, data: changes });
  }

  /** Hides the history up to `seq` from the member, to whom nothing is unread then. */
  async clear(tx: PrismaTransaction, place: Membership, seq: number): Promise<void> {
    const { chatId, userId, chatType } = place;
    const data = { clearedSeq: seq, markedUnread: false };
    if (chatType === 'WHATSAPP') return this.agents.updateSettings(tx, chatId, userId, data);
    await tx.member.update({ where: { chatId_userId: { chatId, userId } }, data });
  }
}
