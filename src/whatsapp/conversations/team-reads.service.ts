import { Injectable, type OnModuleInit } from '@nestjs/common';
import { MembershipUpdated } from '../../chats/chats.events.js';
import { AppError } from '../../common/errors.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { MessageChannel, type TeamReport } from '../../messages/message-channel.js';
import type { MarksBody } from '../../messages/messages.dto.js';
import { MessageCreated, TeamRead } from '../../messages/messages.events.js';
import { TeamReadsRepository } from './team-reads.repository.js';

/** The read mark that all agents of a tenant share: one agent's read clears a conversation for the whole team. */
@Injectable()
export class TeamReads implements OnModuleInit {
  constructor(
    private readonly repository: TeamReadsRepository,
    private readonly messageChannel: MessageChannel,
    private readonly events: EventBus,
  ) {}

  onModuleInit(): void {
    this.messageChannel.registerReads((report) => this.markRead(report));
    this.events.on(MessageCreated, async ({ chatType, message: { chatId, senderId } }) => {
      if (chatType === 'WHATSAPP' && senderId !== null) await this.removeNote(chatId, senderId);
    });
  }

  private async markRead({ userId, chatId, upToSeq, originSocketId }: TeamReport): Promise<MarksBody> {
    const row = await this.repository.mark(chatId, userId, upToSeq);
    if (!row) throw new AppError('CHAT_NOT_FOUND');
    if (row.read_moved) {
      this.events.publish(new TeamRead(chatId, row.read_seq, originSocketId, row.agents_seq, row.tenant_id));
    }
    if (row.mark_removed) this.events.publish(new MembershipUpdated(chatId, userId));
    return { chatId, deliveredSeq: row.last_seq, readSeq: row.read_seq };
  }

  /** Whoever writes into a conversation has read it. */
  private async removeNote(chatId: string, senderId: string): Promise<void> {
    if (await this.repository.removeNote(chatId, senderId)) {
      this.events.publish(new MembershipUpdated(chatId, senderId));
    }
  }
}
