import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Secrets } from '../../infra/config/secrets.js';
import { TenantsRepository } from './tenants.repository.js';
import { toTenant, type Tenant } from './tenants.service.js';

const KEY_BYTES = 32;
/** Tells the key apart from other secrets, for people and for scanners of leaked ones. */
const PREFIX = 'parley_';
const API_KEY = /^parley_[\w-]{43}$/;

/** The keys with which the operator and the tenants' own systems sign in. Of a tenant's key only a digest is stored. */
@Injectable()
export class TenantKeys {
  private readonly masterDigest: Buffer;

  constructor(
    secrets: Secrets,
    private readonly repository: TenantsRepository,
  ) {
    this.masterDigest = digest(secrets.masterKey);
  }

  /** Compares in constant time. */
  isMasterKey(token: string): boolean {
    return timingSafeEqual(digest(token), this.masterDigest);
  }

  async findTenant(token: string): Promise<Tenant | null> {
    if (!API_KEY.test(token)) return null;
    const row = await this.repository.findByApiKey(TenantKeys.hash(token));
    return row && toTenant(row);
  }

  static make(): string {
    return PREFIX + randomBytes(KEY_BYTES).toString('base64url');
  }

  /** The keys are random and long, so nothing slower is needed to keep them from being guessed. */
  static hash(apiKey: string): string {
    return digest(apiKey).toString('hex');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
