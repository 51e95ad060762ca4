import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, ValidateBy, ValidateIf, buildMessage } from 'class-validator';
import { PageQuery } from '../../infra/http/page.dto.js';
import { CodePoints } from '../../infra/http/validators.js';

export const HOOK_EVENTS = ['message.received', 'message.outgoing', 'message.status'] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];
export const DELIVERY_STATES = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

const MAX_URL_LENGTH = 2_000;
const MIN_SECRET_LENGTH = 8;
const MAX_SECRET_LENGTH = 256;

function HookEvents(): PropertyDecorator {
  const known: readonly unknown[] = HOOK_EVENTS;
  return ValidateBy({
    name: 'hookEvents',
    validator: {
      validate: (value: unknown) =>
        Array.isArray(value) &&
        value.length > 0 &&
        new Set(value).size === value.length &&
        value.every((event) => known.includes(event)),
      defaultMessage: buildMessage(
        () => `$property must be a list of different ones of ${HOOK_EVENTS.join(', ')}`,
      ),
    },
  });
}

export class SetHookDto {
  @ApiProperty({
    format: 'uri',
    maxLength: MAX_URL_LENGTH,
    description:
      'http: or https:, without user and password; in a private network only if the server allows it',
  })
  @CodePoints(1, MAX_URL_LENGTH)
  url: string;

  @ApiPropertyOptional({
    minLength: MIN_SECRET_LENGTH,
    maxLength: MAX_SECRET_LENGTH,
    description: 'signs every delivery; needed the first time, and afterwards only to change it',
  })
  @ValidateIf((_dto, value) => value !== undefined)
  @CodePoints(MIN_SECRET_LENGTH, MAX_SECRET_LENGTH)
  secret?: string;

  @ApiPropertyOptional({ enum: HOOK_EVENTS, isArray: true, description: 'default: all' })
  @ValidateIf((_dto, value) => value !== undefined)
  @HookEvents()
  events?: HookEvent[];
}

export class HookBody {
  @ApiProperty({ format: 'uri' })
  url: string;

  @ApiProperty({ enum: HOOK_EVENTS, isArray: true })
  events: HookEvent[];

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;
}

export class ListDeliveriesQuery extends PageQuery {
  @ApiPropertyOptional({ enum: DELIVERY_STATES })
  @IsOptional()
  @IsIn(DELIVERY_STATES)
  state?: DeliveryState;
}

export class DeliveryBody {
  @ApiProperty({ description: 'the `id` in the body that is delivered, the same at every attempt' })
  id: string;

  @ApiProperty({ enum: HOOK_EVENTS })
  event: HookEvent;

  @ApiProperty({ enum: DELIVERY_STATES })
  state: DeliveryState;

  @ApiProperty({ type: 'integer' })
  attempts: number;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'of a PENDING one' })
  nextAttemptAt: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'the HTTP status of the last answer' })
  lastStatus: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'what was wrong with the last attempt' })
  lastError: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  deliveredAt: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;
}
