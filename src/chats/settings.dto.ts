import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsOptional, ValidateBy } from 'class-validator';
import { MayBeAbsent } from '../users/users.validators.js';

/** RFC 3339: a date, a time and an offset. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export class ChatSettingsDto {
  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'no push until then, unless the caller is mentioned; null: not muted',
  })
  @IsOptional()
  @ValidateBy({
    name: 'dateTime',
    validator: {
      validate: isDateTime,
      defaultMessage: () => '$property must be a date and time such as 2026-12-24T18:00:00Z, or null',
    },
  })
  mutedUntil?: string | null;

  @ApiPropertyOptional()
  @MayBeAbsent()
  @IsBoolean()
  pinned?: boolean;

  @ApiPropertyOptional()
  @MayBeAbsent()
  @IsBoolean()
  archived?: boolean;

  @ApiPropertyOptional({ description: 'ends with the next read or message of the caller' })
  @MayBeAbsent()
  @IsBoolean()
  markedUnread?: boolean;
}

/** Within four digits of a year, `Date` and PostgreSQL write a time alike. NaN is in no range. */
function isDateTime(value: unknown): boolean {
  if (typeof value !== 'string' || !DATE_TIME.test(value)) return false;
  const ms = Date.parse(value);
  return ms >= 0 && ms <= LATEST_MS;
}
