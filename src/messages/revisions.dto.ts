import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { CodePoints, NotBlank } from '../infra/http/validators.js';

export class EditMessageDto {
  @ApiProperty({ minLength: 1, maxLength: 4096, description: 'kept as sent; not white space alone' })
  @CodePoints(1, 4096)
  @NotBlank()
  text: string;
}

export class DeleteMessageQuery {
  @ApiPropertyOptional({ enum: ['me', 'everyone'], default: 'me' })
  @IsOptional()
  @IsIn(['me', 'everyone'])
  for: 'me' | 'everyone' = 'me';
}
