import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsNotEmpty, IsString, MaxLength } from 'class-validator';
import { PageQuery } from '../infra/http/page.dto.js';
import { CodePoints, NotBlank } from '../infra/http/validators.js';
import { PublicUserBody } from '../users/users.dto.js';

const MAX_LOOKED_UP = 100;

export const CONTACT_STATUSES = ['PENDING', 'ACCEPTED'] as const;
export type ContactStatus = (typeof CONTACT_STATUSES)[number];

export const RELATIONSHIPS = ['NONE', 'PENDING_OUT', 'PENDING_IN', 'ACCEPTED', 'BLOCKED'] as const;
export type Relationship = (typeof RELATIONSHIPS)[number];

/** Names the other person of a request or a block. */
export class OtherPersonDto {
  @ApiProperty()
  @IsString()
  @IsNotEmpty()
  @MaxLength(200)
  userId: string;
}

export class SearchPeopleQuery extends PageQuery {
  @ApiProperty({
    minLength: 1,
    maxLength: 100,
    description:
      'the beginning of a name, a whole e-mail address, or a whole phone number in international form',
  })
  @CodePoints(1, 100)
  @NotBlank()
  query: string;
}

export class LookUpUsersQuery {
  @ApiProperty({ type: String, description: `up to ${MAX_LOOKED_UP} ids, comma separated` })
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value))
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_LOOKED_UP)
  @IsString({ each: true })
  @IsNotEmpty({ each: true })
  @MaxLength(200, { each: true })
  ids: string[];
}

/** A contact or a request, as one of the two sees it. */
export class ContactBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ type: PublicUserBody, description: 'the other person' })
  user: PublicUserBody;

  @ApiProperty({ enum: CONTACT_STATUSES })
  status: ContactStatus;

  @ApiProperty({ description: 'whether the reader asked; false: the other did' })
  requestedByMe: boolean;

  @ApiProperty({ format: 'date-time', description: 'when the request was made' })
  createdAt: string;
}

export class BlockedUserBody {
  @ApiProperty({ type: PublicUserBody })
  user: PublicUserBody;

  @ApiProperty({ format: 'date-time' })
  blockedAt: string;
}

export class SearchResultBody extends PublicUserBody {
  @ApiProperty({ enum: RELATIONSHIPS, description: 'BLOCKED: by the caller' })
  relationship: Relationship;
}
