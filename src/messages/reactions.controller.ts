import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { ReactDto } from './reactions.dto.js';
import { ReactionsService } from './reactions.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/messages/:messageId/reactions')
export class ReactionsController {
  constructor(private readonly reactions: ReactionsService) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Reacts to a message, or takes the reaction back',
    description:
      'A person has one reaction a message: another emoji replaces it, the same again changes nothing, "" removes it. ' +
      'It is kept in Unicode’s fully-qualified form: ❤ with U+FE0F and without it are one.',
  })
  @ApiSuccess({ description: 'The message.', type: MessageBody })
  @ApiFailures(
    'MESSAGE_NOT_FOUND',
    'MESSAGE_DELETED',
    'BLOCKED',
    'WINDOW_CLOSED',
    'NOT_IN_WHATSAPP',
    'UNPROCESSABLE',
  )
  async react(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
    @Body() dto: ReactDto,
  ): Promise<Success<MessageBody>> {
    const message = await this.reactions.react(me.userId, messageId, dto.emoji);
    return success(dto.emoji === '' ? 'Reaction removed.' : 'Reaction added.', message);
  }
}
