import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { PageQuery } from '../infra/http/page.dto.js';
import { CodePoints, IdList } from '../infra/http/validators.js';
import { MAX_LISTED_PEOPLE, MEMBER_ROLES, type MemberRole } from './chats.dto.js';

const MAX_QUERY = 100;

export class ListMembersQuery extends PageQuery {
  @ApiPropertyOptional({
    maxLength: MAX_QUERY,
    description: 'the beginning of a name; case and accents do not matter',
  })
  @IsOptional()
  @CodePoints(0, MAX_QUERY)
  query?: string;
}

export class AddMembersDto {
  @ApiProperty({
    type: [String],
    minItems: 1,
    description: 'accepted contacts of the caller; those who are in the group already are left as they are',
  })
  @IdList(1, MAX_LISTED_PEOPLE)
  userIds: string[];
}

export class SetRoleDto {
  @ApiProperty({
    enum: MEMBER_ROLES,
    description: 'OWNER hands the group over: who gave it away is an ADMIN then',
  })
  @IsIn(MEMBER_ROLES)
  role: MemberRole;
}
