import type { Gender, LastSeenVisibility } from '../infra/database/generated/enums.js';

/** What an account says about its person. Times are ISO 8601, as entries of the cache must survive JSON. */
export interface Profile {
  id: string;
  name: string;
  email: string;
  /** E.164. */
  phone: string | null;
  pictureId: string | null;
  bio: string | null;
  gender: Gender | null;
  /** `YYYY-MM-DD`. */
  dateOfBirth: string | null;
  settings: ProfileSettings;
  version: number;
  createdAt: string;
  updatedAt: string;
}

export interface ProfileSettings {
  readReceipts: boolean;
  lastSeen: LastSeenVisibility;
}

/** What may be changed; absent means unchanged, null means cleared. */
export interface ProfileChanges {
  name?: string;
  email?: string;
  phone?: string | null;
  bio?: string | null;
  gender?: Gender | null;
  dateOfBirth?: string | null;
  settings?: Partial<ProfileSettings>;
}

/** E-mail addresses are the same account's when their keys are equal. */
export function emailKeyOf(email: string): string {
  return email.trim().normalize('NFC').toLowerCase();
}

/** The folded form in which names are compared and searched: no accents, no case, compatibility forms made plain. */
export function nameKeyOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .trim();
}
