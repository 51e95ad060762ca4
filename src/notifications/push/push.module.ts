import { Module } from '@nestjs/common';
import { DevicesModule } from '../../devices/devices.module.js';
import { PresenceModule } from '../../presence/presence.module.js';
import { PushProviders } from './push-providers.js';
import { PushRepository } from './push.repository.js';
import { PushService } from './push.service.js';
import { PushWakeups } from './push-wakeups.js';
import { PushWorker } from './push.worker.js';

/** Push notifications. All that a worker needs of them, too. */
@Module({
  imports: [DevicesModule, PresenceModule],
  providers: [PushProviders, PushRepository, PushService, PushWakeups, PushWorker],
})
export class PushModule {}
