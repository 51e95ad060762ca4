import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { ChatBody, CreateChatDto, ListChatsQuery } from './chats.dto.js';
import { ChatsService } from './chats.service.js';

@ApiTags('Chats')
@ApiBearerAuth()
@Controller('api/chats')
export class ChatsController {
  constructor(private readonly chats: ChatsService) {}

  @Post()
  @ApiOperation({
    summary:
      'Creates a private chat with an accepted contact, or answers the one there is: a pair never has two',
  })
  @ApiSuccess({ status: 201, description: 'The new chat.', type: ChatBody })
  @ApiSuccess({ status: 200, description: 'The chat there was already.', type: ChatBody })
  @ApiFailures('NOT_A_CONTACT', 'BLOCKED', 'USER_NOT_FOUND')
  async create(
    @CurrentUser() me: Principal,
    @Body() dto: CreateChatDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<ChatBody>> {
    const { chat, created } = await this.chats.create(me.userId, dto);
    if (!created) response.status(HttpStatus.OK);
    return success(created ? 'Chat created.' : 'You have this chat already.', chat);
  }

  @Get()
  @ApiOperation({ summary: 'The caller’s chats: pinned first, then by last activity' })
  @ApiSuccess({ description: 'A page of chats.', type: ChatBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@CurrentUser() me: Principal, @Query() query: ListChatsQuery): Promise<Success<ChatBody[]>> {
    const { chats, page } = await this.chats.list(me.userId, query);
    return success('Your chats.', chats, page);
  }

  @Get(':chatId')
  @ApiOperation({ summary: 'One chat of the caller’s' })
  @ApiSuccess({ description: 'The chat.', type: ChatBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async get(@CurrentUser() me: Principal, @Param('chatId') chatId: string): Promise<Success<ChatBody>> {
    return success('The chat.', await this.chats.get(me.userId, chatId));
  }
}
