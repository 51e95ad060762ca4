import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { RateLimiterPostgres, type RateLimiterRes } from 'rate-limiter-flexible';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { Database } from '../infra/database/database.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import { emailKeyOf } from '../users/profile.js';
import { LoginLimitsRepository } from './login-limits.repository.js';

/** Contract §1: failures in 15 minutes. */
const WINDOW_SECONDS = 15 * 60;
const FAILURES_PER_ACCOUNT_AND_ADDRESS = 10;
const FAILURES_PER_ADDRESS = 30;
const CLEAN_UP_EVERY_MS = 300_000;

/**
 * Limits on wrong passwords, kept in PostgreSQL so that a restart or a lost Redis resets nothing. They count by what
 * was typed, so they say nothing about whether an account exists; and per address, so nobody can lock out the owner,
 * who comes from another one.
 */
@Injectable()
export class LoginLimits implements OnModuleInit, OnApplicationShutdown {
  private readonly byAccount: RateLimiterPostgres;
  private readonly byAddress: RateLimiterPostgres;
  private stopCleanUp: (() => void) | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    database: Database,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly rows: LoginLimitsRepository,
    private readonly log: Log,
  ) {
    this.byAccount = limiterInDatabase(database, 'account', FAILURES_PER_ACCOUNT_AND_ADDRESS, WINDOW_SECONDS);
    this.byAddress = limiterInDatabase(database, 'address', FAILURES_PER_ADDRESS, WINDOW_SECONDS);
  }

  onModuleInit(): void {
    this.stopCleanUp = this.clock.every(CLEAN_UP_EVERY_MS, () => {
      this.rows.deleteExpired(this.clock.nowMs()).catch((error: unknown) => {
        this.log.warn({ err: error }, 'expired limits could not be removed');
      });
    });
  }

  onApplicationShutdown(): void {
    this.stopCleanUp?.();
  }

  /**
   * Runs `check` (which compares a password) unless too many failed before, and counts its failure. What was judged
   * right is refused all the same if the failures of others that ran at the same time have reached the limit by then:
   * a burst of guesses gains nothing over guesses one by one.
   *
   * @throws AppError RATE_LIMITED with the time to wait
   */
  async guard(email: string, ip: string | undefined, check: () => Promise<boolean>): Promise<boolean> {
    if (!this.config.rateLimits) return check();
    const address = ip ?? 'unknown';
    const account = accountKey(email, address);
    await this.assertNotLimited(account, address);
    if (await check()) {
      await this.assertNotLimited(account, address);
      await this.byAccount.delete(account);
      return true;
    }
    await Promise.all([this.byAccount.penalty(account), this.byAddress.penalty(address)]);
    return false;
  }

  /** Forgets the failures for this account from this address: its owner has proved to be who they are. */
  async forgive(email: string, ip: string | undefined): Promise<void> {
    if (this.config.rateLimits) await this.byAccount.delete(accountKey(email, ip ?? 'unknown'));
  }

  private async assertNotLimited(account: string, address: string): Promise<void> {
    const [ofAccount, ofAddress] = await Promise.all([
      this.byAccount.get(account),
      this.byAddress.get(address),
    ]);
    const retryAfterMs = Math.max(
      timeToWait(ofAccount, FAILURES_PER_ACCOUNT_AND_ADDRESS),
      timeToWait(ofAddress, FAILURES_PER_ADDRESS),
    );
    if (retryAfterMs === 0) return;
    this.metrics.rateLimited.inc({ limit: 'login' });
    throw new AppError('RATE_LIMITED', { retryAfterMs });
  }
}

/** A limit whose counts survive a restart. @param seconds of its window */
export function limiterInDatabase(
  database: Database,
  keyPrefix: string,
  points: number,
  seconds: number,
): RateLimiterPostgres {
  return new RateLimiterPostgres({
    storeClient: database.pool,
    storeType: 'pool',
    tableName: 'login_limit',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix,
    points,
    duration: seconds,
  });
}

function accountKey(email: string, address: string): string {
  return createHash('sha256')
    .update(`${emailKeyOf(email)}\n${address}`)
    .digest('base64url');
}

/** Milliseconds, 0 if the limit is not reached. */
export function timeToWait(state: RateLimiterRes | null, limit: number): number {
  return state && state.consumedPoints >= limit ? Math.max(1, state.msBeforeNext) : 0;
}
