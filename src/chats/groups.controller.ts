import { Body, Controller, Param, Patch } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { Multipart, ReceivedFile } from '../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { ChatBody } from './chats.dto.js';
import { UpdateGroupDto } from './groups.dto.js';
import { GroupsService } from './groups.service.js';

@ApiTags('Groups')
@ApiBearerAuth()
@Controller('api/chats')
export class GroupsController {
  constructor(private readonly groups: GroupsService) {}

  @Patch(':chatId')
  @Multipart({ file: 'image' })
  @ApiOperation({
    summary: 'Renames a group or changes its picture',
    description:
      'By the owner and the admins. As JSON, where `image` is the id of an image that the caller has uploaded, or as a ' +
      'form with the picture. Each change leaves a SYSTEM message; what is the same already leaves none.',
  })
  @ApiSuccess({ description: 'The group.', type: ChatBody })
  @ApiFailures('CHAT_NOT_FOUND', 'NOT_A_GROUP', 'NOT_A_GROUP_ADMIN', 'MEDIA_NOT_FOUND', 'UNPROCESSABLE')
  async update(
    @CurrentUser() me: Principal,
    @Param('chatId') chatId: string,
    @Body() dto: UpdateGroupDto,
    @ReceivedFile() picturePath: string | undefined,
  ): Promise<Success<ChatBody>> {
    return success('The group.', await this.groups.update(me.userId, chatId, dto, picturePath));
  }
}
