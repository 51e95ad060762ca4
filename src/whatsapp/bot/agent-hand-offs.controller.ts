import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../../infra/http/decorators.js';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import type { Principal } from '../../infra/http/request-context.js';
import { HandOffBody } from './bot.dto.js';
import { HandOffsService } from './hand-offs.service.js';

@ApiTags('Conversations')
@ApiBearerAuth()
@Controller('api/conversations/:chatId')
export class AgentHandOffsController {
  constructor(private readonly handOffs: HandOffsService) {}

  @Post('handoff')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Takes a customer over from the bot',
    description: 'It answers them no more until it is released.',
  })
  @ApiSuccess({ description: 'The bot is stopped.', type: HandOffBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async handOff(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
  ): Promise<Success<HandOffBody>> {
    const { userId: agentId } = me;
    return success('You have taken over.', await this.handOffs.set({ agentId }, chatId, true));
  }

  @Post('release')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Gives a customer back to the bot',
    description: 'From their next message on, and without a state.',
  })
  @ApiSuccess({ description: 'The bot answers again.', type: HandOffBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async release(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
  ): Promise<Success<HandOffBody>> {
    const { userId: agentId } = me;
    return success('The bot has taken over.', await this.handOffs.set({ agentId }, chatId, false));
  }
}
