import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { ChatBody } from '../chats/chats.dto.js';
import { MessageBody } from '../chats/message.dto.js';
import { ContactBody } from '../contacts/contacts.dto.js';
import { PublicUserBody, UserBody } from '../users/users.dto.js';

export const DEFAULT_SYNC_LIMIT = 500;
export const MAX_SYNC_LIMIT = 2_000;
const MAX_CURSOR_LENGTH = 1_000;

export class SyncDto {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: MAX_CURSOR_LENGTH,
    description: 'from the last answer; without one everything is sent',
  })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_CURSOR_LENGTH)
  cursor?: string | null;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_SYNC_LIMIT,
    default: DEFAULT_SYNC_LIMIT,
    description: 'the most chats, messages, contacts, changed profiles and removals together in one answer',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_SYNC_LIMIT)
  limit: number = DEFAULT_SYNC_LIMIT;
}

class RemovedBody {
  @ApiProperty({ type: [String], description: 'chats that the caller is no longer in' })
  chats: string[];

  @ApiProperty({ type: [String], description: 'messages that the caller has deleted for themselves' })
  messages: string[];

  @ApiProperty({ type: [String], description: 'contacts and requests that are gone or hidden by a block' })
  contacts: string[];
}

export class SyncBody {
  @ApiProperty({ type: UserBody, description: 'the caller' })
  me: UserBody;

  @ApiProperty({
    type: [PublicUserBody],
    description: 'people the caller knows whose profiles changed, and those whom this page mentions first',
  })
  users: PublicUserBody[];

  @ApiProperty({ type: [ChatBody], description: 'new and changed chats, whole' })
  chats: ChatBody[];

  @ApiProperty({
    type: [MessageBody],
    description: 'new and changed messages; of one chat, the newest first',
  })
  messages: MessageBody[];

  @ApiProperty({ type: [ContactBody], description: 'new and changed contacts and requests' })
  contacts: ContactBody[];

  @ApiProperty({ type: RemovedBody })
  removed: RemovedBody;

  @ApiProperty({ description: 'to be kept with what this answer holds, and sent the next time' })
  cursor: string;

  @ApiProperty({ description: 'whether the next page is there already' })
  hasMore: boolean;
}
