import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { ListMessagesQuery, SendMessageDto } from './messages.dto.js';
import { MessagesService } from './messages.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/:chatId/messages')
export class MessagesController {
  constructor(private readonly messages: MessagesService) {}

  @Post()
  @ApiOperation({
    summary: 'Sends a message',
    description: 'The same `clientId` again answers 200 and the first message, however often.',
  })
  @RateLimit('messages')
  @ApiSuccess({ status: 201, description: 'The new message, committed.', type: MessageBody })
  @ApiSuccess({
    status: 200,
    description: 'The message sent with this `clientId` before.',
    type: MessageBody,
  })
  @ApiFailures('CHAT_NOT_FOUND', 'MESSAGE_NOT_FOUND', 'BLOCKED')
  async send(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: SendMessageDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<MessageBody>> {
    const { message, created } = await this.messages.send(me.userId, chatId, dto);
    if (!created) response.status(HttpStatus.OK);
    return success(created ? 'Message sent.' : 'This message was sent before.', message);
  }

  @Get()
  @ApiOperation({
    summary: 'A page of history: newest first, or oldest first after a seq, or both sides of one',
  })
  @ApiSuccess({ description: 'A page of messages.', type: MessageBody, isArray: true, paged: true })
  @ApiFailures('CHAT_NOT_FOUND', 'INVALID_CURSOR')
  async list(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Query() query: ListMessagesQuery,
  ): Promise<Success<MessageBody[]>> {
    const { messages, page } = await this.messages.list(me.userId, chatId, query);
    return success('Messages of the chat.', messages, page);
  }
}
