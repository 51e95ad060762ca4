import { Injectable } from '@nestjs/common';
import { validationError } from '../common/errors.js';
import { ChatsService, type Membership } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import { Cursors } from '../infra/http/cursors.js';
import type { Page } from '../infra/http/envelope.js';
import { MessageViews } from './message-views.js';
import type { ListMessagesQuery } from './messages.dto.js';
import { MessagesRepository, type MessageRow } from './messages.repository.js';

export interface MessagePage {
  messages: MessageBody[];
  page: Page;
}

/** Pages of what a member may see of a chat. */
@Injectable()
export class HistoryService {
  constructor(
    private readonly repository: MessagesRepository,
    private readonly views: MessageViews,
    private readonly chats: ChatsService,
    private readonly cursors: Cursors,
  ) {}

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

  private async bodiesOf(rows: readonly MessageRow[], membership: Membership): Promise<MessageBody[]> {
    if (rows.length === 0) return [];
    const others = await this.chats.othersMarks(membership.userId, membership.chatId);
    return this.views.of(membership.userId, rows, () => ({ mine: membership, others }));
  }
}
