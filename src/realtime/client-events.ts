import type { Type } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { MessageBody } from '../chats/message.dto.js';
import { DevicesBody, RegisterDeviceDto, RemoveDeviceDto } from '../devices/devices.dto.js';
import { IdList } from '../infra/http/validators.js';
import { MarksBody, SendMessageDto } from '../messages/messages.dto.js';
import { PresenceEvent } from './server-events.js';

const MAX_ID_LENGTH = 200;
const MAX_SEQ = 2_147_483_647;
const MAX_SUBSCRIPTIONS = 200;

class AppOpenedDto {}

export class ChatEventDto {
  @ApiProperty()
  @IsString()
  @MaxLength(MAX_ID_LENGTH)
  chatId: string;
}

export class TypingDto extends ChatEventDto {
  @ApiProperty()
  @IsBoolean()
  isTyping: boolean;
}

export class SendMessageEventDto extends SendMessageDto {
  @ApiProperty()
  @IsString()
  @MaxLength(MAX_ID_LENGTH)
  chatId: string;
}

export class MarkEventDto extends ChatEventDto {
  @ApiProperty({ type: 'integer', minimum: 0 })
  @IsInt()
  @Min(0)
  @Max(MAX_SEQ)
  upToSeq: number;
}

export class SubscribePresenceDto {
  @ApiProperty({
    type: [String],
    maxItems: MAX_SUBSCRIPTIONS,
    description: 'replaces the earlier subscription',
  })
  @IdList(0, MAX_SUBSCRIPTIONS)
  userIds: string[];
}

export class ContactRequestSentDto {
  @ApiProperty()
  @IsString()
  @MaxLength(MAX_ID_LENGTH)
  receiverId: string;
}

class DeliveredBody {
  @ApiProperty({ type: [MarksBody], description: 'the chats in which something waited' })
  delivered: MarksBody[];
}

class PresenceBody {
  @ApiProperty({ type: [PresenceEvent], description: 'in the order asked for' })
  presence: PresenceEvent[];
}

interface ClientEvent {
  /** The DTO that its payload is validated against. */
  payload: Type<object>;
  /** `data` of a successful acknowledgement; null for none. */
  answer: Type<object> | null;
  description: string;
}

/** Every event a client may send. The compiler holds the handlers to it, `/docs/events` shows it. */
export const CLIENT_EVENTS = {
  'app-opened': {
    payload: AppOpenedDto,
    answer: DeliveredBody,
    description: 'The app is open on this device: everything that waits is delivered.',
  },
  'join-chat': {
    payload: ChatEventDto,
    answer: null,
    description: 'The chat is open on screen: its typing is sent here. A bare chat id is accepted too.',
  },
  'leave-chat': {
    payload: ChatEventDto,
    answer: null,
    description: 'The chat is no longer open on screen. A bare chat id is accepted too.',
  },
  typing: {
    payload: TypingDto,
    answer: null,
    description: 'Somebody types, or has stopped. It is over after 6 s without a repeat.',
  },
  'send-message': {
    payload: SendMessageEventDto,
    answer: MessageBody,
    description:
      'Sends a message. It is acknowledged once it is committed; the same `clientId` again answers the first message.',
  },
  'mark-delivered': {
    payload: MarkEventDto,
    answer: MarksBody,
    description: 'Everything up to `upToSeq` has been received.',
  },
  'mark-read': {
    payload: MarkEventDto,
    answer: MarksBody,
    description: 'Everything up to `upToSeq` has been read, and so received.',
  },
  'register-device': {
    payload: RegisterDeviceDto,
    answer: DevicesBody,
    description: 'The device is used in this session from now on.',
  },
  'remove-device': {
    payload: RemoveDeviceDto,
    answer: DevicesBody,
    description:
      'Signs a device out: its session ends and its sockets are closed, and so for every device that shares the session. For the device of this socket, the answer comes first.',
  },
  'subscribe-presence': {
    payload: SubscribePresenceDto,
    answer: PresenceBody,
    description: 'Follows the presence of these people, and of nobody else any more.',
  },
  'contact-request-sent': {
    payload: ContactRequestSentDto,
    answer: null,
    description: 'Accepted for older clients; it does nothing, the server notifies by itself.',
  },
} as const satisfies Record<string, ClientEvent>;

/** Events whose payload may be a bare chat id. */
export const TAKES_BARE_ID: readonly string[] = ['join-chat', 'leave-chat'];

export type ClientEventName = keyof typeof CLIENT_EVENTS;
type Instance<T> = T extends Type<infer Body> ? Body : null;
export type ClientEventPayload<N extends ClientEventName> = InstanceType<
  (typeof CLIENT_EVENTS)[N]['payload']
>;
export type ClientEventAnswer<N extends ClientEventName> = Instance<(typeof CLIENT_EVENTS)[N]['answer']>;
