import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { RateLimiterPostgres } from 'rate-limiter-flexible';
import { AppError } from '../common/errors.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { Database } from '../infra/database/database.js';
import { Metrics } from '../infra/observability/metrics.js';
import { emailKeyOf } from '../users/profile.js';
import { LoginLimits, limiterInDatabase, timeToWait } from './login-limits.js';

const PER_ADDRESS = 20;
const ADDRESS_WINDOW_SECONDS = 15 * 60;
const MAILS_PER_ACCOUNT = 3;
const ACCOUNT_WINDOW_SECONDS = 3_600;

/**
 * Limits on asking for a new password, beside those on login: an address may ask so often, and guess tokens so often;
 * an account gets so many mails, whoever asks. They count what was typed and say nothing about what exists.
 */
@Injectable()
export class ResetLimits {
  private readonly byAddress: RateLimiterPostgres;
  private readonly byAccount: RateLimiterPostgres;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    database: Database,
    private readonly metrics: Metrics,
    private readonly logins: LoginLimits,
  ) {
    this.byAddress = limiterInDatabase(database, 'reset-address', PER_ADDRESS, ADDRESS_WINDOW_SECONDS);
    this.byAccount = limiterInDatabase(database, 'reset-account', MAILS_PER_ACCOUNT, ACCOUNT_WINDOW_SECONDS);
  }

  /**
   * Counts a wish for a mail.
   *
   * @returns false when the account has had its mails, of which the last still serves, or the address asks too often
   */
  async admit(email: string, ip: string | undefined): Promise<boolean> {
    if (!this.config.rateLimits) return true;
    const address = await this.byAddress.penalty(ip ?? 'unknown');
    if (address.consumedPoints > PER_ADDRESS) return false;
    const key = createHash('sha256').update(emailKeyOf(email)).digest('base64url');
    return (await this.byAccount.penalty(key)).consumedPoints <= MAILS_PER_ACCOUNT;
  }

  /**
   * Runs `check` (which looks a token up) unless too many failed before, and counts its failure. Who has the token is
   * the account's owner, and may sign in from here again.
   *
   * @throws AppError RATE_LIMITED
   */
  async guard<T extends { emailKey: string }>(
    ip: string | undefined,
    check: () => Promise<T | null>,
  ): Promise<T | null> {
    if (!this.config.rateLimits) return check();
    const address = ip ?? 'unknown';
    const wait = timeToWait(await this.byAddress.get(address), PER_ADDRESS);
    if (wait > 0) throw this.refusal(wait);
    const found = await check();
    if (found === null) await this.byAddress.penalty(address);
    else await this.logins.forgive(found.emailKey, ip);
    return found;
  }

  private refusal(waitMs: number): AppError {
    this.metrics.rateLimited.inc({ limit: 'password-reset' });
    return new AppError('RATE_LIMITED', { retryAfterMs: Math.max(1, waitMs) });
  }
}
