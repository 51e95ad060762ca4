import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError, validationError, type ErrorDetail } from '../common/errors.js';
import { isId, newId, parseMessageId, type MessageAddress } from '../common/ids.js';
import { ChatMessages, type ChatHead } from '../chats/chat-messages.js';
import { ChatsService, type Membership } from '../chats/chats.service.js';
import type { EventMessageBody, MessageBody } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Cursors } from '../infra/http/cursors.js';
import type { Page } from '../infra/http/envelope.js';
import type { ReceivedUpload } from '../infra/http/form-reader.js';
import { Metrics } from '../infra/observability/metrics.js';
import { chatReader } from '../infra/storage/signed-urls.js';
import { MediaService, type FoundMedia } from '../media/media.service.js';
import { toCreatedBody, toEventBody, toSystemBody, type ReaderMarks } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessageWriter, type SendInput, type Written } from './message-writer.js';
import type { ListMessagesQuery, RecipientReceiptBody, SendMessageDto } from './messages.dto.js';
import { MessageCreated } from './messages.events.js';
import { MessagesRepository, type MessageRow } from './messages.repository.js';
import { SendTurns } from './send-turns.js';

export interface SendResult {
  message: MessageBody;
  /** False when the same `clientId` had been sent before. */
  created: boolean;
}

export interface MessagePage {
  messages: MessageBody[];
  page: Page;
}

/** Messages for people: sending, history and what may be seen of them. */
@Injectable()
export class MessagesService implements OnModuleInit {
  private readonly turns = new SendTurns();

  constructor(
    private readonly repository: MessagesRepository,
    private readonly views: MessageViews,
    private readonly writer: MessageWriter,
    private readonly chats: ChatsService,
    private readonly chatMessages: ChatMessages,
    private readonly media: MediaService,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.chatMessages.register({
      lastOf: (readerId, heads) => this.lastMessagesOf(readerId, heads),
      appendSystem: async (tx, chatId, text, at) => {
        const seq = await this.repository.insertSystem(tx, chatId, `s:${randomUUID()}`, text, at);
        return toSystemBody(chatId, seq, text, at);
      },
      announce: (message, membersSeq) => {
        this.events.publish(new MessageCreated(message, null, 'GROUP', membersSeq));
      },
    });
  }

  /**
   * Sends a message and resolves once it is committed. Sends of one caller to one chat get their seqs in the order
   * of the calls: a text goes to the writer at once, unless a file before it is still being looked up.
   *
   * @param originSocketId the socket it came on, which the event then leaves out
   * @throws AppError CHAT_NOT_FOUND, BLOCKED, MESSAGE_NOT_FOUND (the reply), MEDIA_NOT_FOUND, VALIDATION_FAILED (no
   *   text and no file, a type that is not the file's, mentions)
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
        throw new AppError('CHAT_NOT_FOUND');
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

  private async repeat(
    senderId: string,
    chatId: string,
    { row, retried }: Written,
    originSocketId: string | null,
  ): Promise<SendResult> {
    const message = await this.getMessage(senderId, { chatId, seq: row.seq });
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

  /** @throws AppError CHAT_NOT_FOUND, INVALID_CURSOR, VALIDATION_FAILED */
  async list(readerId: string, chatId: string, query: ListMessagesQuery): Promise<MessagePage> {
    const start = [query.cursor, query.afterSeq, query.aroundSeq].filter((value) => value !== undefined);
    if (start.length > 1) {
      throw validationError([
        { field: 'cursor', message: 'goes without afterSeq and aroundSeq, and they without each other' },
      ]);
    }
    const membership = await this.chats.requireMember(readerId, chatId);
    const scope = `messages:${readerId}:${chatId}`;
    if (query.aroundSeq !== undefined)
      return this.listAround(membership, scope, query.aroundSeq, query.limit);
    if (query.afterSeq !== undefined) return this.listNewer(membership, scope, query.afterSeq, query.limit);
    if (query.cursor === undefined)
      return this.listOlder(membership, scope, membership.lastSeq + 1, query.limit);
    const [direction, seq] = this.cursors.decode(scope, query.cursor);
    return direction === 'newer'
      ? this.listNewer(membership, scope, Number(seq), query.limit)
      : this.listOlder(membership, scope, Number(seq), query.limit);
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
   * When each recipient received and read a message.
   *
   * @throws AppError MESSAGE_NOT_FOUND; FORBIDDEN for another's message
   */
  async listReceipts(readerId: string, messageId: string): Promise<RecipientReceiptBody[]> {
    const { chatId, seq } = await this.requireVisible(readerId, messageId);
    const message = await this.repository.findMessage(readerId, chatId, seq);
    if (!message) throw new AppError('MESSAGE_NOT_FOUND');
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

  private async getMessage(readerId: string, address: MessageAddress): Promise<MessageBody> {
    const [row, membership] = await Promise.all([
      this.repository.findMessage(readerId, address.chatId, address.seq),
      this.chats.requireMember(readerId, address.chatId),
    ]);
    if (!row) throw new AppError('MESSAGE_NOT_FOUND');
    return this.bodyOf(row, membership);
  }

  private async listOlder(
    membership: Membership,
    scope: string,
    beforeSeq: number,
    limit: number,
  ): Promise<MessagePage> {
    const rows = await this.repository.listOlder(membership.userId, membership, beforeSeq, limit + 1);
    const shown = rows.slice(0, limit);
    return {
      messages: await this.bodiesOf(shown, membership),
      page: { nextCursor: this.olderCursor(scope, shown, rows.length > limit) },
    };
  }

  private async listNewer(
    membership: Membership,
    scope: string,
    afterSeq: number,
    limit: number,
  ): Promise<MessagePage> {
    const rows = await this.repository.listNewer(membership.userId, membership, afterSeq, limit + 1);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      messages: await this.bodiesOf(shown, membership),
      page: {
        nextCursor: last && rows.length > limit ? this.cursors.encode(scope, ['newer', last.seq]) : null,
      },
    };
  }

  /** Newest first; `nextCursor` leads to older messages and `prevCursor` to newer ones. */
  private async listAround(
    membership: Membership,
    scope: string,
    seq: number,
    limit: number,
  ): Promise<MessagePage> {
    const newerLimit = Math.floor(limit / 2);
    const olderLimit = limit - newerLimit;
    const [newer, older] = await Promise.all([
      this.repository.listNewer(membership.userId, membership, seq, newerLimit + 1),
      this.repository.listOlder(membership.userId, membership, seq + 1, olderLimit + 1),
    ]);
    const shownOlder = older.slice(0, olderLimit);
    const shown = [...newer.slice(0, newerLimit).reverse(), ...shownOlder];
    const newest = shown[0];
    return {
      messages: await this.bodiesOf(shown, membership),
      page: {
        nextCursor: this.olderCursor(scope, shownOlder, older.length > olderLimit),
        prevCursor:
          newest && newer.length > newerLimit ? this.cursors.encode(scope, ['newer', newest.seq]) : null,
      },
    };
  }

  private olderCursor(scope: string, shown: readonly MessageRow[], hasMore: boolean): string | null {
    const last = shown.at(-1);
    return last && hasMore ? this.cursors.encode(scope, ['older', last.seq]) : null;
  }

  private async bodyOf(row: MessageRow, membership: Membership): Promise<MessageBody> {
    const [body] = await this.bodiesOf([row], membership);
    if (!body) throw new AppError('MESSAGE_NOT_FOUND');
    return body;
  }

  private async bodiesOf(rows: readonly MessageRow[], membership: Membership): Promise<MessageBody[]> {
    if (rows.length === 0) return [];
    const others = await this.chats.othersMarks(membership.userId, membership.chatId);
    return this.views.of(membership.userId, rows, () => ({ mine: membership, others }));
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

const NO_MARKS: ReaderMarks = {
  mine: { deliveredSeq: 0, readSeq: 0 },
  others: { deliveredSeq: 0, readSeq: 0 },
};

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
