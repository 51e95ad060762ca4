import { Injectable } from '@nestjs/common';
import { PrismaService } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import type { ChatBody } from './chats.dto.js';
import { ChatCleared, MembershipUpdated } from './chats.events.js';
import { ChatsService } from './chats.service.js';
import type { ChatSettingsDto } from './settings.dto.js';
import { SettingsRepository, type SettingChanges } from './settings.repository.js';

/** What a member does to a chat for themselves alone. Others do not hear of it. */
@Injectable()
export class SettingsService {
  constructor(
    private readonly repository: SettingsRepository,
    private readonly chats: ChatsService,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
  ) {}

  /** Mutes, pins, archives or marks a chat. @throws AppError CHAT_NOT_FOUND */
  async update(userId: string, chatId: string, dto: ChatSettingsDto): Promise<ChatBody> {
    const changes = toChanges(dto);
    if (Object.keys(changes).length > 0) {
      await this.prisma.inTransaction(async (tx) => {
        const membership = await this.chats.lockAsMember(tx, userId, chatId);
        await this.repository.update(tx, membership, changes);
      });
      this.events.publish(new MembershipUpdated(chatId, userId));
    }
    return this.chats.get(userId, chatId);
  }

  /**
   * Clears the caller's copy: the history up to now is hidden from them, and the chat stays in their list.
   *
   * @throws AppError CHAT_NOT_FOUND
   */
  async clear(userId: string, chatId: string): Promise<void> {
    const upToSeq = await this.prisma.inTransaction(async (tx) => {
      const membership = await this.chats.lockAsMember(tx, userId, chatId);
      await this.repository.clear(tx, membership, membership.lastSeq);
      return membership.lastSeq;
    });
    this.events.publish(new ChatCleared(chatId, userId, upToSeq));
  }
}

function toChanges({ mutedUntil, pinned, archived, markedUnread }: ChatSettingsDto): SettingChanges {
  return {
    ...(mutedUntil !== undefined && { mutedUntil: mutedUntil === null ? null : new Date(mutedUntil) }),
    ...(pinned !== undefined && { pinned }),
    ...(archived !== undefined && { archived }),
    ...(markedUnread !== undefined && { markedUnread }),
  };
}
