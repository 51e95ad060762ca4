import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { messageId as idOf } from '../common/ids.js';
import { ChatsService, type Membership } from '../chats/chats.service.js';
import type { EventMessageBody, MessageBody } from '../chats/message.dto.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { chatReader } from '../infra/storage/signed-urls.js';
import type { MediaBody } from '../media/media.dto.js';
import type { ReaderMarks } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessagesRepository, type MessageRow, type ReactionRow } from './messages.repository.js';
import { MessagesService } from './messages.service.js';

/** A message that somebody may see, read under its chat's lock. */
export interface LockedMessage {
  membership: Membership;
  row: MessageRow;
  /** Those of the row's revision, in the order in which they were given. */
  reactions: ReactionRow[];
  /** Present members who may not see the message, and so hear of no change of it. */
  blindIds: string[];
}

/** See `MessageChanges.frameOf`. */
export interface EventFrame {
  others: ReaderMarks['others'];
  media: MediaBody | null;
}

/** How everything begins that people do to a message that is there. */
@Injectable()
export class MessageChanges {
  constructor(
    private readonly messages: MessagesService,
    private readonly chats: ChatsService,
    private readonly repository: MessagesRepository,
    private readonly views: MessageViews,
    private readonly prisma: PrismaService,
  ) {}

  /**
   * Runs `work` in a transaction that holds the lock of the message's chat. Whether the message is the caller's to see
   * is asked before, so that strangers lock nothing, and again under the lock: nothing that ended their right to it
   * can come between that and the commit.
   *
   * @throws AppError MESSAGE_NOT_FOUND, and whatever `work` throws
   */
  async change<T>(
    userId: string,
    messageId: string,
    work: (tx: PrismaTransaction, message: LockedMessage) => Promise<T>,
  ): Promise<T> {
    const { chatId, seq } = await this.messages.requireVisible(userId, messageId);
    return this.prisma.inTransaction(async (tx) => {
      const membership = await this.lockAsMember(tx, userId, chatId);
      const row = await this.repository.findMessageIn(tx, userId, chatId, seq);
      if (!row || seq < membership.firstSeq) throw new AppError('MESSAGE_NOT_FOUND');
      const reactions = row.rev > 1 ? await this.repository.listReactionsIn(tx, chatId, seq) : [];
      // Who came after it came with a SYSTEM message above it; agents see a conversation from its beginning.
      const mayBeBlind = membership.chatType === 'GROUP' && membership.membersSeq > seq;
      const blindIds = mayBeBlind ? await this.repository.listBlindIn(tx, chatId, seq) : [];
      return work(tx, { membership, row, reactions, blindIds });
    });
  }

  /**
   * Nobody tells the other side of a block anything new.
   *
   * @throws AppError BLOCKED in a private chat with a block between its people
   */
  async assertNotBlocked(tx: PrismaTransaction, { chatId, chatType }: Membership): Promise<void> {
    if (chatType === 'PRIVATE' && (await this.repository.isBlocked(tx, chatId)))
      throw new AppError('BLOCKED');
  }

  /**
   * What an event of the caller's own message shows besides its row: looked up before the change, so that nothing is
   * awaited between the commit and the event, and events leave in the order of the revisions.
   *
   * @throws AppError MESSAGE_NOT_FOUND
   */
  async frameOf(userId: string, messageId: string): Promise<EventFrame> {
    const { chatId, seq } = await this.messages.requireVisible(userId, messageId);
    const [row, others] = await Promise.all([
      this.repository.findMessage(userId, chatId, seq),
      this.chats.othersMarks(userId, chatId),
    ]);
    return { others, media: row && (await this.views.mediaOf(row, chatReader(chatId))) };
  }

  /** A message of the caller's own for the packet to all members. Its status is what they see: the lowest of all. */
  eventBodyOf(
    { membership, row, reactions }: LockedMessage,
    { others, media }: EventFrame,
  ): EventMessageBody {
    const marks = { mine: membership, others };
    const { starred: _starred, ...body } = this.views.one(membership.userId, row, reactions, marks, {
      media,
    });
    return body;
  }

  /** The message as its change left it, for the one who changed it. */
  async bodyOf({ membership, row, reactions }: LockedMessage): Promise<MessageBody> {
    const { userId, chatId } = membership;
    const [others, media, facts] = await Promise.all([
      this.chats.othersMarks(userId, chatId),
      this.views.mediaOf(row, userId),
      this.views.factsOf([row]),
    ]);
    const parts = { media, facts: facts.get(idOf(chatId, row.seq)) };
    return this.views.one(userId, row, reactions, { mine: membership, others }, parts);
  }

  /** The message as it is now, for somebody who saw it a moment ago. @throws AppError MESSAGE_NOT_FOUND */
  async bodyNow({ membership, row: { chat_id: chatId, seq } }: LockedMessage): Promise<MessageBody> {
    const { userId } = membership;
    const row = await this.repository.findMessage(userId, chatId, seq);
    const marks = { mine: membership, others: await this.chats.othersMarks(userId, chatId) };
    const [body] = await this.views.of(userId, row ? [row] : [], () => marks);
    if (!body) throw new AppError('MESSAGE_NOT_FOUND');
    return body;
  }

  private async lockAsMember(tx: PrismaTransaction, userId: string, chatId: string): Promise<Membership> {
    try {
      return await this.chats.lockAsMember(tx, userId, chatId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'CHAT_NOT_FOUND')
        throw new AppError('MESSAGE_NOT_FOUND');
      throw error;
    }
  }
}
