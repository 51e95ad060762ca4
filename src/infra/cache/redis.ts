import { Redis } from 'ioredis';
import type { RedisConfig } from '../config/config.js';
import type { Log } from '../observability/log.js';

/** Nest's token for the shared connection: `Redis`, or null when the server runs alone. */
export const REDIS = Symbol('Redis');

/** A Redis that hangs without closing must not hold anyone up for longer, in milliseconds. */
const COMMAND_TIMEOUT_MS = 2_000;

/**
 * A connection that reconnects for ever and fails commands fast, so that losing Redis costs speed and nothing else.
 */
export function connectRedis(config: RedisConfig, name: string, log: Log): Redis {
  const redis = new Redis({
    host: config.host,
    port: config.port,
    ...(config.username && { username: config.username }),
    ...(config.password && { password: config.password }),
    ...(config.db !== undefined && { db: config.db }),
    ...(config.tls && { tls: {} }),
    connectionName: `parley ${name}`,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
  });
  let reported = false;
  redis.on('error', (error: Error) => {
    if (!reported) log.warn({ err: error, connection: name }, 'Redis cannot be reached');
    reported = true;
  });
  redis.on('ready', () => {
    if (reported) log.info({ connection: name }, 'Redis is back');
    reported = false;
  });
  return redis;
}
