import { Module } from '@nestjs/common';
import { ContactsModule } from '../contacts/contacts.module.js';
import { UsersModule } from '../users/users.module.js';
import { AgentsRepository } from './agents.repository.js';
import { ChannelChats } from './channel-chats.js';
import { ChatAccess } from './chat-access.js';
import { ChatMessages } from './chat-messages.js';
import { ChatViews } from './chat-views.js';
import { ChatsController } from './chats.controller.js';
import { ChatsExport } from './chats-export.js';
import { ChatsRepository } from './chats.repository.js';
import { ChatsService } from './chats.service.js';
import { ConversationParts } from './conversation-parts.js';
import { DeparturesService } from './departures.service.js';
import { GroupChanges } from './group-changes.js';
import { GroupsController } from './groups.controller.js';
import { GroupsRepository } from './groups.repository.js';
import { GroupsService } from './groups.service.js';
import { MembersController } from './members.controller.js';
import { MembersRepository } from './members.repository.js';
import { MembersService } from './members.service.js';
import { SettingsController } from './settings.controller.js';
import { SettingsRepository } from './settings.repository.js';
import { SettingsService } from './settings.service.js';

@Module({
  imports: [UsersModule, ContactsModule],
  controllers: [ChatsController, GroupsController, MembersController, SettingsController],
  providers: [
    ChatsService,
    ChatsExport,
    ChatsRepository,
    ChatViews,
    ConversationParts,
    ChatAccess,
    ChatMessages,
    ChannelChats,
    GroupsService,
    GroupsRepository,
    GroupChanges,
    MembersService,
    MembersRepository,
    AgentsRepository,
    DeparturesService,
    SettingsService,
    SettingsRepository,
  ],
  exports: [ChatsService, ChatMessages, ChannelChats],
})
export class ChatsModule {}
