import { randomBytes } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import bcrypt from 'bcrypt';

const COST = 10;
export const MIN_PASSWORD_BYTES = 8;
/** What bcrypt reads; it would ignore the rest. */
export const MAX_PASSWORD_BYTES = 72;

@Injectable()
export class PasswordsService implements OnModuleInit {
  private decoyHash = '';

  async onModuleInit(): Promise<void> {
    this.decoyHash = await bcrypt.hash(randomBytes(32).toString('base64'), COST);
  }

  /** @param password at most 72 bytes */
  async hash(password: string): Promise<string> {
    return bcrypt.hash(password, COST);
  }

  /** Takes the same time for `null`, an account that does not exist, as for a wrong password. */
  async matches(password: string, hash: string | null): Promise<boolean> {
    const isEqual = await bcrypt.compare(password, hash ?? this.decoyHash);
    return isEqual && hash !== null && Buffer.byteLength(password) <= MAX_PASSWORD_BYTES;
  }
}
