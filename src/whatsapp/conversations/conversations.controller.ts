import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { MessageBody } from '../../chats/message.dto.js';
import { CurrentUser } from '../../infra/http/decorators.js';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { RateLimit } from '../../infra/http/rate-limit.guard.js';
import { RateLimits } from '../../infra/http/rate-limits.js';
import type { Principal } from '../../infra/http/request-context.js';
import { AgentConversations } from './agent-conversations.service.js';
import {
  AgentMessagesQuery,
  ConversationBody,
  ConversationsQuery,
  CustomerMessagesQuery,
  SendToCustomerDto,
  TenantQuery,
} from './conversations.dto.js';

@ApiTags('Conversations')
@ApiBearerAuth()
@Controller()
export class ConversationsController {
  constructor(
    private readonly conversations: AgentConversations,
    private readonly limits: RateLimits,
  ) {}

  @Get(['api/conversations', 'api/messages/conversations'])
  @ApiOperation({
    summary: 'The customers of the tenant that the caller works for, the last active first',
    description: 'One row a customer. Empty for who works for no tenant.',
  })
  @ApiSuccess({ description: 'A page of conversations.', type: ConversationBody, isArray: true, paged: true })
  @ApiFailures('SEVERAL_TENANTS', 'TENANT_NOT_FOUND', 'INVALID_CURSOR')
  async list(
    @CurrentUser() me: Principal,
    @Query() query: ConversationsQuery,
  ): Promise<Success<ConversationBody[]>> {
    const { conversations, page } = await this.conversations.list(me.userId, query);
    return success('Conversations.', conversations, page);
  }

  @Get('api/messages')
  @ApiOperation({
    summary: 'The messages of all customers, newest first, or those that hold a query',
    description: 'Empty for who works for no tenant.',
  })
  @ApiSuccess({ description: 'A page of messages.', type: MessageBody, isArray: true, paged: true })
  @ApiFailures('SEVERAL_TENANTS', 'TENANT_NOT_FOUND', 'INVALID_CURSOR')
  async listMessages(
    @CurrentUser() me: Principal,
    @Query() query: AgentMessagesQuery,
  ): Promise<Success<MessageBody[]>> {
    if (query.query !== undefined) await this.limits.consume('searches', me.userId);
    const { messages, page } = await this.conversations.listMessages(me.userId, query);
    return success('Messages of all customers.', messages, page);
  }

  @Get('api/messages/:waId')
  @ApiOperation({
    summary: 'A page of the messages of one customer',
    description:
      'The customer’s number in any usual form, or their business-scoped id. Pages are those of `GET /api/chats/{chatId}/messages`.',
  })
  @ApiSuccess({ description: 'A page of messages.', type: MessageBody, isArray: true, paged: true })
  @ApiFailures('CUSTOMER_NOT_FOUND', 'SEVERAL_TENANTS', 'TENANT_NOT_FOUND', 'INVALID_CURSOR')
  async listOfCustomer(
    @CurrentUser() me: Principal,
    @Param('waId') waId: string,
    @Query() query: CustomerMessagesQuery,
  ): Promise<Success<MessageBody[]>> {
    const { messages, page } = await this.conversations.listOfCustomer(me.userId, waId, query);
    return success('Messages of the customer.', messages, page);
  }

  @Post(['api/messages', 'send-message'])
  @ApiOperation({
    summary: 'Sends a text to a customer',
    description:
      'Committed as QUEUED before the answer. `from` and `to` are ignored: the number is the tenant’s. Free text may be sent for 24 hours after the customer’s last message.',
  })
  @RateLimit('messages')
  @ApiSuccess({ status: 201, description: 'The new message, committed.', type: MessageBody })
  @ApiSuccess({
    status: 200,
    description: 'The message sent with this `clientId` before.',
    type: MessageBody,
  })
  @ApiFailures('WINDOW_CLOSED', 'SEVERAL_TENANTS', 'TENANT_NOT_FOUND', 'CHAT_NOT_FOUND')
  async send(
    @CurrentUser() me: Principal,
    @Query() { tenantId }: TenantQuery,
    @Body() dto: SendToCustomerDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<MessageBody>> {
    const { message, created } = await this.conversations.send(me.userId, tenantId, dto);
    if (!created) response.status(HttpStatus.OK);
    return success(created ? 'Message sent.' : 'This message was sent before.', message);
  }
}
