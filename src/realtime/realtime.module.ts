import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ChatsModule } from '../chats/chats.module.js';
import { ContactsModule } from '../contacts/contacts.module.js';
import { DevicesModule } from '../devices/devices.module.js';
import { MessagesModule } from '../messages/messages.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { ChatDelivery } from './chat-delivery.js';
import { ChatRooms } from './chat-rooms.js';
import { AccountFanout } from './fanout/account.fanout.js';
import { ChatsFanout } from './fanout/chats.fanout.js';
import { ContactsFanout } from './fanout/contacts.fanout.js';
import { ConversationsFanout } from './fanout/conversations.fanout.js';
import { MessagesFanout } from './fanout/messages.fanout.js';
import { MembershipsRepository } from './memberships.repository.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import { RealtimeDispatcher } from './realtime.dispatcher.js';
import { RealtimeFanout } from './realtime.fanout.js';
import { RealtimeGateway } from './realtime.gateway.js';
import { RealtimeServer } from './realtime.server.js';
import { TypingService } from './typing.service.js';

@Module({
  imports: [AuthModule, DevicesModule, ContactsModule, PresenceModule, ChatsModule, MessagesModule],
  providers: [
    RealtimeServer,
    RealtimeDispatcher,
    RealtimeGateway,
    RealtimeFanout,
    MessagesFanout,
    ChatsFanout,
    ContactsFanout,
    ConversationsFanout,
    AccountFanout,
    ChatDelivery,
    ChatRooms,
    MembershipsRepository,
    TypingService,
    PresenceSubscriptions,
  ],
  exports: [RealtimeServer],
})
export class RealtimeModule {}
