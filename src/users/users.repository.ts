import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { Prisma, User } from '../infra/database/generated/client.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { emailKeyOf, nameKeyOf, type Profile, type ProfileChanges } from './profile.js';

export interface UserRow {
  id: string;
  name: string;
  email: string;
  phone: string | null;
  passwordHash: string;
  pictureId: string | null;
}

/** What signing in needs to know of an account. */
export interface Credentials {
  userId: string;
  passwordHash: string;
}

interface CredentialsRow {
  id: string;
  password_hash: string;
}

@Injectable()
export class UsersRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly database: Database,
  ) {}

  /** @throws a unique violation when the e-mail address is taken */
  async insert(tx: PrismaTransaction, row: UserRow, at: Date): Promise<Profile> {
    return toProfile(
      await tx.user.create({
        data: {
          ...row,
          nameKey: nameKeyOf(row.name),
          emailKey: emailKeyOf(row.email),
          createdAt: at,
          updatedAt: at,
        },
      }),
    );
  }

  async findProfile(id: string): Promise<Profile | null> {
    const row = await this.prisma.user.findUnique({ where: { id } });
    return row && toProfile(row);
  }

  async listProfiles(ids: readonly string[]): Promise<Profile[]> {
    return (await this.prisma.user.findMany({ where: { id: { in: [...ids] } } })).map(toProfile);
  }

  /** Keeps others from changing the row until `tx` ends. */
  async lockProfile(tx: PrismaTransaction, id: string): Promise<Profile | null> {
    await tx.$queryRaw`SELECT 1 FROM app_user WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
    const row = await tx.user.findUnique({ where: { id } });
    return row && toProfile(row);
  }

  /** @throws a unique violation when the new e-mail address is taken */
  async update(
    tx: PrismaTransaction,
    id: string,
    changes: ProfileChanges & { pictureId?: string },
    at: Date,
  ): Promise<Profile> {
    const { name, email, dateOfBirth, settings, ...others } = changes;
    const data: Prisma.UserUpdateInput = {
      ...others,
      ...(name !== undefined && { name, nameKey: nameKeyOf(name) }),
      ...(email !== undefined && { email, emailKey: emailKeyOf(email) }),
      ...(dateOfBirth !== undefined && {
        dateOfBirth: dateOfBirth === null ? null : new Date(`${dateOfBirth}T00:00:00Z`),
      }),
      ...(settings?.readReceipts !== undefined && { readReceipts: settings.readReceipts }),
      ...(settings?.lastSeen !== undefined && { lastSeenVisibility: settings.lastSeen }),
      version: { increment: 1 },
      updatedAt: at,
    };
    return toProfile(await tx.user.update({ where: { id }, data }));
  }

  async findCredentials(emailKey: string): Promise<Credentials | null> {
    const [row] = await this.database.query<CredentialsRow>(
      { name: 'find_credentials', text: 'SELECT id, password_hash FROM app_user WHERE email_key = $1' },
      [emailKey],
    );
    return row ? { userId: row.id, passwordHash: row.password_hash } : null;
  }

  async findPasswordHash(id: string): Promise<string | null> {
    const row = await this.prisma.user.findUnique({ where: { id }, select: { passwordHash: true } });
    return row?.passwordHash ?? null;
  }

  /** Whether the account still has this password; it keeps it until `tx` ends. */
  async lockPasswordHash(tx: PrismaTransaction, { userId, passwordHash }: Credentials): Promise<boolean> {
    const rows = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM app_user WHERE id = ${userId}::uuid AND password_hash = ${passwordHash} FOR SHARE`;
    return rows.length > 0;
  }

  /** Whether the password was still the old one, and now is the new one. */
  async replacePasswordHash(tx: PrismaTransaction, old: Credentials, passwordHash: string): Promise<boolean> {
    const { count } = await tx.user.updateMany({
      where: { id: old.userId, passwordHash: old.passwordHash },
      data: { passwordHash },
    });
    return count > 0;
  }

  /** Waits for whoever is about to insert a row that refers to the account, and lets no more come. */
  async lockForRemoval(tx: PrismaTransaction, id: string): Promise<number | null> {
    const [row] = await tx.$queryRaw<{ version: number }[]>`
      SELECT version FROM app_user WHERE id = ${id}::uuid FOR UPDATE`;
    return row?.version ?? null;
  }

  async delete(tx: PrismaTransaction, id: string): Promise<void> {
    await tx.user.delete({ where: { id } });
  }
}

function toProfile(row: User): Profile {
  const { id, name, email, phone, pictureId, bio, gender, version } = row;
  return {
    id,
    name,
    email,
    phone,
    pictureId,
    bio,
    gender,
    dateOfBirth: row.dateOfBirth?.toISOString().slice(0, 10) ?? null,
    settings: { readReceipts: row.readReceipts, lastSeen: row.lastSeenVisibility },
    version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
