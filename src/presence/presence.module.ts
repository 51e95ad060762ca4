import { Module } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { Clock } from '../common/clock.js';
import { REDIS } from '../infra/cache/redis.js';
import { ClusterBus } from '../infra/events/cluster-bus.js';
import { Log } from '../infra/observability/log.js';
import { UsersModule } from '../users/users.module.js';
import { MemoryPresenceStore } from './memory.presence-store.js';
import { PresenceStore } from './presence-store.js';
import { PresenceListener } from './presence.listener.js';
import { PresenceRepository } from './presence.repository.js';
import { PresenceService } from './presence.service.js';
import { RedisPresenceStore } from './redis.presence-store.js';

@Module({
  imports: [UsersModule],
  providers: [
    PresenceService,
    PresenceListener,
    PresenceRepository,
    {
      provide: PresenceStore,
      inject: [REDIS, ClusterBus, Clock, Log],
      useFactory: (redis: Redis | null, bus: ClusterBus, clock: Clock, log: Log): PresenceStore =>
        redis ? new RedisPresenceStore(redis, bus, clock, log) : new MemoryPresenceStore(),
    },
  ],
  exports: [PresenceService],
})
export class PresenceModule {}
