import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../../infra/database/prisma.service.js';

@Injectable()
export class HandOffsRepository {
  /** The tenant of a conversation; null when there is none. */
  async findTenant(tx: PrismaTransaction, chatId: string): Promise<string | null> {
    const conversation = await tx.conversation.findUnique({ where: { chatId }, select: { tenantId: true } });
    return conversation?.tenantId ?? null;
  }

  async isAgent(tx: PrismaTransaction, tenantId: string, userId: string): Promise<boolean> {
    return (await tx.tenantAgent.count({ where: { tenantId, userId, leftAt: null } })) > 0;
  }

  /**
   * Stops the bot in a conversation, or lets it go on from the beginning. Takes the tenant's lock, shared.
   *
   * @returns the tenant's `agents_seq`, and whether it is another than before
   */
  async setPaused(
    tx: PrismaTransaction,
    tenantId: string,
    chatId: string,
    isPaused: boolean,
  ): Promise<{ agentsSeq: number; isNew: boolean }> {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(lock_tenant_key(${tenantId}::uuid))`;
    const { count } = await tx.conversation.updateMany({
      where: { chatId, botPaused: !isPaused },
      data: { botPaused: isPaused, botState: null },
    });
    const { agentsSeq } = await tx.tenant.findUniqueOrThrow({
      where: { id: tenantId },
      select: { agentsSeq: true },
    });
    return { agentsSeq, isNew: count > 0 };
  }
}
