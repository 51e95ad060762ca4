import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { MessageRow } from './messages.repository.js';

/** Reactions, one a person and message. `tx` holds the lock of the message's chat. */
@Injectable()
export class ReactionsRepository {
  /**
   * Sets a person's reaction, in place of the one they had.
   *
   * @param rev the revision of the message that brings it
   */
  async put(
    tx: PrismaTransaction,
    { chat_id: chatId, seq }: MessageRow,
    userId: string,
    emoji: string,
    rev: number,
    at: Date,
  ): Promise<void> {
    const given = { emoji, rev, reactedAt: at };
    await tx.reaction.upsert({
      where: { chatId_seq_userId: { chatId, seq, userId } },
      create: { chatId, seq, userId, ...given },
      update: given,
    });
  }

  async remove(tx: PrismaTransaction, { chat_id: chatId, seq }: MessageRow, userId: string): Promise<void> {
    await tx.reaction.deleteMany({ where: { chatId, seq, userId } });
  }
}
