import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ChatsService } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import { AppError } from '../common/errors.js';
import {
  AccountExport,
  jsonListFile,
  pagesOf,
  type ExportContext,
  type ExportFile,
} from '../users/account-export.js';
import { HistoryService } from './history.service.js';

/** The messages' part of an account's export: what its owner may see in each of their chats. */
@Injectable()
export class MessagesExport implements OnModuleInit {
  constructor(
    private readonly accountExport: AccountExport,
    private readonly chats: ChatsService,
    private readonly history: HistoryService,
  ) {}

  onModuleInit(): void {
    this.accountExport.register((context) => this.files(context));
  }

  private async *files(context: ExportContext): AsyncGenerator<ExportFile> {
    for (const chatId of await this.chats.listChatIds(context.userId)) {
      yield jsonListFile(`chats/${chatId}/messages.json`, () => this.messagesOf(context, chatId));
    }
  }

  /** Oldest first. */
  private async *messagesOf(
    { userId, mediaIds }: ExportContext,
    chatId: string,
  ): AsyncGenerator<readonly MessageBody[]> {
    const pages = pagesOf(async (query) => {
      const start = query.cursor === undefined ? { limit: query.limit, afterSeq: 0 } : query;
      const { messages, page } = await this.history.list(userId, chatId, start);
      return { items: messages, nextCursor: page.nextCursor };
    });
    try {
      for await (const page of pages) {
        for (const { media } of page) if (media) mediaIds.add(media.id);
        yield page;
      }
    } catch (error) {
      // Who is removed from a chat meanwhile no longer sees the rest of it.
      if (!(error instanceof AppError && error.code === 'CHAT_NOT_FOUND')) throw error;
    }
  }
}
