import { Module } from '@nestjs/common';
import { MessagesModule } from '../../messages/messages.module.js';
import { ConversationsModule } from '../conversations/conversations.module.js';
import { FlowsModule } from '../flows/flows.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AgentHandOffsController } from './agent-hand-offs.controller.js';
import { BotAnswers } from './bot-answers.js';
import { BotController } from './bot.controller.js';
import { BotDecisions } from './bot-decisions.js';
import { BotRepository } from './bot.repository.js';
import { BotService } from './bot.service.js';
import { HandOffsRepository } from './hand-offs.repository.js';
import { HandOffsService } from './hand-offs.service.js';
import { TemplateSendsController } from './template-sends.controller.js';
import { TemplateSendsService } from './template-sends.service.js';

@Module({
  imports: [TenantsModule, TemplatesModule, FlowsModule, ConversationsModule, OutboundModule, MessagesModule],
  controllers: [TemplateSendsController, BotController, AgentHandOffsController],
  providers: [
    BotAnswers,
    BotDecisions,
    BotRepository,
    BotService,
    HandOffsRepository,
    HandOffsService,
    TemplateSendsService,
  ],
})
export class BotModule {}
