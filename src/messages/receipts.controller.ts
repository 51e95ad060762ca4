import { Body, Controller, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { MarksBody, MarkUpToDto, RecipientReceiptBody, ReportStatusDto } from './messages.dto.js';
import { MessagesService } from './messages.service.js';
import { ReceiptsService } from './receipts.service.js';

@ApiTags('Receipts')
@ApiBearerAuth()
@Controller('api/chats')
export class ReceiptsController {
  constructor(
    private readonly receipts: ReceiptsService,
    private readonly messages: MessagesService,
  ) {}

  @Post(':chatId/messages/delivered')
  @ApiOperation({ summary: 'Confirms that messages reached the caller’s device' })
  @HttpCode(200)
  @ApiSuccess({ description: 'The caller’s marks.', type: MarksBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async markDelivered(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: MarkUpToDto,
  ): Promise<Success<MarksBody>> {
    const marks = await this.receipts.markDelivered({ userId: me.userId, chatId, upToSeq: dto.upToSeq });
    return success('Marked as delivered.', marks);
  }

  @Post(':chatId/messages/read')
  @ApiOperation({ summary: 'Reports that the caller has read messages; reading also delivers' })
  @HttpCode(200)
  @ApiSuccess({ description: 'The caller’s marks.', type: MarksBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async markRead(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: MarkUpToDto,
  ): Promise<Success<MarksBody>> {
    const marks = await this.receipts.markRead({ userId: me.userId, chatId, upToSeq: dto.upToSeq });
    return success('Marked as read.', marks);
  }

  @Patch('messages/:messageId/status')
  @ApiOperation({ summary: 'Reports a message, and all before it in the chat, as delivered or read' })
  @ApiSuccess({ description: 'The caller’s marks in the chat.', type: MarksBody })
  @ApiFailures('MESSAGE_NOT_FOUND')
  async reportStatus(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
    @Body() dto: ReportStatusDto,
  ): Promise<Success<MarksBody>> {
    return success('Status reported.', await this.receipts.reportStatus(me.userId, messageId, dto.status));
  }

  @Get('messages/:messageId/receipts')
  @ApiOperation({ summary: 'When each recipient received and read a message of the caller’s' })
  @ApiSuccess({ description: 'One entry a recipient.', type: RecipientReceiptBody, isArray: true })
  @ApiFailures('MESSAGE_NOT_FOUND', 'FORBIDDEN')
  async listReceipts(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
  ): Promise<Success<RecipientReceiptBody[]>> {
    return success('Receipts of the message.', await this.messages.listReceipts(me.userId, messageId));
  }
}
