import { Body, Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import type { Principal } from '../infra/http/request-context.js';
import { SyncBody, SyncDto } from './sync.dto.js';
import { SyncService } from './sync.service.js';

@ApiTags('Sync')
@ApiBearerAuth()
@Controller('api/sync')
export class SyncController {
  constructor(private readonly service: SyncService) {}

  @Post()
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'What changed for the caller since a cursor',
    description:
      'Without a cursor: everything, of each chat the newest 50 messages. Apply the pages in their order and ask ' +
      'again while `hasMore` is true. Nothing is ever left out; something may come twice. What follows from a chat ' +
      'is not repeated in its messages: drop those below `my.firstSeq`, and read their `status` off the marks in ' +
      '`others` and `my`. 410 SYNC_RESET: forget everything and start without a cursor.',
  })
  @ApiSuccess({ description: 'A page of changes.', type: SyncBody })
  @ApiFailures('INVALID_CURSOR', 'SYNC_RESET')
  async sync(@CurrentUser() me: Principal, @Body() dto: SyncDto): Promise<Success<SyncBody>> {
    return success('What has changed.', await this.service.sync(me.userId, dto));
  }
}
