import { ApiProperty } from '@nestjs/swagger';

export const GENDERS = ['MALE', 'FEMALE', 'OTHER'] as const;
export const LAST_SEEN_VISIBILITIES = ['everyone', 'contacts', 'nobody'] as const;

export class SettingsBody {
  @ApiProperty({ description: 'whether others learn what this person has read, in private chats' })
  readReceipts: boolean;

  @ApiProperty({
    enum: LAST_SEEN_VISIBILITIES,
    description: 'who sees whether this person is online, and when they were',
  })
  lastSeen: (typeof LAST_SEEN_VISIBILITIES)[number];
}

/** A person as they see themselves. */
export class UserBody {
  @ApiProperty()
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ format: 'email' })
  email: string;

  @ApiProperty({ type: String, nullable: true, description: 'E.164' })
  phone: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'a signed address; add `&size=thumbnail` for a small one',
  })
  profilePic: string | null;

  @ApiProperty({ type: String, nullable: true })
  bio: string | null;

  @ApiProperty({ type: String, enum: [...GENDERS, null], nullable: true })
  gender: (typeof GENDERS)[number] | null;

  @ApiProperty({ type: String, format: 'date', nullable: true })
  dateOfBirth: string | null;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({ format: 'date-time' })
  updatedAt: string;

  @ApiProperty({ type: SettingsBody })
  settings: SettingsBody;
}

/** A person as others see them. */
export class PublicUserBody {
  @ApiProperty()
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'a signed address; add `&size=thumbnail` for a small one',
  })
  profilePic: string | null;

  @ApiProperty({ type: String, nullable: true })
  bio: string | null;

  @ApiProperty({ description: 'false also for those who may not know' })
  online: boolean;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'null also for those who may not know',
  })
  lastSeenAt: string | null;
}
