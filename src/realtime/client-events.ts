import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { IdList } from '../infra/http/validators.js';
import { SendMessageDto } from '../messages/messages.dto.js';

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

/** Every event a client may send, with the DTO its payload is validated against. */
export const CLIENT_EVENTS = {
  'app-opened': AppOpenedDto,
  'join-chat': ChatEventDto,
  'leave-chat': ChatEventDto,
  typing: TypingDto,
  'send-message': SendMessageEventDto,
  'mark-delivered': MarkEventDto,
  'mark-read': MarkEventDto,
  'subscribe-presence': SubscribePresenceDto,
  'contact-request-sent': ContactRequestSentDto,
} as const;

export type ClientEventName = keyof typeof CLIENT_EVENTS;
export type ClientEventPayload<N extends ClientEventName> = InstanceType<(typeof CLIENT_EVENTS)[N]>;
