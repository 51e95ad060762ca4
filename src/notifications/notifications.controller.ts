import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CONFIG, type Config } from '../infra/config/config.js';
import { CurrentUser } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { PageQuery } from '../infra/http/page.dto.js';
import type { Principal } from '../infra/http/request-context.js';
import {
  NotificationCountsBody,
  NotificationsBody,
  NotificationTotalBody,
  PushSetUpBody,
} from './notifications.dto.js';
import { NotificationsService } from './notifications.service.js';

@ApiTags('Notifications')
@ApiBearerAuth()
@Controller('api/notifications')
export class NotificationsController {
  constructor(
    private readonly notifications: NotificationsService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'Unread chats and contact requests that wait for an answer',
    description: 'A page holds up to `limit` of each; the next page goes on with both.',
  })
  @ApiSuccess({ description: 'What waits for the caller.', type: NotificationsBody, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@CurrentUser() me: Principal, @Query() query: PageQuery): Promise<Success<NotificationsBody>> {
    const { body, page } = await this.notifications.list(me.userId, query);
    return success('Notifications.', body, page);
  }

  @Get('count')
  @ApiOperation({ summary: 'How much waits: unread messages and new contact requests together' })
  @ApiSuccess({ description: 'One number, for a badge.', type: NotificationTotalBody })
  async count(@CurrentUser() me: Principal): Promise<Success<NotificationTotalBody>> {
    return success('Notifications counted.', { total: await this.notifications.total(me.userId) });
  }

  @Get('all-counts')
  @ApiOperation({ summary: 'How much waits in each chat, and how many contact requests are new' })
  @ApiSuccess({ description: 'Chats with nothing unread are left out.', type: NotificationCountsBody })
  async allCounts(@CurrentUser() me: Principal): Promise<Success<NotificationCountsBody>> {
    return success('Notifications counted.', await this.notifications.allCounts(me.userId));
  }

  @Get('push')
  @ApiOperation({ summary: 'Which push providers are configured, and the key to subscribe to Web Push with' })
  @ApiSuccess({ description: 'What `PUT /api/devices/{deviceId}/push` accepts.', type: PushSetUpBody })
  pushSetUp(): Success<PushSetUpBody> {
    const { webpush, fcm } = this.config.push;
    return success('Push providers.', {
      webpush: webpush ? { publicKey: webpush.publicKey } : null,
      fcm: fcm !== undefined,
    });
  }

  @Post('clear/:chatId')
  @ApiOperation({
    summary: 'Dismisses the notifications of a chat on all the caller’s devices, and marks it as read',
    description:
      'Unread is derived from the read mark alone, so this does what `POST /api/chats/{chatId}/messages/read` does, ' +
      'and sends `notifications-cleared` besides.',
  })
  @HttpCode(200)
  @ApiSuccess({ description: 'Done, also when nothing was unread.' })
  @ApiFailures('CHAT_NOT_FOUND')
  async clear(@CurrentUser() me: Principal, @Param('chatId') chatId: string): Promise<Success<null>> {
    await this.notifications.clear(me.userId, chatId);
    return success('Notifications of the chat cleared.', null);
  }

  @Post('mark-contacts-viewed')
  @ApiOperation({ summary: 'The contact requests that wait now are no longer new; they still wait' })
  @HttpCode(200)
  @ApiSuccess({ description: 'Done.' })
  async markContactsViewed(@CurrentUser() me: Principal): Promise<Success<null>> {
    await this.notifications.markContactsViewed(me.userId);
    return success('Contact requests viewed.', null);
  }
}
