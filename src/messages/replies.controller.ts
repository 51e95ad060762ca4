import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { PageQuery } from '../infra/http/page.dto.js';
import type { Principal } from '../infra/http/request-context.js';
import { RepliesService } from './replies.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/messages/:messageId/replies')
export class RepliesController {
  constructor(private readonly replies: RepliesService) {}

  @Get()
  @ApiOperation({ summary: 'The replies to a message, oldest first' })
  @ApiSuccess({ description: 'A page of messages.', type: MessageBody, isArray: true, paged: true })
  @ApiFailures('MESSAGE_NOT_FOUND', 'INVALID_CURSOR')
  async list(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
    @Query() query: PageQuery,
  ): Promise<Success<MessageBody[]>> {
    const { messages, page } = await this.replies.list(me.userId, messageId, query);
    return success('Replies to the message.', messages, page);
  }
}
