import { Body, Controller, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import { RateLimits } from '../infra/http/rate-limits.js';
import type { Principal } from '../infra/http/request-context.js';
import { ForwardMessageDto } from './forwarding.dto.js';
import { ForwardingService } from './forwarding.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/messages/:messageId/forward')
export class ForwardingController {
  constructor(
    private readonly forwarding: ForwardingService,
    private readonly limits: RateLimits,
  ) {}

  @Post()
  @RateLimit('messages')
  @ApiOperation({
    summary: 'Sends a message on to other chats',
    description:
      'To all of `chatIds` or to none. Text and medium are sent, what it replies to and its mentions are not. ' +
      'From WhatsApp, what is neither text nor a file goes on as its text; into WhatsApp nothing is forwarded. ' +
      'Every chat counts as one message against the limit.',
  })
  @ApiSuccess({
    status: 201,
    description: 'The new messages, in the order of `chatIds`.',
    type: MessageBody,
    isArray: true,
  })
  @ApiFailures(
    'MESSAGE_NOT_FOUND',
    'CHAT_NOT_FOUND',
    'BLOCKED',
    'MESSAGE_DELETED',
    'NOT_IN_WHATSAPP',
    'UNPROCESSABLE',
  )
  async forward(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
    @Body() dto: ForwardMessageDto,
  ): Promise<Success<MessageBody[]>> {
    // The guard has taken the first.
    if (dto.chatIds.length > 1) await this.limits.consume('messages', me.userId, dto.chatIds.length - 1);
    const messages = await this.forwarding.forward(me.userId, messageId, dto.chatIds);
    return success('Message forwarded.', messages);
  }
}
