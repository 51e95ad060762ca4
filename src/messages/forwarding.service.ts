import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { isId } from '../common/ids.js';
import { ChatsService } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Metrics } from '../infra/observability/metrics.js';
import { chatReader } from '../infra/storage/signed-urls.js';
import { MediaService } from '../media/media.service.js';
import { toCreatedBody } from './message-mapper.js';
import { MessageWriter, type SendInput, type Written } from './message-writer.js';
import { MessageCreated } from './messages.events.js';
import { MessagesRepository, type MessageRow } from './messages.repository.js';
import { MessagesService } from './messages.service.js';

type Content = Pick<SendInput, 'type' | 'text' | 'mediaId'>;

@Injectable()
export class ForwardingService {
  constructor(
    private readonly messages: MessagesService,
    private readonly chats: ChatsService,
    private readonly repository: MessagesRepository,
    private readonly writer: MessageWriter,
    private readonly media: MediaService,
    private readonly events: EventBus,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Sends text and medium of a message that the caller sees to other chats of theirs, to all of them or to none. What
   * it replied to and whom it mentioned stay behind.
   *
   * @param chatIds 1 to 20 different chats
   * @returns the new messages in the order of `chatIds`
   * @throws AppError MESSAGE_NOT_FOUND, MESSAGE_DELETED, CHAT_NOT_FOUND, BLOCKED, NOT_IN_WHATSAPP for a target that is
   *   a tenant's conversation, UNPROCESSABLE for a SYSTEM message and what has neither text nor medium
   */
  async forward(userId: string, messageId: string, chatIds: readonly string[]): Promise<MessageBody[]> {
    const { chatId, seq } = await this.messages.requireVisible(userId, messageId);
    const source = await this.repository.findMessage(userId, chatId, seq);
    if (!source) throw new AppError('MESSAGE_NOT_FOUND');
    if (source.deleted_at) throw new AppError('MESSAGE_DELETED');
    if (source.type === 'SYSTEM') {
      throw new AppError('UNPROCESSABLE', { message: 'What the server says of a group is not forwarded.' });
    }
    const content = contentOf(source);
    if (!chatIds.every(isId)) throw new AppError('CHAT_NOT_FOUND');
    const media = source.media_id === null ? null : await this.media.findAttachable(userId, source.media_id);
    const inputs = chatIds.map((target) => toForward(content, userId, target));
    const written = await this.writer.writeAll(inputs);
    await this.assertReached(userId, inputs, written);
    assertWritten(written);
    this.metrics.messages.inc(written.length);
    return inputs.map((input, index) => {
      const one = written[index];
      if (!one) throw new Error('a forward has no outcome');
      const event = toCreatedBody(input, one, media?.view(chatReader(input.chatId)) ?? null);
      this.events.publish(new MessageCreated(event, null, one.row.chat_type, one.row.members_seq));
      return Object.assign({ starred: false }, event, { media: media?.view(userId) ?? null });
    });
  }

  /** @throws AppError NOT_IN_WHATSAPP if all that they are no members of are conversations that they reach */
  private async assertReached(
    userId: string,
    inputs: readonly SendInput[],
    written: readonly Written[],
  ): Promise<void> {
    const refused = inputs.filter((_, index) => written[index]?.row.outcome === 'NOT_MEMBER');
    if (refused.length === 0) return;
    const places = await this.chats.listMemberships(
      userId,
      refused.map(({ chatId }) => chatId),
    );
    if (!refused.every(({ chatId }) => places.get(chatId)?.mine.chatType === 'WHATSAPP')) return;
    throw new AppError('NOT_IN_WHATSAPP', { message: 'Nothing can be forwarded to a customer.' });
  }
}

/** What of a message can be sent on. @throws AppError UNPROCESSABLE if nothing can */
function contentOf({ type, text, media_id: mediaId }: MessageRow): Content {
  if (mediaId !== null) return { type, text, mediaId };
  // A place or a card is to people what is written of it.
  if (text !== null) return { type: 'TEXT', text, mediaId };
  throw new AppError('UNPROCESSABLE', { message: 'This message holds nothing that can be forwarded.' });
}

function toForward(content: Content, senderId: string, chatId: string): SendInput {
  return {
    chatId,
    senderId,
    clientId: null,
    ...content,
    replyToSeq: null,
    mentions: [],
    forwarded: true,
  };
}

function assertWritten(written: readonly Written[]): void {
  const outcomes = written.map(({ row }) => row.outcome);
  if (outcomes.includes('NOT_MEMBER')) throw new AppError('CHAT_NOT_FOUND');
  if (outcomes.includes('BLOCKED')) throw new AppError('BLOCKED');
  // It was deleted a moment ago.
  if (outcomes.includes('MEDIA_NOT_VISIBLE')) throw new AppError('MESSAGE_NOT_FOUND');
  if (outcomes.some((outcome) => outcome !== 'CREATED'))
    throw new Error('a forward was refused without a reason');
}
