import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError, validationError, type ErrorDetail } from '../common/errors.js';
import { isId, newId, parseMessageId, type MessageAddress } from '../common/ids.js';
import { ChatMessages, type ChatHead } from '../chats/chat-messages.js';
import { ChatsService, type Membership } from '../chats/chats.service.js';
import type { EventMessageBody, MessageBody } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import type { ReceivedUpload } from '../infra/http/form-reader.js';
import { Metrics } from '../infra/observability/metrics.js';
import { chatReader } from '../infra/storage/signed-urls.js';
import { MediaService, type FoundMedia } from '../media/media.service.js';
import { ChannelSends } from './channel-sends.js';
import { MessageChannel } from './message-channel.js';
import { NO_MARKS, toCreatedBody, toEventBody, toSystemBody, type ReaderMarks } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessageWriter, type SendInput, type Written } from './message-writer.js';
import type { RecipientReceiptBody, SendMessageDto } from './messages.dto.js';
import { MessageCreated } from './messages.events.js';
import { MessagesRepository } from './messages.repository.js';
import { SendTurns } from './send-turns.js';

export interface SendResult {
  message: MessageBody;
  /** False when the same `clientId` had been sent before. */
  created: boolean;
}

/** Messages for people: sending, and what may be seen of a message. Pages of them: `HistoryService`. */
@Injectable()
export class MessagesService implements OnModuleInit {
  private readonly turns = new SendTurns();

  constructor(
    private readonly repository: MessagesRepository,
    private readonly views: MessageViews,
    private readonly writer: MessageWriter,
    private readonly chats: ChatsService,
    private readonly chatMessages: ChatMessages,
    private readonly channel: MessageChannel,
    private readonly channelSends: ChannelSends,
    private readonly media: MediaService,
    private readonly events: EventBus,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.chatMessages.register({
      lastOf: (readerId, heads) => this.lastMessagesOf(readerId, heads),
      appendSystem: async (tx, chatId, text, at) => {
        const seq = await this.repository.insertSystem(tx, chatId, `s:${randomUUID()}`, text, at);
        return toSystemBody(chatId, seq, text, at);
      },
      announce: (message, membersSeq, tenantId) => {
        const created =
          tenantId === null
            ? new MessageCreated(message, null, 'GROUP', membersSeq)
            : new MessageCreated(message, null, 'WHATSAPP', membersSeq, tenantId);
        this.events.publish(created);
      },
    });
  }

  /**
   * Sends a message and resolves once it is committed. Sends of one caller to one chat get their seqs in the order
   * of the calls: a text goes to the writer at once, unless a file before it is still being looked up.
   *
   * @param originSocketId the socket it came on, which the event then leaves out
   * @throws AppError CHAT_NOT_FOUND, BLOCKED, MESSAGE_NOT_FOUND (the reply), MEDIA_NOT_FOUND, VALIDATION_FAILED (no
   *   text and no file, a type that is not the file's, mentions); to a customer, WINDOW_CLOSED and NOT_IN_WHATSAPP
   */
  async send(
    senderId: string,
    chatId: string,
    dto: SendMessageDto,
    originSocketId: string | null = null,
  ): Promise<SendResult> {
    const input = toSendInput(senderId, chatId, dto);
    const turn = `${senderId}:${chatId}`;
    if (input.mediaId === null) {
      assertIsMessage(input);
      if (!this.turns.isTaken(turn))
        return this.settle(input, null, await this.writer.write(input), originSocketId);
      const written = await this.turns.run(turn, Promise.resolve(), () => this.writer.write(input));
      return this.settle(input, null, written, originSocketId);
    }
    const found = this.media.findAttachable(senderId, input.mediaId);
    return this.turns.run(turn, found, (media) => this.sendWith(media, input, dto.type, originSocketId));
  }

  /**
   * Sends a message with a file that came with it. Unless that becomes part of a message, it is removed again.
   *
   * @param upload a file of this process with the name that its sender gave it
   * @throws AppError as `send`, and what an upload is refused with (`MediaService.upload`)
   */
  async sendUpload(
    senderId: string,
    chatId: string,
    dto: SendMessageDto,
    upload: ReceivedUpload,
  ): Promise<SendResult> {
    const input = toSendInput(senderId, chatId, dto);
    if (input.mediaId !== null) {
      throw validationError([{ field: 'mediaId', message: 'goes without a file in the same form' }]);
    }
    // Strangers cost no more than their bytes.
    await this.chats.requireMember(senderId, chatId);
    const media = await this.media.upload(senderId, upload.path, upload.name);
    try {
      const sent = await this.sendWith(media, input, dto.type, null);
      if (!sent.created) await this.media.releaseUnused([media.id]);
      return sent;
    } catch (error) {
      await this.media.releaseUnused([media.id]);
      throw error;
    }
  }

  /** What may not be attached is refused by the writer, which answers a repeated send all the same. */
  private async sendWith(
    media: FoundMedia | null,
    input: SendInput,
    type: SendMessageDto['type'],
    originSocketId: string | null,
  ): Promise<SendResult> {
    const kind = media?.kind ?? 'DOCUMENT';
    if (media && (type ?? kind) !== kind) {
      throw validationError([{ field: 'type', message: `must be that of the file: ${kind}` }]);
    }
    const whole = { ...input, type: kind, mediaId: media?.id ?? newId() };
    return this.settle(whole, media, await this.writer.write(whole), originSocketId);
  }

  /** At once for a new message, as the sender waits. */
  private settle(
    input: SendInput,
    media: FoundMedia | null,
    written: Written,
    originSocketId: string | null,
  ): SendResult | Promise<SendResult> {
    const { row } = written;
    const { chatId, senderId } = input;
    switch (row.outcome) {
      case 'CREATED': {
        this.metrics.messages.inc();
        const body = toCreatedBody(input, written, media?.view(chatReader(chatId)) ?? null);
        this.events.publish(new MessageCreated(body, originSocketId, row.chat_type, row.members_seq));
        const own = media && { media: media.view(senderId) };
        return { message: Object.assign({ starred: false }, body, own), created: true };
      }
      case 'REPEATED':
        return this.repeat(senderId, chatId, written, originSocketId);
      case 'NOT_MEMBER':
        return this.sendOut(input, media, originSocketId);
      case 'BLOCKED':
        throw new AppError('BLOCKED');
      case 'REPLY_NOT_VISIBLE':
        throw new AppError('MESSAGE_NOT_FOUND', { message: 'The message replied to is not in this chat.' });
      case 'MEDIA_NOT_VISIBLE':
        throw new AppError('MEDIA_NOT_FOUND');
      case 'MENTION_NOT_MEMBER':
        throw validationError([NOT_A_MEMBER]);
      case 'NOT_ALL':
        throw new Error('a send of its own was refused for another');
    }
  }

  /** An agent's send to a customer. */
  private async sendOut(
    input: SendInput,
    media: FoundMedia | null,
    originSocketId: string | null,
  ): Promise<SendResult> {
    const { senderId, mediaId } = input;
    const isMediaMissing = mediaId !== null && media === null;
    const sent = await this.channelSends.send(input, isMediaMissing, originSocketId);
    if (!sent.created) return { message: await this.getSent(senderId, sent.address), created: false };
    const own = media && { media: media.view(senderId) };
    return { message: Object.assign({ starred: false }, sent.message, own), created: true };
  }

  private async repeat(
    senderId: string,
    chatId: string,
    { row, retried }: Written,
    originSocketId: string | null,
  ): Promise<SendResult> {
    const message = await this.getSent(senderId, { chatId, seq: row.seq });
    if (retried) {
      const event = await this.toEvent(message);
      this.events.publish(new MessageCreated(event, originSocketId, row.chat_type, row.members_seq));
    }
    return { message, created: false };
  }

  /** One packet serves all members, so its file is signed for none of them. */
  private async toEvent(message: MessageBody): Promise<EventMessageBody> {
    const event = toEventBody(message);
    if (!event.media) return event;
    const views = await this.media.viewFor(chatReader(event.chatId), [event.media.id]);
    return Object.assign(event, { media: views.get(event.media.id) ?? null });
  }

  /**
   * The one door to a message: a present member sees what came after they joined and was not cleared.
   *
   * @throws AppError MESSAGE_NOT_FOUND, whether there is no such message or it is not theirs to see
   */
  async requireVisible(
    readerId: string,
    messageId: string,
  ): Promise<MessageAddress & { membership: Membership }> {
    const address = parseMessageId(messageId);
    const membership = address && (await this.chats.findMembership(readerId, address.chatId));
    if (
      !address ||
      !membership ||
      address.seq < membership.firstSeq ||
      address.seq > membership.lastSeq ||
      (await this.repository.isHidden(readerId, address.chatId, address.seq))
    ) {
      throw new AppError('MESSAGE_NOT_FOUND');
    }
    return { ...address, membership };
  }

  /**
   * Messages at given addresses as a reader has them, in no order; what they have hidden is left out. Nothing else is
   * checked: the caller knows that the reader may see them.
   *
   * @param marksOf by chat, the marks that decide the status
   */
  async viewAt(
    readerId: string,
    addresses: readonly MessageAddress[],
    marksOf: ReadonlyMap<string, ReaderMarks>,
  ): Promise<MessageBody[]> {
    if (addresses.length === 0) return [];
    const rows = await this.repository.listAt(
      readerId,
      addresses.map((address) => address.chatId),
      addresses.map((address) => address.seq),
    );
    return this.views.of(readerId, rows, (row) => marksOf.get(row.chat_id) ?? NO_MARKS);
  }

  /**
   * When each recipient received and read a message. What a team has sent to a customer is each agent's to ask about.
   *
   * @throws AppError MESSAGE_NOT_FOUND; FORBIDDEN for another's message
   */
  async listReceipts(readerId: string, messageId: string): Promise<RecipientReceiptBody[]> {
    const { chatId, seq } = await this.requireVisible(readerId, messageId);
    const message = await this.repository.findMessage(readerId, chatId, seq);
    if (!message) throw new AppError('MESSAGE_NOT_FOUND');
    const ofChannel = message.channel === null ? null : await this.channel.receiptsOf({ chatId, seq });
    if (ofChannel) return ofChannel;
    if (message.sender_id !== readerId) {
      throw new AppError('FORBIDDEN', { message: 'Only the sender sees who has read a message.' });
    }
    const rows = await this.repository.listRecipientReceipts(chatId, seq, message.sender_id);
    return rows.map((row) => ({
      userId: row.user_id,
      deliveredAt: row.delivered_at?.toISOString() ?? null,
      readAt: row.read_at?.toISOString() ?? null,
    }));
  }

  private async getSent(senderId: string, address: MessageAddress): Promise<MessageBody> {
    const [row, membership, others] = await Promise.all([
      this.repository.findSent(senderId, address.chatId, address.seq),
      this.chats.requireMember(senderId, address.chatId),
      this.chats.othersMarks(senderId, address.chatId),
    ]);
    const [body] = await this.views.of(senderId, row ? [row] : [], () => ({ mine: membership, others }));
    if (!body) throw new AppError('MESSAGE_NOT_FOUND');
    return body;
  }

  private async lastMessagesOf(
    readerId: string,
    heads: readonly ChatHead[],
  ): Promise<Map<string, MessageBody>> {
    const headOf = new Map(heads.map((head) => [head.chatId, head]));
    const rows = await this.repository.listNewest(readerId, heads);
    const bodies = await this.views.of(readerId, rows, (row) => headOf.get(row.chat_id) ?? NO_MARKS);
    return new Map(bodies.map((body) => [body.chatId, body]));
  }
}

const NO_TEXT: ErrorDetail = {
  field: 'text',
  message: 'must be text of 1 to 4096 characters, unless there is a file',
};
const NOT_A_MEMBER: ErrorDetail = { field: 'mentions', message: 'must be members of the chat' };

/** @throws AppError VALIDATION_FAILED for what has neither a text nor a file, or has the type of a file without one */
function assertIsMessage({ type, text }: SendInput): void {
  if (type !== 'TEXT') throw validationError([{ field: 'mediaId', message: `must name a file for ${type}` }]);
  if (text === null) throw validationError([NO_TEXT]);
}

/** Ids that no row can have are answered here as the database would answer unknown ones. */
function toSendInput(senderId: string, chatId: string, dto: SendMessageDto): SendInput {
  if (!isId(chatId)) throw new AppError('CHAT_NOT_FOUND');
  const mentions = dto.mentions ?? [];
  if (!mentions.every(isId)) throw validationError([NOT_A_MEMBER]);
  // Clients that send null for what they leave out mean nothing by it.
  const replyToId = dto.replyToId ?? undefined;
  const replyTo = replyToId === undefined ? null : parseMessageId(replyToId);
  const input: SendInput = {
    chatId,
    senderId,
    clientId: dto.clientId ?? null,
    type: dto.type ?? 'TEXT',
    text: dto.text ?? null,
    mediaId: dto.mediaId ?? null,
    // No message has seq 0: an id of another chat, or one that cannot be, replies to nothing visible.
    replyToSeq: replyToId === undefined ? null : replyTo?.chatId === chatId ? replyTo.seq : 0,
    mentions,
    forwarded: false,
  };
  return input;
}
