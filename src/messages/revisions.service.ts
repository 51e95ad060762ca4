import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { messageId as idOf } from '../common/ids.js';
import type { Membership } from '../chats/chats.service.js';
import type { MessageBody, MessageType } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { MediaService } from '../media/media.service.js';
import { MessageChanges, type LockedMessage } from './message-changes.js';
import { MessageDeleted, MessageEdited } from './messages.events.js';
import type { MessageRow } from './messages.repository.js';
import { RevisionsRepository } from './revisions.repository.js';
import { searchTermsOf } from './search-terms.js';

const EDIT_WINDOW_MS = 15 * 60_000;
const DELETE_WINDOW_MS = 48 * 3_600_000;
/** What has a text of its sender's own: a text, or the caption of what is shown with one. */
const EDITABLE: readonly MessageType[] = ['TEXT', 'IMAGE', 'VIDEO', 'AUDIO', 'DOCUMENT'];

/** What a sender can still do to a message that everyone has. */
@Injectable()
export class RevisionsService {
  constructor(
    private readonly changes: MessageChanges,
    private readonly repository: RevisionsRepository,
    private readonly media: MediaService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /**
   * Changes the caller's own text, or the caption of their own medium. To the same text, nothing changes.
   *
   * @param text 1 to 4,096 code points
   * @throws AppError MESSAGE_NOT_FOUND, NOT_YOUR_MESSAGE, NOT_IN_WHATSAPP, MESSAGE_DELETED, EDIT_WINDOW, BLOCKED,
   *   UNPROCESSABLE for what has no text
   */
  async edit(userId: string, messageId: string, text: string): Promise<MessageBody> {
    const frame = await this.changes.frameOf(userId, messageId);
    const { edited, isNew } = await this.changes.change(userId, messageId, async (tx, message) => {
      const { row, membership } = message;
      if (row.sender_id !== userId) throw new AppError('NOT_YOUR_MESSAGE');
      assertBetweenPeople(row);
      if (row.deleted_at) throw new AppError('MESSAGE_DELETED');
      if (!EDITABLE.includes(row.type)) {
        throw new AppError('UNPROCESSABLE', { message: 'This message has no text to edit.' });
      }
      await this.changes.assertNotBlocked(tx, membership);
      if (this.ageOf(row) > EDIT_WINDOW_MS) throw new AppError('EDIT_WINDOW');
      if (row.text === text) return { edited: message, isNew: false };
      const at = this.clock.now();
      const rev = await this.repository.edit(tx, row, text, searchTermsOf(text), at);
      const edited: LockedMessage = { ...message, row: { ...row, text, rev, edited_at: at } };
      return { edited, isNew: true };
    });
    if (isNew) {
      const event = this.changes.eventBodyOf(edited, frame);
      this.events.publish(new MessageEdited(event, edited.membership.membersSeq, edited.blindIds));
    }
    return this.changes.bodyOf(edited);
  }

  /**
   * Empties a message for everyone: its sender within 48 hours, the owner and the admins of a group at any time. It
   * keeps its place; once more changes nothing. SYSTEM messages stay.
   *
   * @throws AppError MESSAGE_NOT_FOUND, NOT_YOUR_MESSAGE, NOT_IN_WHATSAPP, DELETE_WINDOW, UNPROCESSABLE for a SYSTEM
   *   message
   */
  async deleteForEveryone(userId: string, messageId: string): Promise<void> {
    const { row, membership, rev, blindIds } = await this.changes.change(
      userId,
      messageId,
      async (tx, message) => {
        const { row, membership, blindIds } = message;
        if (row.type === 'SYSTEM') {
          throw new AppError('UNPROCESSABLE', { message: 'What the server says of a group stays in it.' });
        }
        const mayAlways = isGroupAdmin(membership);
        if (row.sender_id !== userId && !mayAlways) throw new AppError('NOT_YOUR_MESSAGE');
        assertBetweenPeople(row);
        if (row.deleted_at) return { row, membership, rev: null, blindIds };
        if (!mayAlways && this.ageOf(row) > DELETE_WINDOW_MS) throw new AppError('DELETE_WINDOW');
        return { row, membership, rev: await this.repository.empty(tx, row, this.clock.now()), blindIds };
      },
    );
    if (rev === null) return;
    const { chat_id: chatId, seq } = row;
    this.events.publish(
      new MessageDeleted(chatId, idOf(chatId, seq), seq, rev, userId, membership.membersSeq, blindIds),
    );
    if (row.media_id !== null) await this.media.releaseUnused([row.media_id]);
  }

  private ageOf(row: MessageRow): number {
    return this.clock.nowMs() - row.created_at.getTime();
  }
}

/** What has left through a channel cannot be called back. @throws AppError NOT_IN_WHATSAPP */
function assertBetweenPeople({ channel }: MessageRow): void {
  if (channel === null) return;
  throw new AppError('NOT_IN_WHATSAPP', {
    message: 'What was sent through WhatsApp cannot be edited, nor deleted for everyone.',
  });
}

function isGroupAdmin({ chatType, role }: Membership): boolean {
  return chatType === 'GROUP' && role !== 'MEMBER';
}
