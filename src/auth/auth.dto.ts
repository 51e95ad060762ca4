import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsIn, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { CodePoints, NotBlank } from '../infra/http/validators.js';
import { GENDERS, LAST_SEEN_VISIBILITIES, UserBody } from '../users/users.dto.js';
import { IsEmailAddress, IsPhone, MayBeAbsent } from '../users/users.validators.js';
import { IsNewPassword } from './auth.validators.js';
import { MAX_DEVICE_ID, MAX_DEVICE_NAME } from './device-fields.js';

const MAX_NAME = 100;
const MAX_BIO = 500;
/** Far above what any account can have; it only keeps the work on one request small. */
const MAX_TYPED = 1_000;

export class RegisterRequest {
  @ApiProperty({ minLength: 1, maxLength: MAX_NAME })
  @CodePoints(1, MAX_NAME)
  @NotBlank()
  name: string;

  @ApiProperty({ format: 'email' })
  @IsEmailAddress()
  email: string;

  @ApiProperty({ description: '8 to 72 bytes in UTF-8' })
  @IsNewPassword()
  password: string;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'with its country code' })
  @IsOptional()
  @IsPhone()
  phone?: string | null;
}

export class LoginRequest {
  @ApiProperty()
  @CodePoints(0, MAX_TYPED)
  email: string;

  @ApiProperty()
  @CodePoints(0, MAX_TYPED)
  password: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    minLength: 1,
    maxLength: MAX_DEVICE_ID,
    description: 'chosen by the client and kept by it; signing in again on a device ends its earlier session',
  })
  @IsOptional()
  @CodePoints(1, MAX_DEVICE_ID)
  deviceId?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: MAX_DEVICE_NAME,
    description: 'shown in the lists of sessions and devices',
  })
  @IsOptional()
  @CodePoints(0, MAX_DEVICE_NAME)
  deviceName?: string | null;
}

export class RefreshRequest {
  @ApiPropertyOptional({ description: 'without it the cookie is used, which needs an allowed `Origin`' })
  @MayBeAbsent()
  @CodePoints(0, MAX_TYPED)
  refreshToken?: string;
}

class SettingsRequest {
  @ApiPropertyOptional()
  @MayBeAbsent()
  @IsBoolean()
  readReceipts?: boolean;

  @ApiPropertyOptional({ enum: LAST_SEEN_VISIBILITIES })
  @MayBeAbsent()
  @IsIn(LAST_SEEN_VISIBILITIES)
  lastSeen?: (typeof LAST_SEEN_VISIBILITIES)[number];
}

/** What is absent stays as it is; null clears what a person may lack. */
export class UpdateProfileRequest {
  @ApiPropertyOptional({ minLength: 1, maxLength: MAX_NAME })
  @MayBeAbsent()
  @CodePoints(1, MAX_NAME)
  @NotBlank()
  name?: string;

  @ApiPropertyOptional({ format: 'email' })
  @MayBeAbsent()
  @IsEmailAddress()
  email?: string;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'with its country code' })
  @IsOptional()
  @IsPhone()
  phone?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: MAX_BIO })
  @IsOptional()
  @CodePoints(0, MAX_BIO)
  bio?: string | null;

  @ApiPropertyOptional({ type: String, enum: [...GENDERS, null], nullable: true })
  @IsOptional()
  @IsIn(GENDERS)
  gender?: (typeof GENDERS)[number] | null;

  @ApiPropertyOptional({ type: String, format: 'date', nullable: true, description: 'at least 13 years ago' })
  @IsOptional()
  @IsString()
  dateOfBirth?: string | null;

  @ApiPropertyOptional({ type: SettingsRequest, description: 'in a form: as JSON' })
  @MayBeAbsent()
  @IsObject()
  @ValidateNested()
  @Type(() => SettingsRequest)
  settings?: SettingsRequest;
}

export class ChangePasswordRequest {
  @ApiProperty()
  @CodePoints(0, MAX_TYPED)
  currentPassword: string;

  @ApiProperty({ description: '8 to 72 bytes in UTF-8' })
  @IsNewPassword()
  newPassword: string;
}

export class ForgotPasswordRequest {
  @ApiProperty({ format: 'email' })
  @IsEmailAddress()
  email: string;
}

export class ResetPasswordRequest {
  @ApiProperty({ description: 'from the mail' })
  @CodePoints(0, MAX_TYPED)
  token: string;

  @ApiProperty({ description: '8 to 72 bytes in UTF-8' })
  @IsNewPassword()
  password: string;
}

export class DeleteProfileRequest {
  @ApiProperty()
  @CodePoints(0, MAX_TYPED)
  password: string;
}

/** A new pair of tokens. */
export class TokensBody {
  @ApiProperty({ description: 'the access token' })
  token: string;

  @ApiProperty({ description: 'works once, and for ten seconds more' })
  refreshToken: string;

  @ApiProperty({ type: 'integer', description: 'the life of the access token from its issue, in seconds' })
  expiresIn: number;
}

export class SignedInBody extends TokensBody {
  @ApiProperty({ type: UserBody })
  user: UserBody;
}

/** Where somebody is signed in. */
export class SessionBody {
  @ApiProperty()
  id: string;

  @ApiProperty({ type: String, nullable: true })
  deviceId: string | null;

  @ApiProperty({ type: String, nullable: true })
  deviceName: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'the address of the sign-in' })
  ip: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time', description: 'when its tokens were last refreshed' })
  lastUsedAt: string;

  @ApiProperty({ format: 'date-time', description: 'when it ends unless it is refreshed before' })
  expiresAt: string;

  @ApiProperty({ description: 'whether it is the one that asks' })
  current: boolean;
}
