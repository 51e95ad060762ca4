import { Module } from '@nestjs/common';
import { ContactsModule } from '../contacts/contacts.module.js';
import { UsersModule } from '../users/users.module.js';
import { ChatAccess } from './chat-access.js';
import { ChatMessages } from './chat-messages.js';
import { ChatViews } from './chat-views.js';
import { ChatsController } from './chats.controller.js';
import { ChatsRepository } from './chats.repository.js';
import { ChatsService } from './chats.service.js';

@Module({
  imports: [UsersModule, ContactsModule],
  controllers: [ChatsController],
  providers: [ChatsService, ChatsRepository, ChatViews, ChatAccess, ChatMessages],
  exports: [ChatsService, ChatMessages],
})
export class ChatsModule {}
