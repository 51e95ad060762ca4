import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AccountExport, jsonListFile, pagesOf, type ExportFile } from '../users/account-export.js';
import { ChatsService } from './chats.service.js';

/** The chats' part of an account's export. */
@Injectable()
export class ChatsExport implements OnModuleInit {
  constructor(
    private readonly accountExport: AccountExport,
    private readonly chats: ChatsService,
  ) {}

  onModuleInit(): void {
    this.accountExport.register(({ userId }) => this.files(userId));
  }

  private *files(userId: string): Generator<ExportFile> {
    yield jsonListFile('chats.json', () => this.chatsOf(userId));
  }

  /** As in the lists: those that are not archived, then those that are. */
  private async *chatsOf(userId: string): AsyncGenerator<readonly unknown[]> {
    for (const archived of [false, true]) {
      yield* pagesOf(async (query) => {
        const { chats, page } = await this.chats.list(userId, { ...query, archived });
        // A conversation with a customer is the tenant's.
        const own = chats.filter((chat) => chat.type !== 'WHATSAPP');
        return { items: own, nextCursor: page.nextCursor };
      });
    }
  }
}
