import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { isId } from '../common/ids.js';
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

@Injectable()
export class ForwardingService {
  constructor(
    private readonly messages: MessagesService,
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
   * @throws AppError MESSAGE_NOT_FOUND, MESSAGE_DELETED, CHAT_NOT_FOUND, BLOCKED, UNPROCESSABLE for a SYSTEM message
   */
  async forward(userId: string, messageId: string, chatIds: readonly string[]): Promise<MessageBody[]> {
    const { chatId, seq } = await this.messages.requireVisible(userId, messageId);
    const source = await this.repository.findMessage(userId, chatId, seq);
    if (!source) throw new AppError('MESSAGE_NOT_FOUND');
    if (source.deleted_at) throw new AppError('MESSAGE_DELETED');
    if (source.type === 'SYSTEM') {
      throw new AppError('UNPROCESSABLE', { message: 'What the server says of a group is not forwarded.' });
    }
    if (!chatIds.every(isId)) throw new AppError('CHAT_NOT_FOUND');
    const media = source.media_id === null ? null : await this.media.findAttachable(userId, source.media_id);
    const inputs = chatIds.map((target) => toForward(source, userId, target));
    const written = await this.writer.writeAll(inputs);
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
}

function toForward(source: MessageRow, senderId: string, chatId: string): SendInput {
  return {
    chatId,
    senderId,
    clientId: null,
    type: source.type,
    text: source.text,
    mediaId: source.media_id,
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
