import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ChatsModule } from '../chats/chats.module.js';
import { ContactsModule } from '../contacts/contacts.module.js';
import { MessagesModule } from '../messages/messages.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import { RealtimeDispatcher } from './realtime.dispatcher.js';
import { RealtimeFanout } from './realtime.fanout.js';
import { RealtimeGateway } from './realtime.gateway.js';
import { RealtimeServer } from './realtime.server.js';
import { TypingService } from './typing.service.js';

@Module({
  imports: [AuthModule, ContactsModule, PresenceModule, ChatsModule, MessagesModule],
  providers: [
    RealtimeServer,
    RealtimeDispatcher,
    RealtimeGateway,
    RealtimeFanout,
    TypingService,
    PresenceSubscriptions,
  ],
  exports: [RealtimeServer],
})
export class RealtimeModule {}
