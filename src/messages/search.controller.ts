import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MessageBody } from '../chats/message.dto.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { SearchMessagesQuery } from './search.dto.js';
import { SearchService } from './search.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@Controller('api/chats/messages/search')
export class SearchController {
  constructor(private readonly searches: SearchService) {}

  @Get()
  @ApiOperation({
    summary: 'Full-text search in the messages that the caller may see, newest first',
    description: 'A query without a letter, a digit or an emoji finds nothing.',
  })
  @RateLimit('searches')
  @ApiSuccess({ description: 'A page of messages.', type: MessageBody, isArray: true, paged: true })
  @ApiFailures('CHAT_NOT_FOUND', 'INVALID_CURSOR')
  async search(
    @CurrentUser() me: Principal,
    @Query() query: SearchMessagesQuery,
  ): Promise<Success<MessageBody[]>> {
    const { messages, page } = await this.searches.search(me.userId, query);
    return success('Messages found.', messages, page);
  }
}
