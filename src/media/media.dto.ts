import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, MaxLength } from 'class-validator';

export const MEDIA_KINDS = ['IMAGE', 'VIDEO', 'AUDIO', 'DOCUMENT', 'STICKER'] as const;
export type MediaKind = (typeof MEDIA_KINDS)[number];

/** A stored file as its reader sees it. */
export class MediaBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ enum: MEDIA_KINDS, description: 'from the bytes, not from the name' })
  kind: MediaKind;

  @ApiProperty()
  mimeType: string;

  @ApiProperty({ type: 'integer', description: 'bytes' })
  size: number;

  @ApiProperty({ description: 'of the bytes that are served, as 64 hexadecimal digits' })
  sha256: string;

  @ApiProperty({ type: String, nullable: true })
  fileName: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'pixels' })
  width: number | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'pixels' })
  height: number | null;

  @ApiProperty({ type: 'integer', nullable: true })
  durationMs: number | null;

  @ApiProperty({ description: 'a signed address that needs no header and dies within 48 hours' })
  url: string;

  @ApiProperty({ type: String, nullable: true, description: 'the same of a small picture' })
  thumbnailUrl: string | null;
}

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
