import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { MediaBody } from '../media/media.dto.js';

export const MESSAGE_TYPES = [
  'TEXT',
  'IMAGE',
  'VIDEO',
  'AUDIO',
  'DOCUMENT',
  'STICKER',
  'LOCATION',
  'CONTACTS',
  'INTERACTIVE',
  'SYSTEM',
  'UNSUPPORTED',
] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

export const MESSAGE_STATUSES = ['QUEUED', 'SENT', 'DELIVERED', 'READ', 'FAILED'] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

export class ReplyToBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ type: String, nullable: true })
  senderId: string | null;

  @ApiProperty({ enum: MESSAGE_TYPES })
  type: MessageType;

  @ApiProperty({ type: String, nullable: true, description: 'as it is now: null once deleted for everyone' })
  text: string | null;
}

export class ReactionBody {
  @ApiProperty()
  emoji: string;

  @ApiProperty({ type: [String] })
  userIds: string[];
}

/** Why a message could not be sent, or whether it was. */
export class WhatsappErrorBody {
  @ApiProperty({ description: 'Meta’s code, or `OUTCOME_UNKNOWN`, `WINDOW_CLOSED` …', example: '131047' })
  code: string;

  @ApiProperty()
  message: string;

  @ApiPropertyOptional({ type: String, nullable: true })
  details?: string | null;
}

/** What crossed Meta’s wire with a message. */
export class WhatsappMessageBody {
  @ApiProperty({ type: String, nullable: true, description: 'Meta’s id; null until it is known' })
  waMessageId: string | null;

  @ApiProperty({ enum: ['IN', 'OUT'] })
  direction: 'IN' | 'OUT';

  @ApiProperty({ type: String, nullable: true, description: 'digits, or a business-scoped user id' })
  from: string | null;

  @ApiProperty({ type: String, nullable: true })
  to: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'by Meta’s clock' })
  sentAt: string | null;

  @ApiProperty({ type: WhatsappErrorBody, nullable: true })
  error: WhatsappErrorBody | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'what Meta sent, or what was or is to be sent to it',
  })
  payload: Record<string, unknown>;
}

/** A message as its events carry it: one packet for all receivers, so nothing in it is one reader's own. */
export class EventMessageBody {
  @ApiProperty()
  id: string;

  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: 'integer', description: 'the place in the chat: 1, 2, 3 … without gaps' })
  seq: number;

  @ApiProperty({ type: 'integer', description: 'grows with every visible change; ignore a lower one' })
  rev: number;

  @ApiProperty({ type: String, nullable: true, description: 'the id that the sender’s client gave' })
  clientId: string | null;

  @ApiProperty({ type: String, nullable: true })
  senderId: string | null;

  @ApiProperty({ enum: MESSAGE_TYPES })
  type: MessageType;

  @ApiProperty({ type: String, nullable: true })
  text: string | null;

  @ApiProperty({ type: MediaBody, nullable: true })
  media: MediaBody | null;

  @ApiProperty({ type: [String] })
  mentions: string[];

  @ApiProperty({ type: ReplyToBody, nullable: true })
  replyTo: ReplyToBody | null;

  @ApiProperty()
  forwarded: boolean;

  @ApiProperty({ type: [ReactionBody] })
  reactions: ReactionBody[];

  @ApiProperty({ enum: MESSAGE_STATUSES })
  status: MessageStatus;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  editedAt: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  deletedAt: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiPropertyOptional({ type: WhatsappMessageBody, description: 'of messages that cross WhatsApp' })
  whatsapp?: WhatsappMessageBody;
}

/** A message as one reader sees it. */
export class MessageBody extends EventMessageBody {
  @ApiProperty()
  starred: boolean;
}
