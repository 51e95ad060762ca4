import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { messageId as idOf } from '../common/ids.js';
import type { MessageBody } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { MessageChannel } from './message-channel.js';
import { MessageChanges, type LockedMessage } from './message-changes.js';
import { MessageReacted } from './messages.events.js';
import { canonicalEmoji } from './reaction-emoji.js';
import { ReactionsRepository } from './reactions.repository.js';
import { RevisionsRepository } from './revisions.repository.js';

interface Reacted {
  message: LockedMessage;
  /** Null when nothing changed, OUT when it is for the message's channel to change it. */
  change: { emoji: string; action: 'added' | 'removed' } | 'OUT' | null;
}

/**
 * Reactions: each person has one a message. Every change is a revision of the message. To what crossed a channel, the
 * channel's other end sees one reaction of the whole team.
 */
@Injectable()
export class ReactionsService {
  constructor(
    private readonly changes: MessageChanges,
    private readonly repository: ReactionsRepository,
    private readonly revisions: RevisionsRepository,
    private readonly channel: MessageChannel,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /**
   * Reacts, or takes the reaction back. Another emoji replaces the first; the same again changes nothing.
   *
   * @param text one emoji, or '' for none
   * @throws AppError MESSAGE_NOT_FOUND, MESSAGE_DELETED, BLOCKED, UNPROCESSABLE for a SYSTEM message, WINDOW_CLOSED
   */
  async react(userId: string, messageId: string, text: string): Promise<MessageBody> {
    const emoji = canonicalEmoji(text);
    const { message, change } = await this.changes.change(userId, messageId, async (tx, locked) => {
      const { row, reactions, membership, blindIds } = locked;
      if (row.type === 'SYSTEM') {
        throw new AppError('UNPROCESSABLE', { message: 'Nobody reacts to what the server says of a group.' });
      }
      if (row.deleted_at) throw new AppError('MESSAGE_DELETED');
      if (row.channel !== null) return { message: locked, change: 'OUT' } satisfies Reacted;
      await this.changes.assertNotBlocked(tx, membership);
      const before = reactions.find((reaction) => reaction.user_id === userId)?.emoji ?? null;
      if (before === emoji) return { message: locked, change: null } satisfies Reacted;
      const rev = await this.revisions.bump(tx, row);
      const others = reactions.filter((reaction) => reaction.user_id !== userId);
      const revised = { membership, row: { ...row, rev }, blindIds };
      if (emoji !== null) {
        await this.repository.put(tx, row, userId, emoji, rev, this.clock.now());
        const own = { chat_id: row.chat_id, seq: row.seq, user_id: userId, emoji };
        return {
          message: { ...revised, reactions: [...others, own] },
          change: { emoji, action: 'added' },
        } satisfies Reacted;
      }
      await this.repository.remove(tx, row, userId);
      return {
        message: { ...revised, reactions: others },
        change: { emoji: before ?? '', action: 'removed' },
      } satisfies Reacted;
    });
    if (change === 'OUT') {
      const { chat_id: chatId, seq } = message.row;
      await this.channel.out.react(userId, { chatId, seq }, emoji);
      return this.changes.bodyNow(message);
    }
    if (change) {
      const { row, membership } = message;
      const id = idOf(row.chat_id, row.seq);
      this.events.publish(
        new MessageReacted(
          row.chat_id,
          id,
          row.rev,
          userId,
          change.emoji,
          change.action,
          membership.membersSeq,
          message.blindIds,
        ),
      );
    }
    return this.changes.bodyOf(message);
  }
}
