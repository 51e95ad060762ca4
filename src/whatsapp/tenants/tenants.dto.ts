import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsOptional, IsString, Matches, Max, Min, ValidateIf } from 'class-validator';
import { MEMBER_ROLES, type MemberRole } from '../../chats/chats.dto.js';
import { CodePoints, NotBlank } from '../../infra/http/validators.js';

export const TENANT_STATUSES = ['active', 'disconnected', 'restricted'] as const;
/** What Meta allows its fastest numbers (https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput). */
const MAX_MESSAGES_PER_SECOND = 1_000;
const META_ID = /^[\w-]{1,64}$/;
const META_ID_RULE = '$property must be an id as Meta shows it: digits';
const ACCESS_TOKEN = /^[\x21-\x7e]{1,1000}$/;
const ACCESS_TOKEN_RULE = '$property must be an access token: 1 to 1000 characters without spaces';

export class RegisterTenantDto {
  @ApiProperty({ minLength: 1, maxLength: 100 })
  @CodePoints(1, 100)
  @NotBlank()
  name: string;

  @ApiProperty({ description: 'Meta’s id of the number, not the number', example: '106540352242922' })
  @Matches(META_ID, { message: META_ID_RULE })
  phoneNumberId: string;

  @ApiProperty({
    description:
      'for the Graph API; stored encrypted and never shown. One that starts with `mock_` never calls the network',
  })
  @Matches(ACCESS_TOKEN, { message: ACCESS_TOKEN_RULE })
  accessToken: string;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    description: 'the WhatsApp Business Account, for templates',
  })
  @IsOptional()
  @Matches(META_ID, { message: META_ID_RULE })
  wabaId?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: 40,
    description: 'the number itself, for people; Meta tells it with the first message',
  })
  @IsOptional()
  @CodePoints(1, 40)
  displayPhoneNumber?: string | null;

  @ApiPropertyOptional({ default: true, description: 'whether customers are answered when no flow matches' })
  @ValidateIf((_dto, value) => value !== undefined)
  @IsBoolean()
  autoReply?: boolean;

  @ApiPropertyOptional({
    type: Boolean,
    nullable: true,
    description: 'whether free text needs an open 24-hour window; by default for all but `mock_` tokens',
  })
  @IsOptional()
  @IsBoolean()
  enforceWindow?: boolean | null;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_MESSAGES_PER_SECOND, default: 80 })
  @ValidateIf((_dto, value) => value !== undefined)
  @IsInt()
  @Min(1)
  @Max(MAX_MESSAGES_PER_SECOND)
  messagesPerSecond?: number;
}

export class UpdateTenantDto {
  @ApiPropertyOptional({ minLength: 1, maxLength: 100 })
  @ValidateIf((_dto, value) => value !== undefined)
  @CodePoints(1, 100)
  @NotBlank()
  name?: string;

  @ApiPropertyOptional({ description: 'makes the tenant active again' })
  @ValidateIf((_dto, value) => value !== undefined)
  @Matches(ACCESS_TOKEN, { message: ACCESS_TOKEN_RULE })
  accessToken?: string;

  @ApiPropertyOptional({ description: 'the operator’s to change' })
  @ValidateIf((_dto, value) => value !== undefined)
  @Matches(META_ID, { message: META_ID_RULE })
  phoneNumberId?: string;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'the operator’s to change' })
  @IsOptional()
  @Matches(META_ID, { message: META_ID_RULE })
  wabaId?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    maxLength: 40,
    description: 'the number itself, for people; Meta tells it with the first message',
  })
  @IsOptional()
  @CodePoints(1, 40)
  displayPhoneNumber?: string | null;

  @ApiPropertyOptional()
  @ValidateIf((_dto, value) => value !== undefined)
  @IsBoolean()
  autoReply?: boolean;

  @ApiPropertyOptional({ type: Boolean, nullable: true })
  @IsOptional()
  @IsBoolean()
  enforceWindow?: boolean | null;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: MAX_MESSAGES_PER_SECOND })
  @ValidateIf((_dto, value) => value !== undefined)
  @IsInt()
  @Min(1)
  @Max(MAX_MESSAGES_PER_SECOND)
  messagesPerSecond?: number;
}

export class AddAgentDto {
  @ApiProperty()
  @IsString()
  userId: string;

  @ApiPropertyOptional({ enum: MEMBER_ROLES, default: 'MEMBER' })
  @ValidateIf((_dto, value) => value !== undefined)
  @IsIn(MEMBER_ROLES)
  role?: MemberRole;
}

export class TenantBody {
  @ApiProperty()
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty()
  phoneNumberId: string;

  @ApiProperty({ type: String, nullable: true, description: 'the number itself, once Meta has told it' })
  displayPhoneNumber: string | null;

  @ApiProperty({ type: String, nullable: true })
  wabaId: string | null;

  @ApiProperty({
    enum: TENANT_STATUSES,
    description:
      '`disconnected`: Meta refuses the token; `restricted`: Meta has locked the account. Nothing is sent then',
  })
  status: (typeof TENANT_STATUSES)[number];

  @ApiProperty({ type: String, nullable: true, description: 'why it is not active' })
  statusReason: string | null;

  @ApiProperty()
  autoReply: boolean;

  @ApiProperty()
  enforceWindow: boolean;

  @ApiProperty({ type: 'integer' })
  messagesPerSecond: number;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;
}

export class RegisteredTenantBody extends TenantBody {
  @ApiProperty({ description: 'for the tenant’s own system; shown this once' })
  apiKey: string;
}

export class ApiKeyBody {
  @ApiProperty({ description: 'shown this once' })
  apiKey: string;
}
