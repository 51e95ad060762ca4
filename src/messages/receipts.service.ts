import { Injectable } from '@nestjs/common';
import { MembershipUpdated } from '../chats/chats.events.js';
import { ChatsService } from '../chats/chats.service.js';
import { AppError } from '../common/errors.js';
import { isId } from '../common/ids.js';
import { EventBus } from '../infra/events/event-bus.js';
import { MessageChannel } from './message-channel.js';
import type { MarksBody } from './messages.dto.js';
import { MarksAdvanced } from './messages.events.js';
import { MessagesService } from './messages.service.js';
import { ReceiptsRepository } from './receipts.repository.js';
import { ReceiptsWriter } from './receipts-writer.js';

export interface Report {
  userId: string;
  chatId: string;
  /** Up to which seq; undefined for all there is. */
  upToSeq?: number | undefined;
  originSocketId?: string | null;
}

type Kind = 'DELIVERED' | 'READ';

/** Above every seq: the database takes the chat's last one instead. */
const ALL = 2_147_483_647;

/** What people report of the messages they have received and read. */
@Injectable()
export class ReceiptsService {
  constructor(
    private readonly repository: ReceiptsRepository,
    private readonly writer: ReceiptsWriter,
    private readonly messages: MessagesService,
    private readonly chats: ChatsService,
    private readonly channel: MessageChannel,
    private readonly events: EventBus,
  ) {}

  /** @throws AppError CHAT_NOT_FOUND */
  async markDelivered(report: Report): Promise<MarksBody> {
    return this.advance('DELIVERED', report, false);
  }

  /** Reading also delivers. @throws AppError CHAT_NOT_FOUND */
  async markRead(report: Report): Promise<MarksBody> {
    return this.advance('READ', report, false);
  }

  /** Reports a message and all before it. @throws AppError MESSAGE_NOT_FOUND */
  async reportStatus(userId: string, messageId: string, status: Kind): Promise<MarksBody> {
    const { chatId, seq } = await this.messages.requireVisible(userId, messageId);
    return this.advance(status, { userId, chatId, upToSeq: seq }, false);
  }

  /** The app was opened on a device: everything that waits is delivered. Answers the chats in which something was. */
  async deliverPending(userId: string, originSocketId: string | null): Promise<MarksBody[]> {
    const chatIds = await this.repository.listUndelivered(userId);
    const delivered = await Promise.all(
      chatIds.map((chatId) =>
        this.advance('DELIVERED', { userId, chatId, originSocketId }, true).catch((error: unknown) => {
          // They were removed from it a moment ago.
          if (error instanceof AppError && error.code === 'CHAT_NOT_FOUND') return null;
          throw error;
        }),
      ),
    );
    return delivered.filter((marks) => marks !== null);
  }

  private async advance(kind: Kind, report: Report, byAppOpened: boolean): Promise<MarksBody> {
    const { userId, chatId } = report;
    if (!isId(chatId)) throw new AppError('CHAT_NOT_FOUND');
    const upToSeq = report.upToSeq ?? ALL;
    const { row, at, originSocketId, isFirst } = await this.writer.write({
      chatId,
      userId,
      delivered: kind === 'DELIVERED' ? upToSeq : null,
      read: kind === 'READ' ? upToSeq : null,
      originSocketId: report.originSocketId ?? null,
    });
    if (!row.is_member) return this.reportToTeam(kind, { ...report, upToSeq });
    if (isFirst && (row.delivered_moved || row.read_moved)) {
      this.events.publish(
        new MarksAdvanced(
          chatId,
          row.chat_type,
          userId,
          row.delivered_moved ? row.delivered_seq : null,
          row.read_moved ? row.read_seq : null,
          row.read_shown,
          at,
          byAppOpened,
          originSocketId,
        ),
      );
    }
    // A read that moves a mark says so by itself.
    if (isFirst && row.mark_removed && !row.read_moved) {
      this.events.publish(new MembershipUpdated(chatId, userId));
    }
    return { chatId, deliveredSeq: row.delivered_seq, readSeq: row.read_seq };
  }

  /** Agents share one read mark; what is in a conversation has been delivered to them. */
  private async reportToTeam(kind: Kind, report: Report & { upToSeq: number }): Promise<MarksBody> {
    const { userId, chatId, upToSeq, originSocketId = null } = report;
    const { chatType, deliveredSeq, readSeq } = await this.chats.requireMember(userId, chatId);
    if (chatType !== 'WHATSAPP') throw new AppError('CHAT_NOT_FOUND');
    if (kind === 'DELIVERED') return { chatId, deliveredSeq, readSeq };
    return this.channel.markRead({ userId, chatId, upToSeq, originSocketId });
  }
}
