import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsObject,
  IsOptional,
  IsString,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { MESSAGE_STATUSES, MESSAGE_TYPES, WhatsappErrorBody } from '../../chats/message.dto.js';
import type { MessageStatus, MessageType } from '../../chats/message.dto.js';
import { CodePoints, NotBlank } from '../../infra/http/validators.js';
import {
  ContactDto,
  InteractiveDto,
  LocationDto,
  MAX_CAPTION,
  MAX_CONTACTS,
  MAX_TEXT,
  ReactionDto,
} from './send-content.dto.js';

export const SEND_TYPES = [
  'text',
  'image',
  'video',
  'audio',
  'document',
  'sticker',
  'location',
  'contacts',
  'interactive',
  'reaction',
] as const;
export type SendType = (typeof SEND_TYPES)[number];

/** What a tenant's own system sends to a customer. Which fields go with which `type`, `OutgoingContent` says. */
export class SendDto {
  @ApiProperty({
    description:
      'a number in E.164 (`+14155550123`), the business-scoped id of a customer, or the id of a customer here',
  })
  @IsString()
  @MaxLength(200)
  to: string;

  @ApiPropertyOptional({ enum: SEND_TYPES, description: 'default: `text`' })
  @IsOptional()
  @IsIn(SEND_TYPES)
  type?: SendType;

  @ApiPropertyOptional({ maxLength: MAX_TEXT, description: 'of `text`' })
  @IsOptional()
  @CodePoints(1, MAX_TEXT)
  @NotBlank()
  text?: string;

  @ApiPropertyOptional({ description: 'of `text`: whether WhatsApp shows a preview of the first link' })
  @IsOptional()
  @IsBoolean()
  previewUrl?: boolean;

  @ApiPropertyOptional({
    description:
      'of a file: one of the tenant’s conversations here, or one that was uploaded to Meta; or the file comes as `media` in a form',
  })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  mediaId?: string;

  @ApiPropertyOptional({ maxLength: MAX_CAPTION, description: 'of `image`, `video` and `document`' })
  @IsOptional()
  @CodePoints(1, MAX_CAPTION)
  @NotBlank()
  caption?: string;

  @ApiPropertyOptional({ maxLength: 240, description: 'of `document`; default: that of the file' })
  @IsOptional()
  @CodePoints(1, 240)
  @NotBlank()
  fileName?: string;

  @ApiPropertyOptional({ type: LocationDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => LocationDto)
  location?: LocationDto;

  @ApiPropertyOptional({ type: [ContactDto], minItems: 1, maxItems: MAX_CONTACTS })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_CONTACTS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ContactDto)
  contacts?: ContactDto[];

  @ApiPropertyOptional({ type: InteractiveDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => InteractiveDto)
  interactive?: InteractiveDto;

  @ApiPropertyOptional({ type: ReactionDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => ReactionDto)
  reaction?: ReactionDto;

  @ApiPropertyOptional({ description: 'the message of this conversation that it answers' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  replyToId?: string;

  @ApiPropertyOptional({
    maxLength: 255,
    description: 'makes the send repeatable: the same key again is refused, naming the first message',
  })
  @IsOptional()
  @CodePoints(1, 255)
  idempotency_key?: string;
}

/** A send that was taken: it goes out by and by. */
export class AcceptedBody {
  @ApiProperty({ description: 'of a reaction: the message reacted to' })
  messageId: string;

  @ApiProperty()
  chatId: string;

  @ApiProperty({ enum: ['queued'] })
  status: 'queued';

  @ApiProperty({ type: String, nullable: true })
  idempotency_key: string | null;
}

/** A dead letter: a message that was not sent, or of which nobody knows whether it was. */
export class FailedMessageBody {
  @ApiProperty()
  messageId: string;

  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: String, nullable: true, description: 'digits, or a business-scoped id' })
  to: string | null;

  @ApiProperty({ enum: MESSAGE_TYPES })
  type: MessageType;

  @ApiProperty({ type: String, nullable: true })
  text: string | null;

  @ApiProperty({ enum: MESSAGE_STATUSES, description: '`QUEUED` when nobody knows whether it was sent' })
  status: MessageStatus;

  @ApiProperty({ type: WhatsappErrorBody, nullable: true })
  error: WhatsappErrorBody | null;

  @ApiProperty({ type: 'integer' })
  attempts: number;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;
}
