import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { messageId as idOf } from '../common/ids.js';
import { ChatsService } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Cursors } from '../infra/http/cursors.js';
import type { PageQuery } from '../infra/http/page.dto.js';
import { FlagsRepository } from './flags.repository.js';
import { MessageChanges } from './message-changes.js';
import { NO_MARKS } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessageHidden, MessageStarred } from './messages.events.js';
import type { MessagePage } from './history.service.js';

/** What people do to messages for themselves alone: delete them for themselves, star them. */
@Injectable()
export class FlagsService {
  constructor(
    private readonly changes: MessageChanges,
    private readonly repository: FlagsRepository,
    private readonly chats: ChatsService,
    private readonly views: MessageViews,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /** Deletes a message for the caller: to them it is no longer there. @throws AppError MESSAGE_NOT_FOUND */
  async hide(userId: string, messageId: string): Promise<void> {
    const { row, isNew } = await this.changes.change(userId, messageId, async (tx, { row }) => ({
      row,
      isNew: await this.repository.hide(tx, userId, row, this.clock.now()),
    }));
    if (isNew) this.events.publish(new MessageHidden(userId, row.chat_id, idOf(row.chat_id, row.seq)));
  }

  /** Once more changes nothing. @throws AppError MESSAGE_NOT_FOUND, MESSAGE_DELETED */
  async star(userId: string, messageId: string): Promise<MessageBody> {
    return this.setStar(userId, messageId, true);
  }

  /** Without a star nothing changes. @throws AppError MESSAGE_NOT_FOUND */
  async unstar(userId: string, messageId: string): Promise<MessageBody> {
    return this.setStar(userId, messageId, false);
  }

  /** The caller's starred messages that they may still see, newest star first. @throws AppError INVALID_CURSOR */
  async listStarred(userId: string, query: PageQuery): Promise<MessagePage> {
    const scope = `starred:${userId}`;
    const position = query.cursor === undefined ? null : this.cursors.decode(scope, query.cursor);
    const after = position && {
      starredAt: new Date(String(position[0])),
      chatId: String(position[1]),
      seq: Number(position[2]),
    };
    const rows = await this.repository.listStarred(userId, after, query.limit + 1);
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    const chatIds = [...new Set(shown.map((row) => row.chat_id))];
    const marks = new Map(
      await Promise.all(
        chatIds.map(async (chatId) => [chatId, await this.chats.othersMarks(userId, chatId)] as const),
      ),
    );
    const mine = new Map(
      shown.map((row) => [row.chat_id, { deliveredSeq: row.my_delivered_seq, readSeq: row.my_read_seq }]),
    );
    return {
      messages: await this.views.of(userId, shown, ({ chat_id: chatId }) => ({
        mine: mine.get(chatId) ?? NO_MARKS.mine,
        others: marks.get(chatId) ?? NO_MARKS.others,
      })),
      page: {
        nextCursor:
          last && rows.length > query.limit
            ? this.cursors.encode(scope, [last.starred_at.toISOString(), last.chat_id, last.seq])
            : null,
      },
    };
  }

  private async setStar(userId: string, messageId: string, starred: boolean): Promise<MessageBody> {
    const { message, isNew } = await this.changes.change(userId, messageId, async (tx, locked) => {
      const { row } = locked;
      if (starred && row.deleted_at) throw new AppError('MESSAGE_DELETED');
      const isNew = starred
        ? await this.repository.star(tx, userId, row, this.clock.now())
        : await this.repository.unstar(tx, userId, row);
      return { message: { ...locked, row: { ...row, starred } }, isNew };
    });
    const { chat_id: chatId, seq } = message.row;
    if (isNew) this.events.publish(new MessageStarred(userId, chatId, idOf(chatId, seq), starred));
    return this.changes.bodyOf(message);
  }
}
