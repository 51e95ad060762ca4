import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { FlowsService } from '../flows/flows.service.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { BotDecisions } from './bot-decisions.js';
import { FlowTestBody, HandOffBody, TestFlowsDto } from './bot.dto.js';
import { HandOffsService } from './hand-offs.service.js';

@ApiTags('Flows')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId`))
export class BotController {
  constructor(
    private readonly flows: FlowsService,
    private readonly decisions: BotDecisions,
    private readonly handOffs: HandOffsService,
  ) {}

  @Post('flows/test')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Says what the bot would do',
    description: 'Which rule would fire, and what it would send. Nothing is sent or stored.',
  })
  @ApiSuccess({ description: 'What it would do.', type: FlowTestBody })
  async test(@CurrentTenant() tenant: Tenant, @Body() dto: TestFlowsDto): Promise<Success<FlowTestBody>> {
    const { text = null, state = null, buttonId = null } = dto;
    const flows = await this.flows.readCompiled(tenant.id);
    const { answer, action, ...decision } = await this.decisions.decide(tenant, flows, {
      text,
      state,
      buttonId,
    });
    const shown = answer && { type: answer.type, text: answer.text, request: answer.request };
    return success('What the bot would do.', { ...decision, action: action && { ...action }, answer: shown });
  }

  @Post('conversations/:chatId/handoff')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Stops the bot for one customer',
    description: 'Until it is released: a person has taken over.',
  })
  @ApiSuccess({ description: 'It is stopped.', type: HandOffBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async handOff(
    @CurrentTenant() { id: tenantId }: Tenant,
    @Param('chatId') chatId: string,
  ): Promise<Success<HandOffBody>> {
    return success('A person has taken over.', await this.handOffs.set({ tenantId }, chatId, true));
  }

  @Post('conversations/:chatId/release')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Lets the bot answer one customer again',
    description: 'From the next message on, and without a state.',
  })
  @ApiSuccess({ description: 'It answers again.', type: HandOffBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async release(
    @CurrentTenant() { id: tenantId }: Tenant,
    @Param('chatId') chatId: string,
  ): Promise<Success<HandOffBody>> {
    return success('The bot has taken over.', await this.handOffs.set({ tenantId }, chatId, false));
  }
}
