import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { Clock } from '../common/clock.js';
import { Cache } from './cache/cache.js';
import { REDIS } from './cache/redis.js';
import { CONFIG, type Config } from './config/config.js';
import { Secrets } from './config/secrets.js';
import { Database } from './database/database.js';
import { PrismaService } from './database/prisma.service.js';
import { ClusterBus } from './events/cluster-bus.js';
import { EventBus } from './events/event-bus.js';
import { PgSignalListener } from './events/pg-signals.js';
import { Cursors } from './http/cursors.js';
import { FormReader } from './http/form-reader.js';
import { RequestLimits } from './http/rate-limit.guard.js';
import { RateLimits } from './http/rate-limits.js';
import { Mailer } from './mail/mailer.js';
import { Log } from './observability/log.js';
import { Metrics } from './observability/metrics.js';
import { JobQueues } from './queue/job-queues.js';
import { SignedUrls } from './storage/signed-urls.js';
import { Storages } from './storage/storages.js';

/** What exists before the application does: opened by `openInfra`, closed by it again. */
export interface InfraParts {
  config: Config;
  secrets: Secrets;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  database: Database;
  prisma: PrismaService;
  signals: PgSignalListener;
  bus: ClusterBus;
  redis: Redis | null;
  cache: Cache;
  queues: JobQueues;
  storages: Storages;
}

/** Makes the infrastructure available to every module. */
@Module({})
export class InfraModule {
  static with(parts: InfraParts): DynamicModule {
    const providers: Provider[] = [
      { provide: CONFIG, useValue: parts.config },
      { provide: Secrets, useValue: parts.secrets },
      { provide: Clock, useValue: parts.clock },
      { provide: Log, useValue: parts.log },
      { provide: Metrics, useValue: parts.metrics },
      { provide: Database, useValue: parts.database },
      { provide: PrismaService, useValue: parts.prisma },
      { provide: PgSignalListener, useValue: parts.signals },
      { provide: ClusterBus, useValue: parts.bus },
      { provide: REDIS, useValue: parts.redis },
      { provide: Cache, useValue: parts.cache },
      { provide: JobQueues, useValue: parts.queues },
      { provide: Storages, useValue: parts.storages },
      EventBus,
      SignedUrls,
      Mailer,
      Cursors,
      RateLimits,
      RequestLimits,
      FormReader,
    ];
    return { module: InfraModule, global: true, providers, exports: providers };
  }
}
