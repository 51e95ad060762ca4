import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError, validationError } from '../common/errors.js';
import { newId } from '../common/ids.js';
import { Cache, staleOnCommit } from '../infra/cache/cache.js';
import {
  PrismaService,
  isUniqueViolation,
  type PrismaTransaction,
} from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { SignedUrls } from '../infra/storage/signed-urls.js';
import type { AfterCommit } from './account-removal.js';
import { problemWithBirthDate } from './birth-date.js';
import { normalisePhone } from './phone.js';
import { ProfilePictures } from './profile-pictures.js';
import { emailKeyOf, type Profile, type ProfileChanges } from './profile.js';
import type { UserBody } from './users.dto.js';
import { UserUpdated } from './users.events.js';
import { UsersRepository, type Credentials } from './users.repository.js';

/** A new account, its fields checked but not yet in the form in which they are stored. */
export interface NewAccount {
  name: string;
  email: string;
  phone?: string | null;
  passwordHash: string;
}

type CreationHook = (tx: PrismaTransaction, userId: string) => Promise<AfterCommit>;

@Injectable()
export class UsersService {
  private readonly creationHooks: CreationHook[] = [];

  constructor(
    private readonly users: UsersRepository,
    private readonly prisma: PrismaService,
    private readonly pictures: ProfilePictures,
    private readonly cache: Cache,
    private readonly events: EventBus,
    private readonly urls: SignedUrls,
    private readonly clock: Clock,
  ) {}

  /** For modules that have something ready for new accounts: runs in the transaction that makes one. */
  onCreate(hook: CreationHook): void {
    this.creationHooks.push(hook);
  }

  /**
   * Makes an account. `alongside` runs in its transaction.
   *
   * @param picturePath a file with the profile picture
   * @throws AppError EMAIL_TAKEN, and what a picture may be refused with
   */
  async create<T>(
    account: NewAccount,
    picturePath: string | undefined,
    alongside: (tx: PrismaTransaction, userId: string) => Promise<T>,
  ): Promise<{ profile: Profile; result: T }> {
    const id = newId();
    const { profile, result, afterCommit } = await refusingTakenEmail(() =>
      this.pictures.with(picturePath, (picture) =>
        this.prisma.inTransaction(async (tx) => {
          const row = {
            id,
            name: account.name,
            email: account.email.trim(),
            phone: storedPhone(account.phone) ?? null,
            passwordHash: account.passwordHash,
            pictureId: picture?.id ?? null,
          };
          const inserted = await this.users.insert(tx, row, this.clock.now());
          await picture?.attach(tx, id);
          const done = await alongside(tx, id);
          const after: AfterCommit[] = [];
          for (const hook of this.creationHooks) after.push(await hook(tx, id));
          return { profile: inserted, result: done, afterCommit: after };
        }),
      ),
    );
    for (const rest of afterCommit) await rest();
    return { profile, result };
  }

  /**
   * Changes an account and publishes UserUpdated.
   *
   * @param picturePath a file with a new profile picture, which replaces the old one
   * @throws AppError EMAIL_TAKEN, VALIDATION_FAILED for the date of birth, SESSION_REVOKED like `getProfile`
   */
  async update(userId: string, changes: ProfileChanges, picturePath?: string): Promise<Profile> {
    this.assertBirthDate(changes.dateOfBirth);
    if (picturePath === undefined && Object.values(changes).every((value) => value === undefined)) {
      return this.getProfile(userId);
    }
    const stored = storedForm(changes);
    const { before, after, removeOldPicture } = await refusingTakenEmail(() =>
      this.pictures.with(picturePath, (picture) =>
        this.prisma.inTransaction(async (tx) => {
          const old = await this.users.lockProfile(tx, userId);
          if (!old) throw new AppError('SESSION_REVOKED');
          await picture?.attach(tx, userId);
          const now = this.clock.now();
          const profile = await this.users.update(
            tx,
            userId,
            { ...stored, ...(picture && { pictureId: picture.id }) },
            now,
          );
          const removeOld =
            picture && old.pictureId ? await this.pictures.store.detach(tx, old.pictureId) : undefined;
          await staleOnCommit(tx, 'profiles', userId, profile.version);
          return { before: old, after: profile, removeOldPicture: removeOld };
        }),
      ),
    );
    await this.cache.forget('profiles', userId, after.version);
    await removeOldPicture?.();
    this.events.publish(
      new UserUpdated(userId, settingsDiffer(before, after), publicPartsDiffer(before, after)),
    );
    return after;
  }

  /**
   * The caller's own account.
   *
   * @throws AppError SESSION_REVOKED when it was deleted since the caller was authenticated, as its sessions were too
   */
  async getProfile(userId: string): Promise<Profile> {
    const profile = await this.users.findProfile(userId);
    if (!profile) throw new AppError('SESSION_REVOKED');
    return profile;
  }

  /** Profiles by id, from the cache where they are in it; ids of nobody are absent. */
  async profilesOf(userIds: readonly string[]): Promise<Map<string, Profile>> {
    return this.cache.getMany('profiles', userIds, async (missing) => {
      const found = await this.users.listProfiles(missing);
      return new Map(found.map((profile) => [profile.id, profile]));
    });
  }

  /** Makes every later look-up of these people show at least the given versions of their profiles. */
  async expectVersions(versions: ReadonlyMap<string, number>): Promise<void> {
    await this.cache.forgetOlder('profiles', versions);
  }

  /** The account as its owner sees it. */
  toBody(profile: Profile): UserBody {
    const { id, name, email, phone, pictureId, bio, gender, dateOfBirth, createdAt, updatedAt, settings } =
      profile;
    const profilePic = pictureId === null ? null : this.urls.sign(pictureId, id);
    return { id, name, email, phone, profilePic, bio, gender, dateOfBirth, createdAt, updatedAt, settings };
  }

  /** The account with this e-mail address, or null; one statement either way. */
  async findCredentials(email: string): Promise<Credentials | null> {
    return this.users.findCredentials(emailKeyOf(email));
  }

  /** The hash of the caller's own password. @throws AppError SESSION_REVOKED like `getProfile` */
  async getPasswordHash(userId: string): Promise<string> {
    const hash = await this.users.findPasswordHash(userId);
    if (hash === null) throw new AppError('SESSION_REVOKED');
    return hash;
  }

  /** Whether the password is still the one that was compared; it cannot be changed until `tx` ends. */
  async holdPassword(tx: PrismaTransaction, credentials: Credentials): Promise<boolean> {
    return this.users.lockPasswordHash(tx, credentials);
  }

  /** Replaces the password, unless someone else did since `old` was read: then false. */
  async replacePassword(tx: PrismaTransaction, old: Credentials, passwordHash: string): Promise<boolean> {
    return this.users.replacePasswordHash(tx, old, passwordHash);
  }

  private assertBirthDate(date: string | null | undefined): void {
    if (date === undefined || date === null) return;
    const problem = problemWithBirthDate(date, this.clock.now().toISOString().slice(0, 10));
    if (problem !== null) throw validationError([{ field: 'dateOfBirth', message: problem }]);
  }
}

async function refusingTakenEmail<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error)) throw new AppError('EMAIL_TAKEN', { cause: error });
    throw error;
  }
}

function storedForm(changes: ProfileChanges): ProfileChanges {
  const phone = storedPhone(changes.phone);
  return {
    ...changes,
    ...(changes.email !== undefined && { email: changes.email.trim() }),
    ...(phone !== undefined && { phone }),
  };
}

function storedPhone(phone: string | null | undefined): string | null | undefined {
  return typeof phone === 'string' ? normalisePhone(phone) : phone;
}

function settingsDiffer(before: Profile, after: Profile): boolean {
  return (
    before.settings.readReceipts !== after.settings.readReceipts ||
    before.settings.lastSeen !== after.settings.lastSeen
  );
}

function publicPartsDiffer(before: Profile, after: Profile): boolean {
  return before.name !== after.name || before.bio !== after.bio || before.pictureId !== after.pictureId;
}
