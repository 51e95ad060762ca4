import { ApiExtraModels, ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { EventMessageBody, MESSAGE_STATUSES, type MessageStatus } from '../chats/message.dto.js';
import { ChatBody, EventChatBody } from '../chats/chats.dto.js';
import { ContactBody } from '../contacts/contacts.dto.js';
import { DeviceBody } from '../devices/devices.dto.js';

class NewMessageEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: EventMessageBody })
  message: EventMessageBody;
}

class MessageStatusUpdateEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ enum: MESSAGE_STATUSES })
  status: MessageStatus;

  @ApiProperty({ type: String, nullable: true, description: 'who reported it' })
  userId: string | null;

  @ApiProperty({
    type: 'integer',
    description: 'every message up to here has at least this status, unless there is a messageId',
  })
  upToSeq: number;

  @ApiPropertyOptional({ description: 'of WHATSAPP chats: it concerns this message alone' })
  messageId?: string;

  @ApiProperty({ format: 'date-time' })
  at: string;
}

class MessagesDeliveredEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty()
  userId: string;

  @ApiProperty({ type: 'integer' })
  upToSeq: number;
}

class NewChatEvent {
  @ApiProperty({ type: ChatBody })
  chat: ChatBody;
}

class MessageDeletedEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty()
  messageId: string;

  @ApiProperty({ type: 'integer' })
  seq: number;

  @ApiProperty({ type: 'integer' })
  rev: number;

  @ApiProperty()
  deletedByUserId: string;
}

class MessageReactionEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty()
  messageId: string;

  @ApiProperty({ type: 'integer' })
  rev: number;

  @ApiProperty()
  userId: string;

  @ApiProperty({ description: 'a person has one reaction: an added one replaces theirs' })
  emoji: string;

  @ApiProperty({ enum: ['added', 'removed'] })
  action: 'added' | 'removed';
}

@ApiExtraModels(ChatBody, EventChatBody)
class ChatUpdatedEvent {
  @ApiProperty({
    oneOf: [{ $ref: getSchemaPath(ChatBody) }, { $ref: getSchemaPath(EventChatBody) }],
    description:
      'whole when it concerns the receiver’s own settings or role, else without what is theirs alone',
  })
  chat: ChatBody | EventChatBody;
}

class ChatRemovedEvent {
  @ApiProperty()
  chatId: string;
}

class MessageHiddenEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty()
  messageId: string;
}

class MessageStarredEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty()
  messageId: string;

  @ApiProperty()
  starred: boolean;
}

class ChatClearedEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: 'integer', description: 'the history up to here is hidden' })
  upToSeq: number;
}

class ChatReadEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: 'integer' })
  readSeq: number;
}

class UserTypingEvent {
  @ApiProperty()
  chatId: string;

  @ApiProperty()
  userId: string;

  @ApiProperty()
  isTyping: boolean;
}

export class PresenceEvent {
  @ApiProperty()
  userId: string;

  @ApiProperty()
  online: boolean;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  lastSeenAt: string | null;
}

class ContactEvent {
  @ApiProperty({ type: ContactBody })
  contact: ContactBody;
}

class ContactRequestRejectedEvent {
  @ApiProperty()
  requestId: string;

  @ApiProperty({ description: 'who rejected it' })
  receiverId: string;
}

class BlockedByContactEvent {
  @ApiProperty()
  blockerId: string;
}

class UnblockedByContactEvent {
  @ApiProperty()
  unblockerId: string;
}

class NotificationsClearedEvent {
  @ApiProperty()
  chatId: string;
}

class ContactRequestsViewedEvent {}

class DevicesUpdatedEvent {
  @ApiProperty({ type: [DeviceBody] })
  devices: DeviceBody[];
}

class SessionRevokedEvent {
  @ApiProperty()
  reason: string;
}

class ResyncEvent {}

/** Every event the server sends, with the shape of its payload. Adding one here is what makes it known everywhere. */
export const SERVER_EVENTS = {
  'new-message': NewMessageEvent,
  'message-status-update': MessageStatusUpdateEvent,
  'messages-delivered': MessagesDeliveredEvent,
  'message-edited': NewMessageEvent,
  'message-deleted': MessageDeletedEvent,
  'message-reaction': MessageReactionEvent,
  'new-chat': NewChatEvent,
  'chat-updated': ChatUpdatedEvent,
  'chat-removed': ChatRemovedEvent,
  'message-hidden': MessageHiddenEvent,
  'message-starred': MessageStarredEvent,
  'chat-cleared': ChatClearedEvent,
  'chat-read': ChatReadEvent,
  'user-typing': UserTypingEvent,
  presence: PresenceEvent,
  'new-contact-request': ContactEvent,
  'contact-request-accepted': ContactEvent,
  'contact-request-rejected': ContactRequestRejectedEvent,
  'blocked-by-contact': BlockedByContactEvent,
  'unblocked-by-contact': UnblockedByContactEvent,
  'notifications-cleared': NotificationsClearedEvent,
  'contact-requests-viewed': ContactRequestsViewedEvent,
  'devices-updated': DevicesUpdatedEvent,
  resync: ResyncEvent,
  'session-revoked': SessionRevokedEvent,
} as const;

export type ServerEventName = keyof typeof SERVER_EVENTS;
export type ServerEventPayload<N extends ServerEventName> = InstanceType<(typeof SERVER_EVENTS)[N]>;

/** The same map as Socket.IO wants it. */
export type ServerToClientEvents = { [N in ServerEventName]: (payload: ServerEventPayload<N>) => void };
