import { Body, Controller, Delete, Param, Patch, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { FlagsService } from './flags.service.js';
import { DeleteMessageQuery, EditMessageDto } from './revisions.dto.js';
import { RevisionsService } from './revisions.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/messages/:messageId')
export class RevisionsController {
  constructor(
    private readonly revisions: RevisionsService,
    private readonly flags: FlagsService,
  ) {}

  @Patch()
  @ApiOperation({
    summary: 'Edits the text of the caller’s own message, within 15 minutes',
    description:
      'The caption of an image, a video, an audio or a document is its text. Replies show the new text in `replyTo`. ' +
      'The same text again changes nothing. What was sent through WhatsApp stays as it is.',
  })
  @ApiSuccess({ description: 'The message.', type: MessageBody })
  @ApiFailures(
    'MESSAGE_NOT_FOUND',
    'NOT_YOUR_MESSAGE',
    'BLOCKED',
    'EDIT_WINDOW',
    'NOT_IN_WHATSAPP',
    'MESSAGE_DELETED',
    'UNPROCESSABLE',
  )
  async edit(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
    @Body() dto: EditMessageDto,
  ): Promise<Success<MessageBody>> {
    return success('Message edited.', await this.revisions.edit(me.userId, messageId, dto.text));
  }

  @Delete()
  @ApiOperation({
    summary: 'Deletes a message for the caller, or for everyone',
    description:
      'For the caller: it is no longer there, and every route that names it answers 404. For everyone: one’s own ' +
      'within 48 hours, and any but a SYSTEM message for the owner and the admins of a group; the message keeps its ' +
      'place, emptied, and deleting it again changes nothing.',
  })
  @ApiSuccess({ description: 'Deleted.' })
  @ApiFailures('MESSAGE_NOT_FOUND', 'NOT_YOUR_MESSAGE', 'DELETE_WINDOW', 'NOT_IN_WHATSAPP', 'UNPROCESSABLE')
  async delete(
    @CurrentUser() me: Principal,
    @Param('messageId') messageId: string,
    @Query() query: DeleteMessageQuery,
  ): Promise<Success<null>> {
    if (query.for === 'everyone') {
      await this.revisions.deleteForEveryone(me.userId, messageId);
      return success('Message deleted for everyone.', null);
    }
    await this.flags.hide(me.userId, messageId);
    return success('Message deleted for you.', null);
  }
}
