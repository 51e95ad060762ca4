import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsIn, IsOptional } from 'class-validator';
import { PageQuery } from '../infra/http/page.dto.js';
import { IdList } from '../infra/http/validators.js';
import { PublicUserBody } from '../users/users.dto.js';
import { MessageBody } from './message.dto.js';

export const CHAT_TYPES = ['PRIVATE', 'GROUP', 'WHATSAPP'] as const;
export type ChatType = (typeof CHAT_TYPES)[number];

export const MEMBER_ROLES = ['OWNER', 'ADMIN', 'MEMBER'] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

export class CreateChatDto {
  @ApiProperty({ enum: ['PRIVATE'] })
  @IsIn(['PRIVATE'])
  type: 'PRIVATE';

  @ApiProperty({
    type: [String],
    minItems: 1,
    maxItems: 1,
    description: 'the other person: an accepted contact',
  })
  @IdList(1, 1)
  participantIds: string[];
}

export class ListChatsQuery extends PageQuery {
  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    description: 'the archived chats instead of the others',
  })
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value))
  @IsBoolean()
  archived: boolean = false;
}

export class MemberBody {
  @ApiProperty({ type: PublicUserBody })
  user: PublicUserBody;

  @ApiProperty({ enum: MEMBER_ROLES })
  role: MemberRole;

  @ApiProperty({ format: 'date-time' })
  joinedAt: string;
}

class OthersBody {
  @ApiProperty({ type: 'integer', description: 'every other present member has received up to here' })
  deliveredSeq: number;

  @ApiProperty({ type: 'integer', description: 'every other present member has read up to here' })
  readSeq: number;
}

class MyMembershipBody {
  @ApiProperty({ enum: MEMBER_ROLES })
  role: MemberRole;

  @ApiProperty({ type: 'integer', description: 'the first message the caller may see' })
  firstSeq: number;

  @ApiProperty({ type: 'integer' })
  readSeq: number;

  @ApiProperty({ type: 'integer' })
  deliveredSeq: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  mutedUntil: string | null;

  @ApiProperty()
  pinned: boolean;

  @ApiProperty()
  archived: boolean;

  @ApiProperty()
  markedUnread: boolean;
}

/** A chat as its events carry it: one packet for all members, so nothing in it is one member's own. */
export class EventChatBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ enum: CHAT_TYPES })
  type: ChatType;

  @ApiProperty({ description: 'of a PRIVATE chat: the other person’s name' })
  name: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'a signed address; of a PRIVATE chat: the other person’s picture',
  })
  image: string | null;

  @ApiProperty({ type: String, nullable: true })
  createdById: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time', description: 'the last activity' })
  updatedAt: string;

  @ApiProperty({ type: 'integer', description: 'the seq of the newest message; 0 before the first' })
  lastSeq: number;

  @ApiProperty({ type: 'integer' })
  memberCount: number;
}

/** A chat as one member sees it. */
export class ChatBody extends EventChatBody {
  @ApiProperty({ type: MessageBody, nullable: true, description: 'the newest that the caller sees' })
  lastMessage: MessageBody | null;

  @ApiProperty({ type: 'integer' })
  unreadCount: number;

  @ApiProperty({ type: [MemberBody], description: 'at most 50, the caller first' })
  members: MemberBody[];

  @ApiProperty({ type: OthersBody, description: 'the lowest marks among the other present members' })
  others: OthersBody;

  @ApiProperty({ type: MyMembershipBody })
  my: MyMembershipBody;
}
