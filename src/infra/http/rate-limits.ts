import { Inject, Injectable } from '@nestjs/common';
import type { Redis } from 'ioredis';
import {
  BurstyRateLimiter,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';
import { AppError } from '../../common/errors.js';
import { CONFIG, type Config } from '../config/config.js';
import { REDIS } from '../cache/redis.js';
import { Metrics } from '../observability/metrics.js';

interface LimitRule {
  points: number;
  /** Seconds. */
  window: number;
  /** More points, spent when the window's are gone; they come back over `window` seconds. */
  burst?: { points: number; window: number };
}

/** The contract's defaults (§1, rate limits). Limits on login live in PostgreSQL: see auth. */
export const RATE_LIMITS = {
  register: { points: 20, window: 3600 },
  messages: { points: 20, window: 1, burst: { points: 40, window: 20 } },
  'socket-events': { points: 50, window: 1 },
  uploads: { points: 30, window: 60 },
  searches: { points: 60, window: 60 },
  exports: { points: 5, window: 3600 },
  default: { points: 100, window: 1 },
} as const satisfies Record<string, LimitRule>;

export type RateLimitName = keyof typeof RATE_LIMITS;

/** What is left after one use, for the `RateLimit` headers. */
export interface RateLimitState {
  remaining: number;
  resetMs: number;
}

interface Limiter {
  consume(key: string, points: number): Promise<RateLimiterRes>;
}

/**
 * Counts uses against the limits: in Redis when there is one, so that instances share the count, and in memory
 * without it or while it cannot be reached.
 */
@Injectable()
export class RateLimits {
  private readonly limiters = new Map<RateLimitName, Limiter>();
  readonly enabled: boolean;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(REDIS) redis: Redis | null,
    private readonly metrics: Metrics,
  ) {
    this.enabled = config.rateLimits;
    for (const [name, rule] of Object.entries<LimitRule>(RATE_LIMITS)) {
      const steady = makeLimiter(name, rule, redis);
      this.limiters.set(
        name as RateLimitName,
        rule.burst ? new BurstyRateLimiter(steady, makeLimiter(`${name}-burst`, rule.burst, redis)) : steady,
      );
    }
  }

  /**
   * Uses points, one unless said otherwise, of `key` (a user's id, a socket's id, an address).
   *
   * @throws AppError RATE_LIMITED with the time to wait
   */
  async consume(name: RateLimitName, key: string, points = 1): Promise<RateLimitState> {
    const limiter = this.limiters.get(name);
    if (!limiter || !this.enabled) return { remaining: RATE_LIMITS[name].points, resetMs: 0 };
    try {
      const state = await limiter.consume(key, points);
      return { remaining: Math.max(0, state.remainingPoints), resetMs: state.msBeforeNext };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      this.metrics.rateLimited.inc({ limit: name });
      throw new AppError('RATE_LIMITED', { retryAfterMs: Math.max(1, refusal.msBeforeNext) });
    }
  }
}

function makeLimiter(
  name: string,
  rule: { points: number; window: number },
  redis: Redis | null,
): RateLimiterAbstract {
  const options = { keyPrefix: `parley:limit:${name}`, points: rule.points, duration: rule.window };
  const memory = new RateLimiterMemory(options);
  return redis
    ? new RateLimiterRedis({
        ...options,
        storeClient: redis,
        insuranceLimiter: memory,
        rejectIfRedisNotReady: true,
      })
    : memory;
}
