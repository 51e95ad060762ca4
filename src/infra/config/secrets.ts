import {
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { StartupError } from '../../common/startup-error.js';
import type { Config } from './config.js';

/** What a key is for: each purpose gets its own, so that a signature made for one never serves another. */
export type KeyPurpose = 'access-token' | 'refresh-token' | 'cursor' | 'media-url';

/**
 * The server's secrets, and the keys derived from them (HKDF-SHA-256, RFC 5869).
 * All instances of one installation hold the same.
 */
export class Secrets {
  private readonly keys = new Map<KeyPurpose, KeyObject>();

  constructor(
    private readonly jwtSecret: string,
    readonly masterKey: string,
    /** The master key before this one, while what was sealed under it is sealed anew. */
    readonly oldMasterKey?: string,
  ) {}

  /** A `KeyObject`, because jsonwebtoken tries to parse a string secret as a public key at every verify. */
  key(purpose: KeyPurpose): KeyObject {
    let key = this.keys.get(purpose);
    if (!key) {
      key = createSecretKey(Buffer.from(hkdfSync('sha256', this.jwtSecret, '', `parley ${purpose}`, 32)));
      this.keys.set(purpose, key);
    }
    return key;
  }

  /** HMAC-SHA-256 of `text`, base64url, cut to `bytes` bytes. */
  sign(purpose: KeyPurpose, text: string, bytes = 32): string {
    return createHmac('sha256', this.key(purpose))
      .update(text)
      .digest()
      .subarray(0, bytes)
      .toString('base64url');
  }

  /** Compares in constant time. */
  isSignature(purpose: KeyPurpose, text: string, signature: string, bytes = 32): boolean {
    const expected = Buffer.from(this.sign(purpose, text, bytes));
    const actual = Buffer.from(signature);
    return expected.length === actual.length && timingSafeEqual(expected, actual);
  }
}

/**
 * Takes the secrets from the configuration; what is missing there (only possible outside production) is made
 * once and kept in `<dataDir>/secrets.json`, readable by the owner alone.
 */
export async function resolveSecrets(config: Config): Promise<Secrets> {
  const { oldMasterKey } = config;
  if (config.jwtSecret && config.masterKey) {
    return new Secrets(config.jwtSecret, config.masterKey, oldMasterKey);
  }
  const kept = await keptSecrets(path.join(config.dataDir, 'secrets.json'));
  return new Secrets(config.jwtSecret ?? kept.jwtSecret, config.masterKey ?? kept.masterKey, oldMasterKey);
}

async function keptSecrets(file: string): Promise<{ jwtSecret: string; masterKey: string }> {
  await mkdir(path.dirname(file), { recursive: true });
  const made = {
    jwtSecret: randomBytes(32).toString('base64url'),
    masterKey: randomBytes(32).toString('base64url'),
  };
  if (!existsSync(file)) {
    // Linked into place whole: of several instances that start together one wins, and nobody reads a half-written file.
    const scratch = `${file}.${randomBytes(8).toString('hex')}`;
    await writeFile(scratch, JSON.stringify(made, null, 2), { mode: 0o600, flush: true });
    try {
      await link(scratch, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(scratch, { force: true });
    }
  }
  try {
    return JSON.parse(await readFile(file, 'utf8')) as typeof made;
  } catch (cause) {
    throw new StartupError(`${file} cannot be read: restore it, or remove it to sign everyone out.`, {
      cause,
    });
  }
}
