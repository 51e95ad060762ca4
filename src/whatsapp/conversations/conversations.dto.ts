import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow, IsOptional, IsString, MaxLength } from 'class-validator';
import { MESSAGE_STATUSES, MessageBody, type MessageStatus } from '../../chats/message.dto.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { CodePoints, NotBlank } from '../../infra/http/validators.js';
import { ListMessagesQuery } from '../../messages/messages.dto.js';

const MAX_ID = 200;
const MAX_QUERY = 200;
const TENANT_ID = 'needed by who works for several tenants';

/** A conversation in a list: one row a customer. */
export class ConversationBody {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'digits; null while only a business-scoped id is known',
  })
  waId: string | null;

  @ApiProperty({ type: String, nullable: true })
  name: string | null;

  @ApiProperty()
  chatId: string;

  @ApiProperty()
  tenantId: string;

  @ApiProperty({ type: MessageBody, nullable: true })
  lastMessage: MessageBody | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'when the last message was sent by Meta’s clock, or else stored here',
  })
  lastMessageAt: string | null;

  @ApiProperty({
    type: String,
    enum: [...MESSAGE_STATUSES, null],
    nullable: true,
    description: 'of the last message',
  })
  status: MessageStatus | null;

  @ApiProperty({ type: 'integer', description: 'messages that nobody of the team has read' })
  unreadCount: number;
}

export class ConversationsQuery extends PageQuery {
  @ApiPropertyOptional({ description: TENANT_ID })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID)
  tenantId?: string;
}

export class AgentMessagesQuery extends ConversationsQuery {
  @ApiPropertyOptional({
    minLength: 1,
    maxLength: MAX_QUERY,
    description:
      'what to look for, as in `GET /api/chats/messages/search`; without it all messages are listed',
  })
  @IsOptional()
  @CodePoints(1, MAX_QUERY)
  @NotBlank()
  query?: string;
}

export class CustomerMessagesQuery extends ListMessagesQuery {
  @ApiPropertyOptional({ description: TENANT_ID })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID)
  tenantId?: string;
}

export class TenantQuery {
  @ApiPropertyOptional({ description: TENANT_ID })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID)
  tenantId?: string;
}

/** What an agent writes to a customer: `waId` and `text`, or the same under their other names. */
export class SendToCustomerDto {
  @ApiPropertyOptional({
    maxLength: MAX_ID,
    description: 'the customer’s number in any usual form, or a business-scoped id; this or `wa_id`',
  })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID)
  waId?: string;

  @ApiPropertyOptional({ maxLength: MAX_ID, description: '`waId`' })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID)
  wa_id?: string;

  @ApiPropertyOptional({ minLength: 1, maxLength: 4096, description: 'kept as sent; this or `messageBody`' })
  @IsOptional()
  @CodePoints(1, 4096)
  @NotBlank()
  text?: string;

  @ApiPropertyOptional({ minLength: 1, maxLength: 4096, description: '`text`' })
  @IsOptional()
  @CodePoints(1, 4096)
  @NotBlank()
  messageBody?: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: MAX_ID,
    description: 'of a customer who is new',
  })
  @IsOptional()
  @CodePoints(1, MAX_ID)
  name?: string | null;

  @ApiPropertyOptional({
    maxLength: 64,
    description: 'makes the send repeatable: the same id again answers the first message',
  })
  @IsOptional()
  @CodePoints(1, 64)
  clientId?: string;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'ignored, whatever it is' })
  @Allow()
  from?: unknown;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'ignored, whatever it is' })
  @Allow()
  to?: unknown;
}
