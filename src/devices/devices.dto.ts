import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsNumber, IsObject, IsOptional, ValidateNested } from 'class-validator';
import { MAX_DEVICE_ID, MAX_DEVICE_NAME } from '../auth/device-fields.js';
import { CodePoints } from '../infra/http/validators.js';
import { MayBeAbsent } from '../users/users.validators.js';

export const PUSH_PROVIDERS = ['webpush', 'fcm', 'apns'] as const;
export type PushProvider = (typeof PUSH_PROVIDERS)[number];

/** Code points of an endpoint or a token: what PostgreSQL can index, with room to spare. */
const MAX_PUSH_TARGET = 1_500;
const MAX_PUSH_KEY = 200;

/** A device that somebody is signed in on. */
export class DeviceBody {
  @ApiProperty({ description: 'as the client named it when it signed in or connected' })
  deviceId: string;

  @ApiProperty({ type: String, nullable: true })
  deviceName: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time', description: 'when it last signed in, connected or disconnected' })
  lastSeenAt: string;

  @ApiProperty({ type: String, enum: [...PUSH_PROVIDERS, null], nullable: true })
  pushProvider: PushProvider | null;
}

/** The devices somebody is signed in on, the last seen first. */
export class DevicesBody {
  @ApiProperty({ type: [DeviceBody] })
  devices: DeviceBody[];
}

export class RemoveDeviceDto {
  @ApiProperty({ minLength: 1, maxLength: MAX_DEVICE_ID })
  @CodePoints(1, MAX_DEVICE_ID)
  deviceId: string;
}

export class RegisterDeviceDto {
  @ApiProperty({ minLength: 1, maxLength: MAX_DEVICE_ID, description: 'chosen by the client and kept by it' })
  @CodePoints(1, MAX_DEVICE_ID)
  deviceId: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: MAX_DEVICE_NAME,
    description: 'shown in the list of devices; without it the name stays',
  })
  @IsOptional()
  @CodePoints(0, MAX_DEVICE_NAME)
  deviceName?: string | null;
}

/** What the handshake of a socket may say of its device. */
export class HandshakeDeviceDto {
  @ApiPropertyOptional({ type: String, nullable: true, minLength: 1, maxLength: MAX_DEVICE_ID })
  @IsOptional()
  @CodePoints(1, MAX_DEVICE_ID)
  deviceId?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: MAX_DEVICE_NAME })
  @IsOptional()
  @CodePoints(0, MAX_DEVICE_NAME)
  deviceName?: string | null;
}

class WebPushKeysDto {
  @ApiProperty({ maxLength: MAX_PUSH_KEY, description: '65 bytes in base64url' })
  @CodePoints(1, MAX_PUSH_KEY)
  p256dh: string;

  @ApiProperty({ maxLength: MAX_PUSH_KEY, description: '16 bytes in base64url' })
  @CodePoints(1, MAX_PUSH_KEY)
  auth: string;
}

/** What a browser's `PushSubscription.toJSON()` returns. */
export class WebPushSubscriptionDto {
  @ApiProperty({ maxLength: MAX_PUSH_TARGET, description: 'an https address outside private networks' })
  @CodePoints(1, MAX_PUSH_TARGET)
  endpoint: string;

  @ApiPropertyOptional({
    type: 'number',
    nullable: true,
    description: 'part of what browsers give; not used',
  })
  @IsOptional()
  @IsNumber()
  expirationTime?: number | null;

  @ApiProperty({ type: WebPushKeysDto })
  @IsObject()
  @ValidateNested()
  @Type(() => WebPushKeysDto)
  keys: WebPushKeysDto;
}

export class RegisterPushDto {
  @ApiProperty({ enum: PUSH_PROVIDERS })
  @IsIn(PUSH_PROVIDERS)
  provider: PushProvider;

  @ApiPropertyOptional({ type: WebPushSubscriptionDto, description: 'with `webpush`' })
  @MayBeAbsent()
  @IsObject()
  @ValidateNested()
  @Type(() => WebPushSubscriptionDto)
  subscription?: WebPushSubscriptionDto;

  @ApiPropertyOptional({ minLength: 1, maxLength: MAX_PUSH_TARGET, description: 'with `fcm` and `apns`' })
  @MayBeAbsent()
  @CodePoints(1, MAX_PUSH_TARGET)
  token?: string;
}
