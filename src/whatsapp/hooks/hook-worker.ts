import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { HookSender } from './hook-sender.js';
import { HOOK_QUEUE, HookWakeups, type HookJob } from './hook-wakeups.js';

const WORK = { concurrency: 20, takeOverAfterMs: 30_000, retryDelayMs: 2_000 };

/** Tells the systems of tenants what is due, in a process that does jobs. */
@Injectable()
export class HookWorker implements OnApplicationBootstrap {
  constructor(
    private readonly queues: JobQueues,
    private readonly sender: HookSender,
    private readonly wakeups: HookWakeups,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.queues.work(HOOK_QUEUE, WORK, async ({ data }) => {
      const { tenantId } = data as HookJob;
      for (const { id, attempts, at } of await this.sender.deliverDue(tenantId)) {
        this.wakeups.wakeAt(tenantId, `${id}.${attempts}`, at);
      }
    });
  }
}
