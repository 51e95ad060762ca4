import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { MEDIA_KINDS } from '../media/media.dto.js';
import { PageQuery } from '../infra/http/page.dto.js';
import { CodePoints, IdList, NotBlank } from '../infra/http/validators.js';

const MAX_SEQ = 2_147_483_647;
const MAX_MENTIONS = 100;

const SENDABLE_TYPES = ['TEXT', ...MEDIA_KINDS] as const;

/** What a person sends, over REST or a socket: a text, or a file with or without one. */
export class SendMessageDto {
  @ApiPropertyOptional({
    enum: SENDABLE_TYPES,
    description: 'default: `TEXT`, or the kind of the file, with which it must agree',
  })
  @IsOptional()
  @IsIn(SENDABLE_TYPES)
  type?: (typeof SENDABLE_TYPES)[number];

  @ApiPropertyOptional({
    minLength: 1,
    maxLength: 4096,
    description: 'kept as sent; not white space alone; only a file may go without',
  })
  @IsOptional()
  @CodePoints(1, 4096)
  @NotBlank()
  text?: string;

  @ApiPropertyOptional({
    maxLength: 64,
    description: 'makes the send repeatable: the same id again answers the first message',
  })
  @IsOptional()
  @CodePoints(1, 64)
  clientId?: string;

  @ApiPropertyOptional({ description: 'a message of the same chat that the sender may see' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  replyToId?: string;

  @ApiPropertyOptional({ description: 'an upload of the sender’s, or a file of a message that they may see' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  mediaId?: string;

  @ApiPropertyOptional({ type: [String], maxItems: MAX_MENTIONS, description: 'ids of members' })
  @IsOptional()
  @IdList(0, MAX_MENTIONS)
  mentions?: string[];
}

/** `cursor`, `afterSeq` and `aroundSeq` exclude one another. */
export class ListMessagesQuery extends PageQuery {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_SEQ,
    description: 'what is newer than this seq, oldest first',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MAX_SEQ)
  afterSeq?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_SEQ,
    description: 'this message with what stands on both sides of it, newest first',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_SEQ)
  aroundSeq?: number;
}

export class MarkUpToDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: MAX_SEQ,
    description: 'default: all; above the last seq counts as the last',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_SEQ)
  upToSeq?: number;
}

export class ReportStatusDto {
  @ApiProperty({ enum: ['DELIVERED', 'READ'] })
  @IsIn(['DELIVERED', 'READ'])
  status: 'DELIVERED' | 'READ';
}

/** The caller's own marks in a chat after a report. */
export class MarksBody {
  @ApiProperty()
  chatId: string;

  @ApiProperty({ type: 'integer' })
  deliveredSeq: number;

  @ApiProperty({ type: 'integer' })
  readSeq: number;
}

export class RecipientReceiptBody {
  @ApiProperty()
  userId: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  deliveredAt: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readAt: string | null;
}
