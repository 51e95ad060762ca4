import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError, validationError, type ErrorDetail } from '../common/errors.js';
import { isId, parseMessageId, type MessageAddress } from '../common/ids.js';
import { ChatMessages, type ChatHead } from '../chats/chat-messages.js';
import { ChatsService, type Membership } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Cursors } from '../infra/http/cursors.js';
import type { Page } from '../infra/http/envelope.js';
import { Metrics } from '../infra/observability/metrics.js';
import { AccountRemoval } from '../users/account-removal.js';
import { toCreatedBody, toEventBody, toSystemBody, type ReaderMarks } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessageWriter, type SendInput } from './message-writer.js';
import type { ListMessagesQuery, RecipientReceiptBody, SendMessageDto } from './messages.dto.js';
import { MessageCreated } from './messages.events.js';
import { MessagesRepository, type MessageRow } from './messages.repository.js';

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
  constructor(
    private readonly repository: MessagesRepository,
    private readonly views: MessageViews,
    private readonly writer: MessageWriter,
    private readonly chats: ChatsService,
    private readonly chatMessages: ChatMessages,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
    private readonly metrics: Metrics,
    private readonly accountRemoval: AccountRemoval,
  ) {}

  onModuleInit(): void {
    this.accountRemoval.beforeDelete((userId) => this.repository.forgetSenderInSteps(userId));
    this.accountRemoval.onDelete((tx, userId) => this.repository.forgetSender(tx, userId));
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
   * of the calls: nothing is awaited before the writer has the message.
   *
   * @param originSocketId the socket it came on, which the event then leaves out
   * @throws AppError CHAT_NOT_FOUND, BLOCKED, MESSAGE_NOT_FOUND (the reply), VALIDATION_FAILED (mentions)
   */
  async send(
    senderId: string,
    chatId: string,
    dto: SendMessageDto,
    originSocketId: string | null = null,
  ): Promise<SendResult> {
    const input = toSendInput(senderId, chatId, dto);
    const written = await this.writer.write(input);
    const { row } = written;
    switch (row.outcome) {
      case 'CREATED': {
        this.metrics.messages.inc();
        const body = toCreatedBody(input, written, null);
        this.events.publish(new MessageCreated(body, originSocketId, row.chat_type, row.members_seq));
        return { message: Object.assign({ starred: false }, body), created: true };
      }
      case 'REPEATED': {
        const message = await this.getMessage(senderId, { chatId, seq: row.seq });
        if (written.retried) {
          const event = toEventBody(message);
          this.events.publish(new MessageCreated(event, originSocketId, row.chat_type, row.members_seq));
        }
        return { message, created: false };
      }
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

const NOT_A_MEMBER: ErrorDetail = { field: 'mentions', message: 'must be members of the chat' };

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
    text: dto.text,
    mediaId: null,
    // No message has seq 0: an id of another chat, or one that cannot be, replies to nothing visible.
    replyToSeq: replyToId === undefined ? null : replyTo?.chatId === chatId ? replyTo.seq : 0,
    mentions,
    forwarded: false,
  };
  return input;
}
