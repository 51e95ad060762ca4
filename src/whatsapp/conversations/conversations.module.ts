import { Module } from '@nestjs/common';
import { ChatsModule } from '../../chats/chats.module.js';
import { MessagesModule } from '../../messages/messages.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AgentConversations } from './agent-conversations.service.js';
import { ConversationListsRepository } from './conversation-lists.repository.js';
import { ConversationLists } from './conversation-lists.service.js';
import { ConversationsController } from './conversations.controller.js';
import { ConversationViewsRepository } from './conversation-views.repository.js';
import { ConversationViews } from './conversation-views.service.js';
import { ConversationsService } from './conversations.service.js';
import { CustomersRepository } from './customers.repository.js';
import { TeamReadsRepository } from './team-reads.repository.js';
import { TeamReads } from './team-reads.service.js';
import { TenantConversationsController } from './tenant-conversations.controller.js';

@Module({
  imports: [TenantsModule, ChatsModule, MessagesModule],
  controllers: [ConversationsController, TenantConversationsController],
  providers: [
    AgentConversations,
    ConversationLists,
    ConversationListsRepository,
    ConversationsService,
    ConversationViews,
    ConversationViewsRepository,
    CustomersRepository,
    TeamReads,
    TeamReadsRepository,
  ],
  exports: [ConversationsService],
})
export class ConversationsModule {}
