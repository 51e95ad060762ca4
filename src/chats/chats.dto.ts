import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsIn, IsOptional, IsString, MaxLength, ValidateIf } from 'class-validator';
import { PageQuery } from '../infra/http/page.dto.js';
import { CodePoints, IdList, NotBlank } from '../infra/http/validators.js';
import { PublicUserBody } from '../users/users.dto.js';
import { MessageBody } from './message.dto.js';

export const CHAT_TYPES = ['PRIVATE', 'GROUP', 'WHATSAPP'] as const;
export type ChatType = (typeof CHAT_TYPES)[number];

export const MEMBER_ROLES = ['OWNER', 'ADMIN', 'MEMBER'] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

/** Who is in a group, its owner included. */
export const MAX_GROUP_MEMBERS = 1_024;
/** A list of people is read up to here, so that a group too large is refused as such. */
export const MAX_LISTED_PEOPLE = 5_000;
export const MAX_GROUP_NAME = 100;
const MAX_ID_LENGTH = 200;

export class CreateChatDto {
  @ApiProperty({ enum: ['PRIVATE', 'GROUP'] })
  @IsIn(['PRIVATE', 'GROUP'])
  type: 'PRIVATE' | 'GROUP';

  @ApiProperty({
    type: [String],
    minItems: 1,
    description:
      'PRIVATE: the one other person. GROUP: everybody but the caller, up to 1,023. All are accepted contacts. In a ' +
      'form: a list as JSON, or the field once a person.',
  })
  @IdList(1, MAX_LISTED_PEOPLE)
  participantIds: string[];

  @ApiPropertyOptional({
    minLength: 1,
    maxLength: MAX_GROUP_NAME,
    description: 'of a GROUP, which needs one',
  })
  @ValidateIf((dto: CreateChatDto) => dto.type === 'GROUP')
  @CodePoints(1, MAX_GROUP_NAME)
  @NotBlank()
  name?: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description:
      'the picture of a GROUP: the id of an image that the caller has uploaded; in a form, the file',
  })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID_LENGTH)
  image?: string | null;
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

class WhatsappCustomerBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ type: String, nullable: true, description: 'digits, as Meta writes them' })
  waId: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'the business-scoped user id' })
  userId: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'E.164' })
  phone: string | null;

  @ApiProperty({ type: String, nullable: true })
  name: string | null;
}

/** What a chat with a customer has besides. */
export class WhatsappChatBody {
  @ApiProperty()
  tenantId: string;

  @ApiProperty({ type: WhatsappCustomerBody })
  customer: WhatsappCustomerBody;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'until when free text may be sent; null before the customer’s first message',
  })
  windowExpiresAt: string | null;

  @ApiProperty({ description: 'a person has taken over from the bot' })
  botPaused: boolean;
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

  @ApiPropertyOptional({ type: WhatsappChatBody, description: 'of WHATSAPP chats' })
  whatsapp?: WhatsappChatBody;
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
