import { Module } from '@nestjs/common';
import { BotModule } from './bot/bot.module.js';
import { ConversationsModule } from './conversations/conversations.module.js';
import { FlowsModule } from './flows/flows.module.js';
import { GraphModule } from './graph/graph.module.js';
import { HooksModule } from './hooks/hooks.module.js';
import { OutboundModule } from './outbound/outbound.module.js';
import { TemplatesModule } from './templates/templates.module.js';
import { TenantsModule } from './tenants/tenants.module.js';
import { WebhookModule } from './webhook/webhook.module.js';

/** The WhatsApp channel, from its lowest part to its highest. */
@Module({
  imports: [
    TenantsModule,
    GraphModule,
    TemplatesModule,
    FlowsModule,
    ConversationsModule,
    HooksModule,
    OutboundModule,
    BotModule,
    WebhookModule,
  ],
})
export class WhatsappModule {}
