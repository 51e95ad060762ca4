import { Injectable } from '@nestjs/common';
import { ChatDelivery } from './chat-delivery.js';
import type { ClientServer } from './client-socket.js';
import { AccountFanout } from './fanout/account.fanout.js';
import { ChatsFanout } from './fanout/chats.fanout.js';
import { ContactsFanout } from './fanout/contacts.fanout.js';
import { ConversationsFanout } from './fanout/conversations.fanout.js';
import { MessagesFanout } from './fanout/messages.fanout.js';
import { rooms } from './rooms.js';
import { TypingService } from './typing.service.js';

/** The last hop: turns what was committed into packets, each encoded once for all its receivers on an instance. */
@Injectable()
export class RealtimeFanout {
  constructor(
    private readonly delivery: ChatDelivery,
    private readonly messages: MessagesFanout,
    private readonly chats: ChatsFanout,
    private readonly conversations: ConversationsFanout,
    private readonly contacts: ContactsFanout,
    private readonly account: AccountFanout,
    private readonly typing: TypingService,
  ) {}

  /** Starts telling the sockets of `io`. */
  start(io: ClientServer): void {
    this.delivery.start(io);
    for (const fanout of [this.messages, this.chats, this.conversations, this.contacts, this.account])
      fanout.start(io);
    this.typing.onChange(({ chatId, audienceId, userId }, isTyping) => {
      const open = io.to(rooms.open(chatId, audienceId));
      open.except(rooms.user(userId)).emit('user-typing', { chatId, userId, isTyping });
    });
  }
}
