import { Module } from '@nestjs/common';
import { ChatsModule } from '../../chats/chats.module.js';
import { MediaModule } from '../../media/media.module.js';
import { MessagesModule } from '../../messages/messages.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { GraphModule } from '../graph/graph.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AccountEvents } from './account-events.js';
import { DeadLettersController, TenantDeadLettersController } from './dead-letters.controller.js';
import { DeadLettersRepository } from './dead-letters.repository.js';
import { DeadLettersService } from './dead-letters.service.js';
import { EchoesRepository } from './echoes.repository.js';
import { ItemApplier } from './item-applier.js';
import { MediaFetchRepository } from './media-fetch.repository.js';
import { MediaFetcher } from './media-fetcher.js';
import { MediaWakeups } from './media-wakeups.js';
import { MediaWorker } from './media-worker.js';
import { MessageApplier } from './message-applier.js';
import { NumberTenants } from './number-tenants.js';
import { PendingStatusesRepository } from './pending-statuses.repository.js';
import { SamplePayloads } from './sample-payloads.js';
import { SendFailures } from './send-failures.js';
import { WebhookEdge } from './webhook-edge.js';
import { WebhookEventsRepository } from './webhook-events.repository.js';
import { WebhookInbox } from './webhook-inbox.js';
import { WebhookMetrics } from './webhook-metrics.js';
import { WebhookProcessor } from './webhook-processor.js';
import { WebhookSweep } from './webhook-sweep.js';
import { WebhookController } from './webhook.controller.js';

@Module({
  imports: [
    TenantsModule,
    GraphModule,
    ConversationsModule,
    TemplatesModule,
    OutboundModule,
    ChatsModule,
    MessagesModule,
    MediaModule,
  ],
  controllers: [WebhookController, DeadLettersController, TenantDeadLettersController],
  providers: [
    WebhookEdge,
    WebhookInbox,
    WebhookProcessor,
    WebhookSweep,
    WebhookMetrics,
    WebhookEventsRepository,
    DeadLettersService,
    DeadLettersRepository,
    PendingStatusesRepository,
    SamplePayloads,
    ItemApplier,
    MessageApplier,
    NumberTenants,
    EchoesRepository,
    SendFailures,
    AccountEvents,
    MediaWakeups,
    MediaWorker,
    MediaFetcher,
    MediaFetchRepository,
  ],
  exports: [SamplePayloads],
})
export class WebhookModule {}
