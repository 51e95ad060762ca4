import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { PageQuery } from '../infra/http/page.dto.js';
import { CodePoints, NotBlank } from '../infra/http/validators.js';

const MAX_QUERY = 200;

export class SearchMessagesQuery extends PageQuery {
  @ApiProperty({
    minLength: 1,
    maxLength: MAX_QUERY,
    description:
      'words that a text must all hold, in any order and without regard to case and accents; the last may be the ' +
      'beginning of a word. In Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese: one character or more, ' +
      'anywhere in a text',
  })
  @CodePoints(1, MAX_QUERY)
  @NotBlank()
  query: string;

  @ApiPropertyOptional({ description: 'searches this chat alone' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  chatId?: string;
}
