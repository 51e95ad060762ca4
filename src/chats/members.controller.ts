import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { ChatBody, MemberBody } from './chats.dto.js';
import { AddMembersDto, ListMembersQuery, SetRoleDto } from './members.dto.js';
import { MembersService } from './members.service.js';

@ApiTags('Groups')
@ApiBearerAuth()
@Controller('api/chats/:chatId')
export class MembersController {
  constructor(private readonly members: MembersService) {}

  @Get('members')
  @ApiOperation({
    summary: 'Who is in a chat',
    description: 'All members in the order in which they joined, or those whose names begin with `query`.',
  })
  @ApiSuccess({ description: 'A page of members.', type: MemberBody, isArray: true, paged: true })
  @ApiFailures('CHAT_NOT_FOUND', 'INVALID_CURSOR')
  async list(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Query() query: ListMembersQuery,
  ): Promise<Success<MemberBody[]>> {
    const { members, page } = await this.members.list(me.userId, chatId, query);
    return success('The members.', members, page);
  }

  @Post('members')
  @ApiOperation({
    summary: 'Adds contacts of the caller to a group',
    description:
      'By the owner and the admins: all of those named, or nobody. Who is in the group already stays as they are. Who ' +
      'joins or comes back sees the messages from their joining on. Leaves one SYSTEM message.',
  })
  @ApiSuccess({ status: 201, description: 'The group with its new members.', type: ChatBody })
  @ApiSuccess({ status: 200, description: 'The group: they were all in it already.', type: ChatBody })
  @ApiFailures(
    'CHAT_NOT_FOUND',
    'USER_NOT_FOUND',
    'NOT_A_GROUP',
    'NOT_A_GROUP_ADMIN',
    'NOT_A_CONTACT',
    'BLOCKED',
    'GROUP_FULL',
  )
  async add(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: AddMembersDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<ChatBody>> {
    const { chat, added } = await this.members.add(me.userId, chatId, dto.userIds);
    if (!added) response.status(HttpStatus.OK);
    return success(added ? 'Added to the group.' : 'They are in the group already.', chat);
  }

  @Delete('members/:userId')
  @ApiOperation({
    summary: 'Removes somebody from a group',
    description:
      'The owner removes anybody, an admin anybody but the owner. Once this is answered, nothing that is committed later reaches the ' +
      'one who was removed. Leaves a SYSTEM message, which they do not see.',
  })
  @ApiSuccess({ description: 'They are out of the group.' })
  @ApiFailures(
    'CHAT_NOT_FOUND',
    'MEMBER_NOT_FOUND',
    'NOT_A_GROUP',
    'NOT_A_GROUP_ADMIN',
    'NOT_THE_GROUP_OWNER',
    'UNPROCESSABLE',
  )
  async remove(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Param('userId') userId: string,
  ): Promise<Success<null>> {
    await this.members.remove(me.userId, chatId, userId);
    return success('Removed from the group.', null);
  }

  @Patch('members/:userId')
  @ApiOperation({
    summary: 'Gives a member a role',
    description:
      'By the owner. OWNER hands the group over. Leaves a SYSTEM message if the role is a new one.',
  })
  @ApiSuccess({ description: 'The member.', type: MemberBody })
  @ApiFailures('CHAT_NOT_FOUND', 'MEMBER_NOT_FOUND', 'NOT_A_GROUP', 'NOT_THE_GROUP_OWNER', 'UNPROCESSABLE')
  async setRole(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Param('userId') userId: string,
    @Body() dto: SetRoleDto,
  ): Promise<Success<MemberBody>> {
    return success('The member.', await this.members.setRole(me.userId, chatId, userId, dto.role));
  }

  @Post('leave')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Leaves a group',
    description:
      'An owner hands the group over to the admin, else the member, who has been in it for longest. Leaves a SYSTEM ' +
      'message, which the caller does not see.',
  })
  @ApiSuccess({ description: 'The caller is out of the group.' })
  @ApiFailures('CHAT_NOT_FOUND', 'NOT_A_GROUP')
  async leave(@CurrentUser() me: Principal, @Param('chatId') chatId: string): Promise<Success<null>> {
    await this.members.leave(me.userId, chatId);
    return success('You have left the group.', null);
  }
}
