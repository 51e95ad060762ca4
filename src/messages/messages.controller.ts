import { Body, Controller, Get, HttpStatus, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { FormReader, isForm } from '../infra/http/form-reader.js';
import { TakesForm } from '../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { UPLOAD_LIMITS } from '../media/file-kinds.js';
import { validateInput } from '../infra/http/validate.js';
import { HistoryService } from './history.service.js';
import { ListMessagesQuery, SendMessageDto } from './messages.dto.js';
import { MessagesService, type SendResult } from './messages.service.js';

const MEDIA_FORM = { file: 'media', lists: ['mentions'], limits: UPLOAD_LIMITS };

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/:chatId/messages')
export class MessagesController {
  constructor(
    private readonly messages: MessagesService,
    private readonly history: HistoryService,
    private readonly forms: FormReader,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Sends a message',
    description:
      'The same `clientId` again answers 200 and the first message, however often. A file is named by `mediaId`, or comes in the same form; its kind is the type of the message.',
  })
  @RateLimit('messages')
  @TakesForm(MEDIA_FORM)
  @ApiSuccess({ status: 201, description: 'The new message, committed.', type: MessageBody })
  @ApiSuccess({
    status: 200,
    description: 'The message sent with this `clientId` before.',
    type: MessageBody,
  })
  @ApiFailures(
    'CHAT_NOT_FOUND',
    'MESSAGE_NOT_FOUND',
    'MEDIA_NOT_FOUND',
    'BLOCKED',
    'WINDOW_CLOSED',
    'NOT_IN_WHATSAPP',
    'UNPROCESSABLE',
    'MEDIA_INFECTED',
  )
  async send(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: SendMessageDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<MessageBody>> {
    const { message, created } = isForm(request)
      ? await this.sendForm(me.userId, chatId, request, response)
      : await this.messages.send(me.userId, chatId, dto);
    if (!created) response.status(HttpStatus.OK);
    return success(created ? 'Message sent.' : 'This message was sent before.', message);
  }

  private sendForm(
    senderId: string,
    chatId: string,
    request: Request,
    response: Response,
  ): Promise<SendResult> {
    return this.forms.read(MEDIA_FORM, request, response, (fields, file) => {
      const dto = validateInput(SendMessageDto, fields);
      return file
        ? this.messages.sendUpload(senderId, chatId, dto, file)
        : this.messages.send(senderId, chatId, dto);
    });
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
    const { messages, page } = await this.history.list(me.userId, chatId, query);
    return success('Messages of the chat.', messages, page);
  }
}
