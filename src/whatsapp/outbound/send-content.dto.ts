import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsEmail,
  IsIn,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { CodePoints, NotBlank } from '../../infra/http/validators.js';

/** Limits of Meta's (2026-05), in code points. */
export const MAX_TEXT = 4096;
export const MAX_CAPTION = 1024;
const MAX_INTERACTIVE_BODY = 1024;
const MAX_HEADER = 60;
const MAX_FOOTER = 60;
const MAX_BUTTONS = 3;
const MAX_BUTTON_TITLE = 20;
const MAX_BUTTON_ID = 256;
const MAX_SECTIONS = 10;
/** In all sections together. */
export const MAX_ROWS = 10;
const MAX_ROW_ID = 200;
const MAX_ROW_TITLE = 24;
const MAX_ROW_DESCRIPTION = 72;
const MAX_LIST_BUTTON = 20;
/** Ours: Meta names none. */
const MAX_LINE = 1000;
export const MAX_CONTACTS = 50;
const MAX_PARTS = 20;

export class LocationDto {
  @ApiProperty({ minimum: -90, maximum: 90 })
  @IsNumber()
  @Min(-90)
  @Max(90)
  latitude: number;

  @ApiProperty({ minimum: -180, maximum: 180 })
  @IsNumber()
  @Min(-180)
  @Max(180)
  longitude: number;

  @ApiPropertyOptional({ maxLength: MAX_LINE })
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  name?: string;

  @ApiPropertyOptional({ maxLength: MAX_LINE })
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  address?: string;
}

export class ContactNameDto {
  @ApiProperty({ maxLength: MAX_LINE })
  @CodePoints(1, MAX_LINE)
  @NotBlank()
  formatted_name: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  first_name?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  last_name?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  middle_name?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  prefix?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  suffix?: string;
}

export class ContactPhoneDto {
  @ApiProperty({ maxLength: 100 })
  @CodePoints(1, 100)
  phone: string;

  @ApiPropertyOptional({ maxLength: 100 })
  @IsOptional()
  @CodePoints(1, 100)
  type?: string;

  @ApiPropertyOptional({ maxLength: 100 })
  @IsOptional()
  @CodePoints(1, 100)
  wa_id?: string;
}

export class ContactEmailDto {
  @ApiProperty({ format: 'email' })
  @IsEmail()
  email: string;

  @ApiPropertyOptional({ maxLength: 100 })
  @IsOptional()
  @CodePoints(1, 100)
  type?: string;
}

export class ContactUrlDto {
  @ApiProperty({ maxLength: 2000 })
  @CodePoints(1, 2000)
  url: string;

  @ApiPropertyOptional({ maxLength: 100 })
  @IsOptional()
  @CodePoints(1, 100)
  type?: string;
}

export class ContactAddressDto {
  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  street?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  city?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  state?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  zip?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  country?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, 10)
  country_code?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, 100)
  type?: string;
}

export class ContactOrgDto {
  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  company?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  department?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @CodePoints(1, MAX_LINE)
  title?: string;
}

/** A contact as Meta writes it. */
export class ContactDto {
  @ApiProperty({ type: ContactNameDto })
  @IsObject()
  @ValidateNested()
  @Type(() => ContactNameDto)
  name: ContactNameDto;

  @ApiPropertyOptional({ type: [ContactPhoneDto], maxItems: MAX_PARTS })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_PARTS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ContactPhoneDto)
  phones?: ContactPhoneDto[];

  @ApiPropertyOptional({ type: [ContactEmailDto], maxItems: MAX_PARTS })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_PARTS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ContactEmailDto)
  emails?: ContactEmailDto[];

  @ApiPropertyOptional({ type: [ContactUrlDto], maxItems: MAX_PARTS })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_PARTS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ContactUrlDto)
  urls?: ContactUrlDto[];

  @ApiPropertyOptional({ type: [ContactAddressDto], maxItems: MAX_PARTS })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_PARTS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ContactAddressDto)
  addresses?: ContactAddressDto[];

  @ApiPropertyOptional({ type: ContactOrgDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => ContactOrgDto)
  org?: ContactOrgDto;

  @ApiPropertyOptional({ description: 'YYYY-MM-DD' })
  @IsOptional()
  @IsString()
  @MaxLength(10)
  birthday?: string;
}

export class InteractiveHeaderDto {
  @ApiProperty({ enum: ['text'] })
  @IsIn(['text'])
  type: 'text';

  @ApiProperty({ maxLength: MAX_HEADER })
  @CodePoints(1, MAX_HEADER)
  @NotBlank()
  text: string;
}

export class InteractiveBodyDto {
  @ApiProperty({ maxLength: MAX_INTERACTIVE_BODY })
  @CodePoints(1, MAX_INTERACTIVE_BODY)
  @NotBlank()
  text: string;
}

export class InteractiveFooterDto {
  @ApiProperty({ maxLength: MAX_FOOTER })
  @CodePoints(1, MAX_FOOTER)
  @NotBlank()
  text: string;
}

export class ReplyButtonDto {
  @ApiProperty({ maxLength: MAX_BUTTON_ID })
  @CodePoints(1, MAX_BUTTON_ID)
  id: string;

  @ApiProperty({ maxLength: MAX_BUTTON_TITLE })
  @CodePoints(1, MAX_BUTTON_TITLE)
  @NotBlank()
  title: string;
}

export class ButtonDto {
  @ApiProperty({ enum: ['reply'] })
  @IsIn(['reply'])
  type: 'reply';

  @ApiProperty({ type: ReplyButtonDto })
  @IsObject()
  @ValidateNested()
  @Type(() => ReplyButtonDto)
  reply: ReplyButtonDto;
}

export class ListRowDto {
  @ApiProperty({ maxLength: MAX_ROW_ID })
  @CodePoints(1, MAX_ROW_ID)
  id: string;

  @ApiProperty({ maxLength: MAX_ROW_TITLE })
  @CodePoints(1, MAX_ROW_TITLE)
  @NotBlank()
  title: string;

  @ApiPropertyOptional({ maxLength: MAX_ROW_DESCRIPTION })
  @IsOptional()
  @CodePoints(1, MAX_ROW_DESCRIPTION)
  description?: string;
}

export class ListSectionDto {
  @ApiPropertyOptional({ maxLength: MAX_ROW_TITLE, description: 'needed when there are several sections' })
  @IsOptional()
  @CodePoints(1, MAX_ROW_TITLE)
  @NotBlank()
  title?: string;

  @ApiProperty({ type: [ListRowDto], minItems: 1, maxItems: MAX_ROWS })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_ROWS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ListRowDto)
  rows: ListRowDto[];
}

/** `buttons` of a `button`; `button` and `sections` of a `list`. */
export class InteractiveActionDto {
  @ApiPropertyOptional({ type: [ButtonDto], minItems: 1, maxItems: MAX_BUTTONS })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_BUTTONS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ButtonDto)
  buttons?: ButtonDto[];

  @ApiPropertyOptional({ maxLength: MAX_LIST_BUTTON })
  @IsOptional()
  @CodePoints(1, MAX_LIST_BUTTON)
  @NotBlank()
  button?: string;

  @ApiPropertyOptional({
    type: [ListSectionDto],
    minItems: 1,
    maxItems: MAX_SECTIONS,
    description: `at most ${MAX_ROWS} rows in all`,
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_SECTIONS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ListSectionDto)
  sections?: ListSectionDto[];
}

/** Reply buttons or a list, as Meta writes them. */
export class InteractiveDto {
  @ApiProperty({ enum: ['button', 'list'] })
  @IsIn(['button', 'list'])
  type: 'button' | 'list';

  @ApiPropertyOptional({ type: InteractiveHeaderDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => InteractiveHeaderDto)
  header?: InteractiveHeaderDto;

  @ApiProperty({ type: InteractiveBodyDto })
  @IsObject()
  @ValidateNested()
  @Type(() => InteractiveBodyDto)
  body: InteractiveBodyDto;

  @ApiPropertyOptional({ type: InteractiveFooterDto })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => InteractiveFooterDto)
  footer?: InteractiveFooterDto;

  @ApiProperty({ type: InteractiveActionDto })
  @IsObject()
  @ValidateNested()
  @Type(() => InteractiveActionDto)
  action: InteractiveActionDto;
}

export class ReactionDto {
  @ApiProperty({ description: 'a message of this conversation' })
  @IsString()
  @MaxLength(200)
  messageId: string;

  @ApiProperty({ description: 'exactly one emoji; `""` takes the reaction back' })
  @IsString()
  @MaxLength(40)
  emoji: string;
}
