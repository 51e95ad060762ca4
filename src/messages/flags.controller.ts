import { Controller, Delete, Get, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { PageQuery } from '../infra/http/page.dto.js';
import type { Principal } from '../infra/http/request-context.js';
import { FlagsService } from './flags.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/messages')
export class FlagsController {
  constructor(private readonly flags: FlagsService) {}

  @Get('starred')
  @ApiOperation({
    summary: 'The caller’s starred messages, newest star first',
    description: 'Those of chats that the caller has left, and those deleted for everyone, are left out.',
  })
  @ApiSuccess({ description: 'A page of messages.', type: MessageBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async listStarred(
    @CurrentUser() me: Principal,
    @Query() query: PageQuery,
  ): Promise<Success<MessageBody[]>> {
    const { messages, page } = await this.flags.listStarred(me.userId, query);
    return success('Starred messages.', messages, page);
  }

  @Put(':messageId/star')
  @ApiOperation({ summary: 'Stars a message for the caller' })
  @ApiSuccess({ description: 'The message.', type: MessageBody })
  @ApiFailures('MESSAGE_NOT_FOUND', 'MESSAGE_DELETED')
  async star(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
  ): Promise<Success<MessageBody>> {
    return success('Message starred.', await this.flags.star(me.userId, messageId));
  }

  @Delete(':messageId/star')
  @ApiOperation({ summary: 'Takes the caller’s star back' })
  @ApiSuccess({ description: 'The message.', type: MessageBody })
  @ApiFailures('MESSAGE_NOT_FOUND')
  async unstar(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
  ): Promise<Success<MessageBody>> {
    return success('Star taken back.', await this.flags.unstar(me.userId, messageId));
  }
}
