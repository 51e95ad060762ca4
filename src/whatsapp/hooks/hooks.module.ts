import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { HookClient } from './hook-client.js';
import { HookDeliveriesRepository } from './hook-deliveries.repository.js';
import { HookDeliveriesService } from './hook-deliveries.service.js';
import { HookSender } from './hook-sender.js';
import { HookWakeups } from './hook-wakeups.js';
import { HookWorker } from './hook-worker.js';
import { HooksController } from './hooks.controller.js';
import { HooksRepository } from './hooks.repository.js';
import { HooksService } from './hooks.service.js';

/** Tells the tenants' own systems of what happens. */
@Module({
  imports: [TenantsModule],
  controllers: [HooksController],
  providers: [
    {
      provide: HookClient,
      inject: [CONFIG],
      useFactory: ({ whatsapp }: Config): HookClient =>
        new HookClient({ allowPrivate: whatsapp.hooksAllowPrivate }),
    },
    HookDeliveriesRepository,
    HookDeliveriesService,
    HookSender,
    HookWakeups,
    HookWorker,
    HooksRepository,
    HooksService,
  ],
})
export class HooksModule {}
