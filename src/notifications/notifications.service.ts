import { Injectable } from '@nestjs/common';
import { ChatsService } from '../chats/chats.service.js';
import { IncomingRequestsService } from '../contacts/incoming-requests.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Cursors } from '../infra/http/cursors.js';
import type { Page } from '../infra/http/envelope.js';
import type { PageQuery } from '../infra/http/page.dto.js';
import { NotificationsCleared } from '../messages/messages.events.js';
import { ReceiptsService } from '../messages/receipts.service.js';
import type {
  ChatCountBody,
  ChatNotificationBody,
  ContactRequestNotificationBody,
  NotificationCountsBody,
  NotificationsBody,
} from './notifications.dto.js';
import { NotificationsRepository, type UnreadChatRow } from './notifications.repository.js';

/** Where one of the two lists goes on: after this time and id, or nowhere when it has ended. */
type Position = { at: string; id: string } | 'start' | 'end';

/** What waits for a person: unread chats and contact requests. */
@Injectable()
export class NotificationsService {
  constructor(
    private readonly repository: NotificationsRepository,
    private readonly chats: ChatsService,
    private readonly receipts: ReceiptsService,
    private readonly requests: IncomingRequestsService,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
  ) {}

  /**
   * A page holds up to `limit` chats and up to `limit` requests; the next one goes on with both.
   *
   * @throws AppError INVALID_CURSOR
   */
  async list(meId: string, query: PageQuery): Promise<{ body: NotificationsBody; page: Page }> {
    const scope = `notifications:${meId}`;
    const [chatsFrom, requestsFrom] = this.decode(scope, query.cursor);
    const [chats, requests] = await Promise.all([
      this.listChats(meId, chatsFrom, query.limit),
      this.listRequests(meId, requestsFrom, query.limit),
    ]);
    const hasMore = chats.next !== 'end' || requests.next !== 'end';
    const position = [...encodePosition(chats.next), ...encodePosition(requests.next)];
    return {
      body: { chats: chats.items, contactRequests: requests.items },
      page: { nextCursor: hasMore ? this.cursors.encode(scope, position) : null },
    };
  }

  /** Unread messages and new contact requests together. */
  async total(meId: string): Promise<number> {
    const [messages, requests] = await Promise.all([
      this.repository.countUnread(meId),
      this.requests.countNew(meId),
    ]);
    return messages + requests;
  }

  async allCounts(meId: string): Promise<NotificationCountsBody> {
    const [rows, contactRequests] = await Promise.all([
      this.repository.listAllUnread(meId),
      this.requests.countNew(meId),
    ]);
    return { chats: rows.map(toCount), contactRequests };
  }

  /**
   * Dismisses the notifications of a chat on all devices, and marks it as read: unread is derived from the marks
   * alone, so what is dismissed is read.
   *
   * @throws AppError CHAT_NOT_FOUND
   */
  async clear(meId: string, chatId: string): Promise<void> {
    await this.receipts.markRead({ userId: meId, chatId });
    this.events.publish(new NotificationsCleared(meId, chatId));
  }

  /** No contact request that waits now is new any more. */
  async markContactsViewed(meId: string): Promise<void> {
    await this.requests.markViewed(meId);
  }

  private async listChats(
    meId: string,
    from: Position,
    limit: number,
  ): Promise<{ items: ChatNotificationBody[]; next: Position }> {
    if (from === 'end') return { items: [], next: 'end' };
    const after = from === 'start' ? null : { updatedAt: new Date(from.at), id: from.id };
    const rows = await this.repository.listUnread(meId, after, limit + 1);
    const shown = rows.slice(0, limit);
    const views = await this.chats.viewMany(
      meId,
      shown.map((row) => row.chat_id),
    );
    const viewOf = new Map(views.map((chat) => [chat.id, chat]));
    return {
      // Who was removed in between does not see the chat.
      items: shown.flatMap((row) => {
        const chat = viewOf.get(row.chat_id);
        return chat ? [Object.assign(chat, toCount(row))] : [];
      }),
      next: nextOf(rows, limit, (row) => ({ at: row.updated_at.toISOString(), id: row.chat_id })),
    };
  }

  private async listRequests(
    meId: string,
    from: Position,
    limit: number,
  ): Promise<{ items: ContactRequestNotificationBody[]; next: Position }> {
    if (from === 'end') return { items: [], next: 'end' };
    const after = from === 'start' ? null : { createdAt: new Date(from.at), id: from.id };
    const requests = await this.requests.list(meId, after, limit + 1);
    return {
      items: requests.slice(0, limit).map(({ contact, viewed }) => Object.assign(contact, { viewed })),
      next: nextOf(requests, limit, ({ contact }) => ({ at: contact.createdAt, id: contact.id })),
    };
  }

  private decode(scope: string, cursor: string | undefined): [Position, Position] {
    if (cursor === undefined) return ['start', 'start'];
    const [chatAt, chatId, requestAt, requestId] = this.cursors.decode(scope, cursor);
    const position = (at: unknown, id: unknown): Position =>
      typeof at === 'string' && typeof id === 'string' ? { at, id } : 'end';
    return [position(chatAt, chatId), position(requestAt, requestId)];
  }
}

function toCount(row: UnreadChatRow): ChatCountBody {
  return { chatId: row.chat_id, unreadCount: row.unread_count, mentionCount: row.mention_count };
}

/** `items` were fetched with one more than `limit`. */
function nextOf<T>(items: readonly T[], limit: number, positionOf: (last: T) => Position): Position {
  const last = items[limit - 1];
  return items.length > limit && last !== undefined ? positionOf(last) : 'end';
}

function encodePosition(position: Position): [string, string] | [null, null] {
  return typeof position === 'string' ? [null, null] : [position.at, position.id];
}
