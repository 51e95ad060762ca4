import { Injectable } from '@nestjs/common';
import { EventBus } from '../../infra/events/event-bus.js';
import {
  LowestMarkMoved,
  MarksAdvanced,
  MessageCreated,
  MessageDeleted,
  MessageEdited,
  MessageHidden,
  MessageReacted,
  MessageStarred,
  MessageStatusChanged,
  TeamRead,
} from '../../messages/messages.events.js';
import { ChatDelivery } from '../chat-delivery.js';
import type { ClientServer } from '../client-socket.js';
import { rooms } from '../rooms.js';

/** Messages, what becomes of them, and how far they have come. */
@Injectable()
export class MessagesFanout {
  constructor(
    private readonly events: EventBus,
    private readonly delivery: ChatDelivery,
  ) {}

  start(io: ClientServer): void {
    this.startMessages();
    this.startTeams();
    this.events.on(MessageHidden, ({ userId, chatId, messageId }) => {
      io.to(rooms.user(userId)).emit('message-hidden', { chatId, messageId });
    });
    this.events.on(MessageStarred, ({ userId, chatId, messageId, starred }) => {
      io.to(rooms.user(userId)).emit('message-starred', { chatId, messageId, starred });
    });
    this.events.on(MarksAdvanced, (event) => {
      this.tellOwnDevices(io, event);
      if (event.chatType === 'PRIVATE') this.tellOtherPerson(event);
    });
    this.events.on(LowestMarkMoved, ({ chatId, status, upToSeq, authorIds, at }) => {
      const update = { chatId, status, userId: null, upToSeq, at: at.toISOString() };
      io.to(authorIds.map(rooms.user)).emit('message-status-update', update);
    });
  }

  private startMessages(): void {
    this.events.on(MessageCreated, ({ message, originSocketId, membersSeq, audienceId }) => {
      const { chatId } = message;
      this.delivery.tell({
        audienceId,
        membersSeq,
        event: 'new-message',
        payload: { chatId, message },
        ...(originSocketId !== null && { except: [originSocketId] }),
      });
    });
    this.events.on(MessageEdited, ({ message, membersSeq, blindIds, audienceId }) => {
      const { chatId } = message;
      const except = blindIds.map(rooms.user);
      this.delivery.tell({
        audienceId,
        membersSeq,
        event: 'message-edited',
        payload: { chatId, message },
        except,
      });
    });
    this.events.on(MessageDeleted, ({ membersSeq, blindIds, audienceId, ...payload }) => {
      const except = blindIds.map(rooms.user);
      this.delivery.tell({ audienceId, membersSeq, event: 'message-deleted', payload, except });
    });
    this.events.on(MessageReacted, ({ membersSeq, blindIds, audienceId, ...payload }) => {
      const except = blindIds.map(rooms.user);
      this.delivery.tell({ audienceId, membersSeq, event: 'message-reaction', payload, except });
    });
  }

  private startTeams(): void {
    this.events.on(MessageStatusChanged, ({ seq, membersSeq, audienceId, at, ...update }) => {
      const payload = { ...update, userId: null, upToSeq: seq, at: at.toISOString() };
      this.delivery.tell({ audienceId, membersSeq, event: 'message-status-update', payload });
    });
    this.events.on(TeamRead, ({ chatId, readSeq, originSocketId, membersSeq, audienceId }) => {
      this.delivery.tell({
        audienceId,
        membersSeq,
        event: 'chat-read',
        payload: { chatId, readSeq },
        ...(originSocketId !== null && { except: [originSocketId] }),
      });
    });
  }

  private tellOwnDevices(io: ClientServer, { chatId, userId, readSeq, originSocketId }: MarksAdvanced): void {
    if (readSeq === null) return;
    const ownDevices = io.to(rooms.user(userId));
    const told = originSocketId === null ? ownDevices : ownDevices.except(originSocketId);
    told.emit('chat-read', { chatId, readSeq });
  }

  private tellOtherPerson(event: MarksAdvanced): void {
    const { chatId, userId, deliveredSeq, readSeq } = event;
    const toOthers = { audienceId: chatId, membersSeq: 0, except: [rooms.user(userId)] };
    const at = event.at.toISOString();
    if (readSeq !== null && event.readShown) {
      this.delivery.tell({
        ...toOthers,
        event: 'message-status-update',
        payload: { chatId, status: 'READ', userId, upToSeq: readSeq, at },
      });
    } else if (deliveredSeq !== null) {
      this.delivery.tell({
        ...toOthers,
        event: 'message-status-update',
        payload: { chatId, status: 'DELIVERED', userId, upToSeq: deliveredSeq, at },
      });
      if (event.byAppOpened) {
        this.delivery.tell({
          ...toOthers,
          event: 'messages-delivered',
          payload: { chatId, userId, upToSeq: deliveredSeq },
        });
      }
    }
  }
}
