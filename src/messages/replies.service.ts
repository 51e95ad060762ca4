import { Injectable } from '@nestjs/common';
import { ChatsService } from '../chats/chats.service.js';
import { Cursors } from '../infra/http/cursors.js';
import type { PageQuery } from '../infra/http/page.dto.js';
import { MessageViews } from './message-views.js';
import type { MessagePage } from './history.service.js';
import { MessagesService } from './messages.service.js';
import { RepliesRepository } from './replies.repository.js';

@Injectable()
export class RepliesService {
  constructor(
    private readonly messages: MessagesService,
    private readonly repository: RepliesRepository,
    private readonly views: MessageViews,
    private readonly chats: ChatsService,
    private readonly cursors: Cursors,
  ) {}

  /** The replies to a message that the reader may see, oldest first. @throws AppError MESSAGE_NOT_FOUND, INVALID_CURSOR */
  async list(readerId: string, messageId: string, query: PageQuery): Promise<MessagePage> {
    const { chatId, seq, membership } = await this.messages.requireVisible(readerId, messageId);
    const scope = `replies:${readerId}:${chatId}:${seq}`;
    const afterSeq = query.cursor === undefined ? 0 : Number(this.cursors.decode(scope, query.cursor)[0]);
    const [rows, others] = await Promise.all([
      this.repository.list(readerId, membership, seq, afterSeq, query.limit + 1),
      this.chats.othersMarks(readerId, chatId),
    ]);
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    return {
      messages: await this.views.of(readerId, shown, () => ({ mine: membership, others })),
      page: {
        nextCursor: last && rows.length > query.limit ? this.cursors.encode(scope, [last.seq]) : null,
      },
    };
  }
}
