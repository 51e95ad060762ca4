import { Module } from '@nestjs/common';
import { ChatsModule } from '../../chats/chats.module.js';
import { MediaModule } from '../../media/media.module.js';
import { MessagesModule } from '../../messages/messages.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { GraphModule } from '../graph/graph.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AgentSends } from './agent-sends.js';
import { ApiSends } from './api-sends.service.js';
import { BusinessReactions } from './business-reactions.js';
import { DispatchRepository } from './dispatch.repository.js';
import { Dispatcher } from './dispatcher.js';
import { FailedMessagesController } from './failed-messages.controller.js';
import { FailedMessages } from './failed-messages.service.js';
import { MessageSender } from './message-sender.js';
import { ReactionSender } from './reaction-sender.js';
import { OutgoingReactionsRepository } from './reactions.repository.js';
import { ReadReceipts } from './read-receipts.js';
import { ReadReceiptsRepository } from './read-receipts.repository.js';
import { SendQueue } from './send-queue.js';
import { SendRepository } from './send.repository.js';
import { SendService } from './send.service.js';
import { SendsController } from './sends.controller.js';
import { TenantTroubles } from './tenant-troubles.js';

/** Sending to customers: accepting, dispatching, and what the customer is shown of the team. */
@Module({
  imports: [TenantsModule, GraphModule, ConversationsModule, ChatsModule, MessagesModule, MediaModule],
  controllers: [SendsController, FailedMessagesController],
  providers: [
    AgentSends,
    ApiSends,
    BusinessReactions,
    DispatchRepository,
    Dispatcher,
    FailedMessages,
    MessageSender,
    OutgoingReactionsRepository,
    ReactionSender,
    ReadReceipts,
    ReadReceiptsRepository,
    SendQueue,
    SendRepository,
    SendService,
    TenantTroubles,
  ],
  exports: [ApiSends, SendService, TenantTroubles, SendQueue],
})
export class OutboundModule {}
