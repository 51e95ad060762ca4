import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { ChatUpdated } from '../../chats/chats.events.js';
import { PrismaService } from '../../infra/database/prisma.service.js';
import { EventBus } from '../../infra/events/event-bus.js';
import type { HandOffBody } from './bot.dto.js';
import { HandOffsRepository } from './hand-offs.repository.js';

/** Who asks: somebody of the team, or the tenant itself. */
export type HandOffCaller = { agentId: string } | { tenantId: string };

/** Takes conversations from the bot to people, and back. */
@Injectable()
export class HandOffsService {
  constructor(
    private readonly repository: HandOffsRepository,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
  ) {}

  /**
   * Stops the bot for one customer, or releases it: then it begins without a state. What the customer wrote meanwhile is
   * not answered.
   *
   * @throws AppError CHAT_NOT_FOUND, also for a conversation of somebody else
   */
  async set(caller: HandOffCaller, chatId: string, isPaused: boolean): Promise<HandOffBody> {
    if (!isId(chatId)) throw new AppError('CHAT_NOT_FOUND');
    const { tenantId, agentsSeq, isNew } = await this.prisma.inTransaction(async (tx) => {
      const tenantId = await this.repository.findTenant(tx, chatId);
      const isAllowed =
        tenantId !== null &&
        ('tenantId' in caller
          ? caller.tenantId === tenantId
          : await this.repository.isAgent(tx, tenantId, caller.agentId));
      if (!isAllowed) throw new AppError('CHAT_NOT_FOUND');
      return { tenantId, ...(await this.repository.setPaused(tx, tenantId, chatId, isPaused)) };
    });
    if (isNew) this.events.publish(new ChatUpdated(chatId, agentsSeq, tenantId));
    return { chatId, botPaused: isPaused };
  }
}
