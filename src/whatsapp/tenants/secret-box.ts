import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Secrets } from '../../infra/config/secrets.js';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** The length that NIST SP 800-38D, 5.2.1.1 recommends. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
const VERSION_BYTES = 6;
const SEALED = /^([\w-]{8}):([\w-]+)$/;

interface VersionedKey {
  /** Says which master key it comes from, and nothing else of it. */
  version: string;
  key: Buffer;
}

/** A sealed text that none of our keys opens: it was sealed under another `MASTER_KEY`, or was changed. */
export class NotOurSecretError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotOurSecretError';
  }
}

/**
 * Seals what must be kept but not read from the database: AES-256-GCM under a key derived from `MASTER_KEY`
 * (HKDF-SHA-256). What is sealed names the version of its key, and is bound to its place: moved to another row it does not open.
 * `MASTER_KEY_OLD` still opens what was sealed under it.
 */
@Injectable()
export class SecretBox {
  private readonly keys: VersionedKey[];

  constructor(secrets: Secrets) {
    this.keys = [
      secrets.masterKey,
      ...(secrets.oldMasterKey === undefined ? [] : [secrets.oldMasterKey]),
    ].map(deriveKey);
  }

  seal(text: string, place: string): string {
    const [{ version, key }] = this.keys as [VersionedKey];
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(Buffer.from(place));
    const sealed = [iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return `${version}:${Buffer.concat(sealed).toString('base64url')}`;
  }

  /** @throws NotOurSecretError */
  open(sealed: string, place: string): string {
    const [, version, body = ''] = SEALED.exec(sealed) ?? [];
    const key = this.keys.find((candidate) => candidate.version === version)?.key;
    if (!key) {
      throw new NotOurSecretError(
        'a secret was sealed under another MASTER_KEY: set MASTER_KEY_OLD and run npm run rotate-key',
      );
    }
    const bytes = Buffer.from(body, 'base64url');
    try {
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return (
        decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      );
    } catch {
      throw new NotOurSecretError('a sealed secret was changed, or moved to another place');
    }
  }

  /** Whether it holds this very text; one that does not open holds something else. */
  isOpenedTo(sealed: string, place: string, text: string): boolean {
    try {
      return this.open(sealed, place) === text;
    } catch (error) {
      if (error instanceof NotOurSecretError) return false;
      throw error;
    }
  }

  /** Whether it is sealed under the present `MASTER_KEY`. */
  isCurrent(sealed: string): boolean {
    return sealed.startsWith(`${this.keys[0]?.version ?? ''}:`);
  }
}

function deriveKey(masterKey: string): VersionedKey {
  const key = Buffer.from(hkdfSync('sha256', masterKey, '', 'parley tenant secrets', KEY_BYTES));
  const version = createHmac('sha256', key)
    .update('version')
    .digest()
    .subarray(0, VERSION_BYTES)
    .toString('base64url');
  return { version, key };
}
