import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { PUSH_QUEUE, type ChatJob, type DeviceJob } from './push-jobs.js';
import { PushProviders } from './push-providers.js';
import { PushService } from './push.service.js';

const WORK = { concurrency: 50, takeOverAfterMs: 10_000, retryDelayMs: 2_000 };

/** Does the jobs of the push queue, in a process that does jobs and if a provider is configured. */
@Injectable()
export class PushWorker implements OnApplicationBootstrap {
  constructor(
    private readonly queues: JobQueues,
    private readonly providers: PushProviders,
    private readonly pushes: PushService,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.providers.any) return;
    await this.queues.work(PUSH_QUEUE, WORK, async ({ name, data }) => {
      if (name === 'chat') await this.pushes.pushChat((data as ChatJob).chatId);
      else await this.pushes.pushDevice(data as DeviceJob);
    });
  }
}
