import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { CALL_TIMEOUT_MS, FILE_TIMEOUT_MS } from '../graph/graph-transport.js';
import { TenantChanged } from '../tenants/tenants.events.js';
import { DispatchRepository, type SendClaim } from './dispatch.repository.js';
import { Lanes } from './lanes.js';
import { MessageSender, type ClaimedSend } from './message-sender.js';
import { ReactionSender } from './reaction-sender.js';
import { ReadReceipts } from './read-receipts.js';
import { SEND_QUEUE, sendJob, type SendJob, type SendJobName } from './send-jobs.js';
import { SendQueue } from './send-queue.js';

/** After this, in milliseconds, whoever claimed a message can no longer be sending it. */
export const CALL_LEASE_MS = CALL_TIMEOUT_MS + 40_000;
const UPLOAD_LEASE_MS = FILE_TIMEOUT_MS + 60_000;
/** How often what no job woke is looked for, in milliseconds. */
export const SEND_SWEEP_MS = 10_000;
const SWEEP_PAGE = 1_000;
/** Conversations of this process that send at the same time. */
const MAX_AT_ONCE = 200;
/** What could not be done because the database was away is tried again after this, in milliseconds. */
const TROUBLE_MS = 5_000;
const WORK = { concurrency: 50, takeOverAfterMs: 30_000, retryDelayMs: 1_000 };

/**
 * Sends what waits, in a process that does jobs.
 *
 * Invariants: one message of a conversation is claimed at a time, the oldest first, whatever the number of processes; the
 * claim is committed before Meta is called; and what was claimed by a process that died is never sent again by itself.
 * Jobs and timers only say where to look: what waits is in the rows, and the sweep finds what nobody said.
 */
@Injectable()
export class Dispatcher implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly lanes: Lanes;
  private cancelSweep: (() => void) | undefined;
  private sweeping: Promise<void> | undefined;
  private sweepsAgain = false;

  constructor(
    private readonly queues: JobQueues,
    private readonly queue: SendQueue,
    private readonly repository: DispatchRepository,
    private readonly sender: MessageSender,
    private readonly reactions: ReactionSender,
    private readonly reads: ReadReceipts,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.lanes = new Lanes((chatId) => this.drain(chatId), clock, MAX_AT_ONCE);
  }

  async onApplicationBootstrap(): Promise<void> {
    this.events.on(TenantChanged, ({ tenantId }) => this.wakeTenant(tenantId));
    if (!this.queues.works) return;
    await this.queues.work(SEND_QUEUE, WORK, async ({ name, data }) => {
      const { chatId } = data as SendJob;
      if ((name as SendJobName) === 'read') await this.reads.tell(chatId);
      else this.lanes.wake(chatId);
    });
    this.cancelSweep = this.clock.every(SEND_SWEEP_MS, () => {
      this.sweep();
    });
    this.sweep();
  }

  /** Resolves once what is being sent is recorded. */
  async beforeApplicationShutdown(): Promise<void> {
    this.cancelSweep?.();
    await Promise.all([this.lanes.stop(), this.sweeping]);
  }

  /** A tenant that may send again does so in whichever process is free. */
  private async wakeTenant(tenantId: string): Promise<void> {
    // A tenant may change often, and have any number that wait: the sweep finds the others.
    const chatIds = await this.repository.listWaitingOf(tenantId, SWEEP_PAGE);
    this.queue.add(chatIds.map((chatId) => sendJob('send', chatId, 'tenant')));
  }

  /** One at a time; what is asked for meanwhile is done once more afterwards. */
  private sweep(): void {
    this.reads.sweep();
    if (this.sweeping) {
      this.sweepsAgain = true;
      return;
    }
    this.sweeping = this.sweepOnce().finally(() => {
      this.sweeping = undefined;
      if (this.sweepsAgain && !this.lanes.isStopped) this.sweep();
    });
  }

  private async sweepOnce(): Promise<void> {
    this.sweepsAgain = false;
    try {
      const chatIds = await this.repository.listDue(this.clock.now(), SWEEP_PAGE);
      for (const chatId of chatIds) this.lanes.wake(chatId);
    } catch (error) {
      this.log.error({ err: error }, 'what waits to be sent could not be looked for');
    }
  }

  /** Sends what may be sent now. Returns when there is more to do, in milliseconds since the epoch, or null. */
  private async drain(chatId: string): Promise<number | null> {
    try {
      const messagesAt = await this.drainMessages(chatId);
      const reactionsAt = await this.reactions.drain(chatId, () => this.lanes.isStopped);
      if (messagesAt === null || reactionsAt === null) return messagesAt ?? reactionsAt;
      return Math.min(messagesAt, reactionsAt);
    } catch (error) {
      this.log.error({ err: error, chat: chatId }, 'what waits in a conversation could not be sent');
      return this.clock.nowMs() + TROUBLE_MS;
    }
  }

  private async drainMessages(chatId: string): Promise<number | null> {
    while (!this.lanes.isStopped) {
      const now = this.clock.nowMs();
      const claim = await this.repository.claim(
        chatId,
        new Date(now),
        new Date(now + CALL_LEASE_MS),
        new Date(now + UPLOAD_LEASE_MS),
      );
      switch (claim.outcome) {
        case 'NONE':
          return null;
        case 'WAIT':
          return claim.wait_until?.getTime() ?? null;
        case 'LOST':
          await this.sender.lose(claimedOf(chatId, claim));
          break;
        case 'CLOSED':
          await this.sender.refuseClosed(claimedOf(chatId, claim));
          break;
        case 'GONE':
          await this.sender.refuseGone(claimedOf(chatId, claim));
          break;
        case 'UPLOAD':
          await this.sender.upload(claimedOf(chatId, claim));
          break;
        case 'CALL':
          await this.sender.send(claimedOf(chatId, claim));
          break;
      }
    }
    return null;
  }
}

function claimedOf(chatId: string, claim: SendClaim): ClaimedSend {
  const { seq, tenant_id: tenantId, attempt, to, payload, media_id: mediaId } = claim;
  if (seq === null || tenantId === null || attempt === null) throw new Error('a claim names no message');
  return {
    address: { chatId, seq },
    tenantId,
    attempt,
    to: to ?? '',
    request: payload ?? {},
    mediaId,
    claim,
  };
}
