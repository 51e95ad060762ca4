import { Injectable } from '@nestjs/common';
import { ChatsService } from '../chats/chats.service.js';
import { AppError } from '../common/errors.js';
import { DevicesService } from '../devices/devices.service.js';
import { MessagesService } from '../messages/messages.service.js';
import { ReceiptsService } from '../messages/receipts.service.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import type { ClientEventHandlers } from './realtime.dispatcher.js';
import { rooms } from './rooms.js';
import { TypingService } from './typing.service.js';

/** What each client event does: one service call, as a REST route would make it. */
@Injectable()
export class RealtimeGateway {
  constructor(
    private readonly messages: MessagesService,
    private readonly receipts: ReceiptsService,
    private readonly chats: ChatsService,
    private readonly typing: TypingService,
    private readonly presence: PresenceSubscriptions,
    private readonly devices: DevicesService,
  ) {}

  readonly handlers: ClientEventHandlers = {
    'send-message': async (socket, { chatId, ...dto }) => {
      const { message } = await this.messages.send(socket.data.principal.userId, chatId, dto, socket.id);
      return message;
    },
    'mark-delivered': async (socket, { chatId, upToSeq }) => {
      const { userId } = socket.data.principal;
      return this.receipts.markDelivered({ userId, chatId, upToSeq, originSocketId: socket.id });
    },
    'mark-read': async (socket, { chatId, upToSeq }) => {
      const { userId } = socket.data.principal;
      return this.receipts.markRead({ userId, chatId, upToSeq, originSocketId: socket.id });
    },
    'app-opened': async (socket) => ({
      delivered: await this.receipts.deliverPending(socket.data.principal.userId, socket.id),
    }),
    'join-chat': async (socket, { chatId }) => {
      const { audienceId } = await this.chats.requireMember(socket.data.principal.userId, chatId);
      // A socket that has gone meanwhile would stay in the room for ever.
      if (!socket.connected) return null;
      await socket.join(rooms.open(chatId, audienceId));
      // A removal that came between the look and the joining has found nobody in the room.
      if (!(await this.chats.findMembership(socket.data.principal.userId, chatId))) {
        await socket.leave(rooms.open(chatId, audienceId));
        throw new AppError('CHAT_NOT_FOUND');
      }
      return null;
    },
    'leave-chat': async (socket, { chatId }) => {
      const { audienceId } = await this.chats.requireMember(socket.data.principal.userId, chatId);
      await socket.leave(rooms.open(chatId, audienceId));
      return null;
    },
    typing: async (socket, { chatId, isTyping }) => {
      await this.typing.report(socket.id, socket.data.principal.userId, chatId, isTyping);
      return null;
    },
    'subscribe-presence': async (socket, { userIds }) => ({
      presence: await this.presence.subscribe(socket, userIds),
    }),
    'register-device': async (socket, device) => ({
      devices: await this.devices.register(socket.data.principal, device),
    }),
    'remove-device': async (socket, { deviceId }) => {
      const removal = this.devices.remove(socket.data.principal.userId, deviceId);
      socket.data.lastWord = removal.catch(() => undefined);
      return { devices: await removal };
    },
    'contact-request-sent': async () => Promise.resolve(null),
  };
}
