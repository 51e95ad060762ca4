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
import { PageQuery } from '../infra/http/page.dto.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { BlocksService } from './blocks.service.js';
import {
  BlockedUserBody,
  ContactBody,
  OtherPersonDto,
  SearchPeopleQuery,
  SearchResultBody,
} from './contacts.dto.js';
import { ContactsService } from './contacts.service.js';
import { PeopleService } from './people.service.js';

@ApiTags('Contacts')
@ApiBearerAuth()
@Controller('api/contacts')
export class ContactsController {
  constructor(
    private readonly contacts: ContactsService,
    private readonly blocks: BlocksService,
    private readonly people: PeopleService,
  ) {}

  @Post('request')
  @ApiOperation({
    summary: 'Ask somebody to become a contact',
    description:
      'If they have asked the caller already, this accepts their request and answers 200. People who have blocked ' +
      'the caller, or whom the caller has blocked, are answered like unknown ones.',
  })
  @ApiSuccess({ status: 201, description: 'the request', type: ContactBody })
  @ApiSuccess({ status: 200, description: 'the contact: they had asked already', type: ContactBody })
  @ApiFailures('USER_NOT_FOUND', 'CONTACT_EXISTS', 'UNPROCESSABLE')
  async request(
    @CurrentUser() me: Principal,
    @Body() { userId }: OtherPersonDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<ContactBody>> {
    const { contact, accepted } = await this.contacts.request(me.userId, userId);
    if (!accepted) return success('The request is sent.', contact);
    response.status(HttpStatus.OK);
    return success('They had asked you already: you are contacts now.', contact);
  }

  @Patch('request/:contactId/accept')
  @ApiOperation({ summary: 'Accept a request', description: 'Only the person who was asked can.' })
  @ApiSuccess({ description: 'the contact', type: ContactBody })
  @ApiFailures('CONTACT_NOT_FOUND', 'FORBIDDEN', 'CONFLICT')
  async accept(
    @CurrentUser() me: Principal,
    @Param('contactId') contactId: string,
  ): Promise<Success<ContactBody>> {
    return success('You are contacts now.', await this.contacts.accept(me.userId, contactId));
  }

  @Delete('request/:contactId/reject')
  @ApiOperation({ summary: 'Decline a request', description: 'Only the person who was asked can.' })
  @ApiSuccess({ description: 'the request is gone' })
  @ApiFailures('CONTACT_NOT_FOUND', 'FORBIDDEN', 'CONFLICT')
  async reject(@CurrentUser() me: Principal, @Param('contactId') contactId: string): Promise<Success<null>> {
    await this.contacts.reject(me.userId, contactId);
    return success('The request is declined.', null);
  }

  @Delete(':contactId')
  @ApiOperation({
    summary: 'End a contact',
    description: 'Either side can; withdraws a request of one’s own too.',
  })
  @ApiSuccess({ description: 'the contact is gone' })
  @ApiFailures('CONTACT_NOT_FOUND')
  async remove(@CurrentUser() me: Principal, @Param('contactId') contactId: string): Promise<Success<null>> {
    await this.contacts.remove(me.userId, contactId);
    return success('The contact is removed.', null);
  }

  @Get()
  @ApiOperation({
    summary: 'Accepted contacts',
    description: 'Newest first. Contacts with a block on either side are left out until it is taken back.',
  })
  @ApiSuccess({ description: 'a page of contacts', type: ContactBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@CurrentUser() me: Principal, @Query() query: PageQuery): Promise<Success<ContactBody[]>> {
    const { items, nextCursor } = await this.contacts.listAccepted(me.userId, query);
    return success('Your contacts.', items, { nextCursor });
  }

  @Get('pending')
  @ApiOperation({
    summary: 'Requests that wait for an answer',
    description: 'Incoming and outgoing in one list, told apart by `requestedByMe`; newest first.',
  })
  @ApiSuccess({ description: 'a page of requests', type: ContactBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async pending(@CurrentUser() me: Principal, @Query() query: PageQuery): Promise<Success<ContactBody[]>> {
    const { items, nextCursor } = await this.contacts.listPending(me.userId, query);
    return success('Requests that wait for an answer.', items, { nextCursor });
  }

  @Post('block')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Block somebody',
    description: 'Works with or without a contact, which stays as it is. Blocking again changes nothing.',
  })
  @ApiSuccess({ description: 'the block', type: BlockedUserBody })
  @ApiFailures('USER_NOT_FOUND', 'UNPROCESSABLE')
  async block(
    @CurrentUser() me: Principal,
    @Body() { userId }: OtherPersonDto,
  ): Promise<Success<BlockedUserBody>> {
    return success('This person is blocked.', await this.blocks.block(me.userId, userId));
  }

  @Patch('unblock/:userId')
  @ApiOperation({
    summary: 'Take a block back',
    description: 'What was before it, contact or request, holds again.',
  })
  @ApiSuccess({ description: 'the block is gone' })
  @ApiFailures('USER_NOT_FOUND')
  async unblock(@CurrentUser() me: Principal, @Param('userId') userId: string): Promise<Success<null>> {
    await this.blocks.unblock(me.userId, userId);
    return success('This person is no longer blocked.', null);
  }

  @Get('blocked')
  @ApiOperation({ summary: 'Whom the caller has blocked', description: 'Newest first.' })
  @ApiSuccess({ description: 'a page of blocked people', type: BlockedUserBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async blocked(
    @CurrentUser() me: Principal,
    @Query() query: PageQuery,
  ): Promise<Success<BlockedUserBody[]>> {
    const { items, nextCursor } = await this.blocks.list(me.userId, query);
    return success('People you have blocked.', items, { nextCursor });
  }

  @Get('search')
  @RateLimit('searches')
  @ApiOperation({
    summary: 'Find people',
    description:
      'By the beginning of a name (case and accents do not matter), a whole e-mail address or a whole phone ' +
      'number, in the order of their names. People who have blocked the caller are not found.',
  })
  @ApiSuccess({ description: 'a page of people', type: SearchResultBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async search(
    @CurrentUser() me: Principal,
    @Query() query: SearchPeopleQuery,
  ): Promise<Success<SearchResultBody[]>> {
    const { items, nextCursor } = await this.people.search(me.userId, query);
    return success('The people found.', items, { nextCursor });
  }
}
