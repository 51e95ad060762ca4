import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AccountExport, jsonListFile, pagesOf, type ExportFile } from '../users/account-export.js';
import { BlocksService } from './blocks.service.js';
import { ContactsService } from './contacts.service.js';

/** The contacts' part of an account's export. */
@Injectable()
export class ContactsExport implements OnModuleInit {
  constructor(
    private readonly accountExport: AccountExport,
    private readonly contacts: ContactsService,
    private readonly blocks: BlocksService,
  ) {}

  onModuleInit(): void {
    this.accountExport.register(({ userId }) => this.files(userId));
  }

  private *files(userId: string): Generator<ExportFile> {
    yield jsonListFile('contacts.json', () => this.contactsOf(userId));
    yield jsonListFile('blocked.json', () => pagesOf((query) => this.blocks.list(userId, query)));
  }

  /** Contacts, then requests. */
  private async *contactsOf(userId: string): AsyncGenerator<readonly unknown[]> {
    yield* pagesOf((query) => this.contacts.listAccepted(userId, query));
    yield* pagesOf((query) => this.contacts.listPending(userId, query));
  }
}
