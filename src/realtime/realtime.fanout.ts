import { Injectable } from '@nestjs/common';
import { ChatCreated } from '../chats/chats.events.js';
import { ChatsService } from '../chats/chats.service.js';
import {
  ContactAccepted,
  ContactRejected,
  ContactRequested,
  UserBlocked,
  UserUnblocked,
} from '../contacts/contacts.events.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { MarksAdvanced, MessageCreated } from '../messages/messages.events.js';
import type { ClientServer } from './client-socket.js';
import { rooms } from './rooms.js';
import { TypingService } from './typing.service.js';

/** The last hop: turns what was committed into packets, each encoded once for all its receivers. */
@Injectable()
export class RealtimeFanout {
  constructor(
    private readonly events: EventBus,
    private readonly chats: ChatsService,
    private readonly contacts: ContactsService,
    private readonly typing: TypingService,
  ) {}

  /** Starts telling the sockets of `io`. */
  start(io: ClientServer): void {
    this.events.on(MessageCreated, ({ message, originSocketId }) => {
      const { chatId } = message;
      const receivers = io.to(rooms.chat(chatId));
      (originSocketId === null ? receivers : receivers.except(originSocketId)).emit('new-message', {
        chatId,
        message,
      });
    });
    this.events.on(MarksAdvanced, (event) => {
      this.tellMarks(io, event);
    });
    this.events.on(ChatCreated, async ({ chatId, memberIds }) => {
      io.in(memberIds.map(rooms.user)).socketsJoin(rooms.chat(chatId));
      await Promise.all(
        memberIds.map(async (userId) => {
          io.to(rooms.user(userId)).emit('new-chat', { chat: await this.chats.get(userId, chatId) });
        }),
      );
    });
    this.startContacts(io);
    this.typing.onChange((chatId, userId, isTyping) => {
      io.to(rooms.open(chatId)).except(rooms.user(userId)).emit('user-typing', { chatId, userId, isTyping });
    });
  }

  private startContacts(io: ClientServer): void {
    const tellContact = async (
      event: 'new-contact-request' | 'contact-request-accepted',
      receiverId: string,
      contactId: string,
    ): Promise<void> => {
      const contact = await this.contacts.viewFor(receiverId, contactId);
      if (contact) io.to(rooms.user(receiverId)).emit(event, { contact });
    };
    this.events.on(ContactRequested, ({ contactId, addresseeId }) =>
      tellContact('new-contact-request', addresseeId, contactId),
    );
    this.events.on(ContactAccepted, ({ contactId, requesterId }) =>
      tellContact('contact-request-accepted', requesterId, contactId),
    );
    this.events.on(ContactRejected, ({ contactId, requesterId, addresseeId }) => {
      io.to(rooms.user(requesterId)).emit('contact-request-rejected', {
        requestId: contactId,
        receiverId: addresseeId,
      });
    });
    this.events.on(UserBlocked, ({ blockerId, blockedId }) => {
      io.to(rooms.user(blockedId)).emit('blocked-by-contact', { blockerId });
    });
    this.events.on(UserUnblocked, ({ blockerId, blockedId }) => {
      io.to(rooms.user(blockedId)).emit('unblocked-by-contact', { unblockerId: blockerId });
    });
  }

  private tellMarks(io: ClientServer, event: MarksAdvanced): void {
    const { chatId, userId, deliveredSeq, readSeq, originSocketId } = event;
    if (readSeq !== null) {
      const ownDevices = io.to(rooms.user(userId));
      (originSocketId === null ? ownDevices : ownDevices.except(originSocketId)).emit('chat-read', {
        chatId,
        readSeq,
      });
    }
    if (event.chatType !== 'PRIVATE') return;
    const others = io.to(rooms.chat(chatId)).except(rooms.user(userId));
    const at = event.at.toISOString();
    if (readSeq !== null && event.readShown) {
      others.emit('message-status-update', { chatId, status: 'READ', userId, upToSeq: readSeq, at });
    } else if (deliveredSeq !== null) {
      others.emit('message-status-update', {
        chatId,
        status: 'DELIVERED',
        userId,
        upToSeq: deliveredSeq,
        at,
      });
      if (event.byAppOpened) others.emit('messages-delivered', { chatId, userId, upToSeq: deliveredSeq });
    }
  }
}
