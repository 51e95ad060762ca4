import { Module, type OnModuleInit } from '@nestjs/common';
import { AccountRemoval } from '../users/account-removal.js';
import { UsersModule } from '../users/users.module.js';
import { BlockHooks } from './block-hooks.js';
import { BlocksService } from './blocks.service.js';
import { ContactsController } from './contacts.controller.js';
import { ContactsExport } from './contacts-export.js';
import { ContactsRepository } from './contacts.repository.js';
import { ContactsService } from './contacts.service.js';
import { IncomingRequestsRepository } from './incoming-requests.repository.js';
import { IncomingRequestsService } from './incoming-requests.service.js';
import { PeopleController } from './people.controller.js';
import { PeopleRepository } from './people.repository.js';
import { PeopleService } from './people.service.js';

@Module({
  imports: [UsersModule],
  controllers: [ContactsController, PeopleController],
  providers: [
    ContactsService,
    ContactsExport,
    BlocksService,
    PeopleService,
    BlockHooks,
    ContactsRepository,
    IncomingRequestsService,
    IncomingRequestsRepository,
    PeopleRepository,
  ],
  exports: [ContactsService, IncomingRequestsService, BlockHooks],
})
export class ContactsModule implements OnModuleInit {
  constructor(
    private readonly accountRemoval: AccountRemoval,
    private readonly repository: ContactsRepository,
  ) {}

  onModuleInit(): void {
    this.accountRemoval.onDelete((tx, userId) => this.repository.removeAllOf(tx, userId));
  }
}
