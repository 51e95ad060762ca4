import { Body, Controller, Delete, Param, Patch } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { ChatBody } from './chats.dto.js';
import { ChatSettingsDto } from './settings.dto.js';
import { SettingsService } from './settings.service.js';

@ApiTags('Chats')
@ApiBearerAuth()
@Controller('api/chats')
export class SettingsController {
  constructor(private readonly settings: SettingsService) {}

  @Patch(':chatId/settings')
  @ApiOperation({
    summary: 'Mutes, pins, archives or marks a chat as unread, for the caller alone',
    description: 'What is left out stays as it is.',
  })
  @ApiSuccess({ description: 'The chat.', type: ChatBody })
  @ApiFailures('CHAT_NOT_FOUND')
  async update(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: ChatSettingsDto,
  ): Promise<Success<ChatBody>> {
    return success('Your settings of this chat.', await this.settings.update(me.userId, chatId, dto));
  }

  @Delete(':chatId')
  @ApiOperation({
    summary: 'Clears the caller’s copy of a chat',
    description: 'The history up to now is hidden from the caller alone, who stays in the chat.',
  })
  @ApiSuccess({ description: 'The history is hidden.' })
  @ApiFailures('CHAT_NOT_FOUND')
  async clear(@CurrentUser() me: Principal, @Param('chatId') chatId: string): Promise<Success<null>> {
    await this.settings.clear(me.userId, chatId);
    return success('The chat is cleared for you.', null);
  }
}
