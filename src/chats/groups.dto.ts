import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { CodePoints, NotBlank } from '../infra/http/validators.js';
import { MayBeAbsent } from '../users/users.validators.js';
import { MAX_GROUP_NAME } from './chats.dto.js';

const MAX_ID_LENGTH = 200;

export class UpdateGroupDto {
  @ApiPropertyOptional({ minLength: 1, maxLength: MAX_GROUP_NAME })
  @MayBeAbsent()
  @CodePoints(1, MAX_GROUP_NAME)
  @NotBlank()
  name?: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description:
      'the id of an image that the caller has uploaded, or null for no picture; in a form, the file, or empty for none',
  })
  @IsOptional()
  @IsString()
  @MaxLength(MAX_ID_LENGTH)
  image?: string | null;
}
