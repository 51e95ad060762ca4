import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, MaxLength } from 'class-validator';

/** The query of a medium's address. All but `size` come with a signed one. */
export class MediaQuery {
  @ApiPropertyOptional({ description: 'whom the address was made for' })
  @IsOptional()
  @IsString()
  @MaxLength(100)
  reader?: string;

  @ApiPropertyOptional({ type: 'integer', description: 'the day on which it ends' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  expires?: number;

  @ApiPropertyOptional({ description: 'proves that this server made the address' })
  @IsOptional()
  @IsString()
  @MaxLength(100)
  signature?: string;

  @ApiPropertyOptional({ enum: ['thumbnail'], description: 'a square of 256 pixels, where there is one' })
  @IsOptional()
  @IsIn(['thumbnail'])
  size?: 'thumbnail';
}
