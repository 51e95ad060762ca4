import { Module } from '@nestjs/common';
import { ChatsModule } from '../chats/chats.module.js';
import { ContactsModule } from '../contacts/contacts.module.js';
import { MessagesModule } from '../messages/messages.module.js';
import { UsersModule } from '../users/users.module.js';
import { SyncController } from './sync.controller.js';
import { SyncCursors } from './sync-cursors.js';
import { SyncRepository } from './sync.repository.js';
import { SyncService } from './sync.service.js';

@Module({
  imports: [UsersModule, ContactsModule, ChatsModule, MessagesModule],
  controllers: [SyncController],
  providers: [SyncService, SyncCursors, SyncRepository],
})
export class SyncModule {}
