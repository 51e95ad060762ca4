import type { Redis } from 'ioredis';
import type { Clock } from '../common/clock.js';
import { Cache } from './cache/cache.js';
import { connectRedis } from './cache/redis.js';
import type { Config } from './config/config.js';
import { resolveSecrets } from './config/secrets.js';
import { Database } from './database/database.js';
import { PrismaService } from './database/prisma.service.js';
import { ClusterBus } from './events/cluster-bus.js';
import { PgSignalListener } from './events/pg-signals.js';
import type { InfraParts } from './infra.module.js';
import type { Log } from './observability/log.js';
import { Metrics } from './observability/metrics.js';
import { JobQueues } from './queue/job-queues.js';
import { Storages } from './storage/storages.js';

export interface OpenInfra {
  parts: InfraParts;
  /** Closes every connection; call it once nothing uses them any more. */
  close(): Promise<void>;
}

/**
 * Opens every connection the application needs.
 *
 * @param databaseUrl the migrated database
 * @param directUrl the same past a pooler, as LISTEN needs a connection of its own
 */
export async function openInfra(
  config: Config,
  databaseUrl: string,
  directUrl: string,
  clock: Clock,
  log: Log,
): Promise<OpenInfra> {
  const secrets = await resolveSecrets(config);
  const metrics = new Metrics();
  let closing = false;
  const database = new Database(databaseUrl, config.databasePoolMax, metrics, (error) => {
    if (!closing) log.warn({ err: error }, 'an idle database connection was lost');
  });
  const prisma = new PrismaService(database, metrics);
  const signals = new PgSignalListener(directUrl, log);
  const connections: Redis[] = [];
  const redisFor = (name: string): Redis | null => {
    if (!config.redis) return null;
    const redis = connectRedis(config.redis, name, log);
    connections.push(redis);
    return redis;
  };
  const redis = redisFor('commands');
  const bus = new ClusterBus(redisFor('bus publisher'), redisFor('bus subscriber'), log);
  const cache = new Cache(redis, signals);
  const queues = new JobQueues(directUrl, config.role, log);
  const close = async (): Promise<void> => {
    closing = true;
    await queues.close();
    await prisma.$disconnect();
    await signals.close();
    for (const connection of connections) connection.disconnect();
    await database.pool.end();
    metrics.registry.clear();
  };
  try {
    await signals.connect();
  } catch (error) {
    await close();
    throw error;
  }
  bus.connect();
  return {
    parts: {
      config,
      secrets,
      clock,
      log,
      metrics,
      database,
      prisma,
      signals,
      bus,
      redis,
      cache,
      queues,
      storages: new Storages(config),
    },
    close,
  };
}
