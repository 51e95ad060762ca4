import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { Multipart, ReceivedFile } from '../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { ChatBody, CreateChatDto, ListChatsQuery } from './chats.dto.js';
import { ChatsService } from './chats.service.js';
import { GroupsService } from './groups.service.js';

@ApiTags('Chats')
@ApiBearerAuth()
@Controller('api/chats')
export class ChatsController {
  constructor(
    private readonly chats: ChatsService,
    private readonly groups: GroupsService,
  ) {}

  @Post()
  @Multipart({ file: 'image', lists: ['participantIds'] })
  @ApiOperation({
    summary: 'Creates a private chat or a group',
    description:
      'PRIVATE: with an accepted contact, or answers the chat there is: a pair never has two. GROUP: with accepted ' +
      'contacts of the caller, who is the owner; as JSON, or as a form with a picture.',
  })
  @ApiSuccess({ status: 201, description: 'The new chat.', type: ChatBody })
  @ApiSuccess({ status: 200, description: 'The private chat there was already.', type: ChatBody })
  @ApiFailures('NOT_A_CONTACT', 'BLOCKED', 'USER_NOT_FOUND', 'MEDIA_NOT_FOUND', 'GROUP_FULL', 'UNPROCESSABLE')
  async create(
    @CurrentUser() me: Principal,
    @Body() dto: CreateChatDto,
    @ReceivedFile() picturePath: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<ChatBody>> {
    if (dto.type === 'GROUP') {
      return success('Group created.', await this.groups.create(me.userId, dto, picturePath));
    }
    const { chat, created } = await this.chats.createPrivate(me.userId, dto);
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
