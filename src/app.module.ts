import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AuthGuard } from './auth/auth.guard.js';
import { AuthModule } from './auth/auth.module.js';
import { ChatsModule } from './chats/chats.module.js';
import { ContactsModule } from './contacts/contacts.module.js';
import { DevicesModule } from './devices/devices.module.js';
import { HealthModule } from './health/health.module.js';
import { OperationsOnlyGuard } from './health/operations-only.guard.js';
import { ContentTypeGuard } from './infra/http/content-type.guard.js';
import { AppExceptionFilter } from './infra/http/exception.filter.js';
import { RateLimitGuard } from './infra/http/rate-limit.guard.js';
import { ValidationPipe } from './infra/http/validation.pipe.js';
import { InfraModule, type InfraParts } from './infra/infra.module.js';
import { MediaModule } from './media/media.module.js';
import { MessagesModule } from './messages/messages.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { PushModule } from './notifications/push/push.module.js';
import { PresenceModule } from './presence/presence.module.js';
import { RealtimeModule } from './realtime/realtime.module.js';
import { SyncModule } from './sync/sync.module.js';
import { UsersModule } from './users/users.module.js';
import { WhatsappModule } from './whatsapp/whatsapp.module.js';

/** Express tries routes in the order they were added, so the ones called most come first. */
const FEATURES = [
  MessagesModule,
  ChatsModule,
  ContactsModule,
  UsersModule,
  AuthModule,
  DevicesModule,
  MediaModule,
  PresenceModule,
  RealtimeModule,
  NotificationsModule,
  PushModule,
  SyncModule,
  WhatsappModule,
];

/** What has jobs to do. */
const WORK = [PushModule, RealtimeModule, WhatsappModule];

/** The only file that knows every module. */
@Module({})
export class AppModule {
  /** A worker serves its health and metrics alone; everything else serves the clients too. */
  static with(parts: InfraParts): DynamicModule {
    const servesClients = parts.config.role !== 'worker';
    return {
      module: AppModule,
      imports: [InfraModule.with(parts), HealthModule, ...(servesClients ? FEATURES : WORK)],
      providers: [
        { provide: APP_FILTER, useClass: AppExceptionFilter },
        { provide: APP_PIPE, useClass: ValidationPipe },
        // In this order: who is it, may they call this often, is it a body this route reads.
        { provide: APP_GUARD, useClass: servesClients ? AuthGuard : OperationsOnlyGuard },
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_GUARD, useClass: ContentTypeGuard },
      ],
    };
  }
}
