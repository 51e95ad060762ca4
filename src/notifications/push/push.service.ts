import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { DevicesService, type PushTarget } from '../../devices/devices.service.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues, RetryAfter, type NewJob } from '../../infra/queue/job-queues.js';
import { PresenceService } from '../../presence/presence.service.js';
import { PUSH_QUEUE, type DeviceJob } from './push-jobs.js';
import { toPush } from './push-payload.js';
import { PushRefused, PushUnavailable } from './push-provider.js';
import { PushProviders } from './push-providers.js';
import { PushRepository, type DuePushRow } from './push.repository.js';

/** What is older is not news any more, in milliseconds. */
export const PUSHED_WITHIN_MS = 60 * 60 * 1000;
/** Jobs that are added together. */
const JOBS_PER_STATEMENT = 500;

/**
 * Pushes to people none of whose devices is connected.
 *
 * The messages and `member.pushed_seq` are the truth. A chat's job finds out who is to be told and adds a job a device,
 * and only then moves `pushed_seq`; so a crash in between repeats a push and never loses one. A device's job sends, and
 * is tried again alone.
 */
@Injectable()
export class PushService {
  constructor(
    private readonly repository: PushRepository,
    private readonly devices: DevicesService,
    private readonly presence: PresenceService,
    private readonly providers: PushProviders,
    private readonly queues: JobQueues,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Adds the jobs of all devices that are to be told of a chat's newest messages. */
  async pushChat(chatId: string): Promise<void> {
    const now = this.clock.now();
    const since = new Date(now.getTime() - PUSHED_WITHIN_MS);
    const due = await this.repository.listDuePushes(chatId, since, now);
    const online = await this.presence.isOnline(due.map((row) => row.user_id));
    // Who is connected confirms the delivery, or goes offline without: then the sweep finds them again.
    const away = due.filter((row) => online.get(row.user_id) !== true);
    const told = away.filter((row) => row.seq !== null);
    const targets = await this.devices.listPushTargets(told.map((row) => row.user_id));
    const jobs = jobsFor(chatId, told, targets);
    for (let i = 0; i < jobs.length; i += JOBS_PER_STATEMENT) {
      await this.queues.add(PUSH_QUEUE, jobs.slice(i, i + JOBS_PER_STATEMENT));
    }
    const lastSeq = away[0]?.last_seq;
    if (lastSeq === undefined) return;
    await this.repository.setPushed(
      chatId,
      away.map((row) => row.user_id),
      lastSeq,
    );
  }

  /**
   * Tells one device of a message, unless it is no longer wanted.
   *
   * @throws RetryAfter, PushUnavailable when the push service cannot take it now
   */
  async pushDevice({ chatId, userId, deviceId, afterSeq, seq, mentioned }: DeviceJob): Promise<void> {
    const targets = await this.devices.listPushTargets([userId]);
    const target = targets.find((one) => one.deviceId === deviceId);
    const provider = target && this.providers.find(target.provider);
    if (!provider) return;
    const row = await this.repository.findMessage(userId, chatId, afterSeq, seq, this.clock.now());
    if (!row) return;
    const push = toPush(userId, {
      chatId,
      seq: row.seq,
      mentioned,
      chatName: row.chat_name,
      senderName: row.sender_name,
      type: row.type,
      text: row.text,
      unreadCount: row.unread_count,
    });
    try {
      const outcome = await provider.send(target, push);
      if (outcome === 'gone') await this.devices.removePush(userId, deviceId, target.registeredAt);
    } catch (error) {
      if (error instanceof PushUnavailable && error.retryAfterMs !== null) {
        throw new RetryAfter(error.message, error.retryAfterMs);
      }
      if (!(error instanceof PushRefused)) throw error;
      this.log.error({ err: error, provider: target.provider }, 'a push was refused');
    }
  }
}

function jobsFor(chatId: string, told: readonly DuePushRow[], targets: readonly PushTarget[]): NewJob[] {
  const rowOf = new Map(told.map((row) => [row.user_id, row]));
  return targets.flatMap(({ userId, deviceId }) => {
    const { seq = null, mentioned = false, reached_seq: afterSeq = 0 } = rowOf.get(userId) ?? {};
    if (seq === null) return [];
    const data: DeviceJob = { chatId, userId, deviceId, afterSeq, seq, mentioned };
    // A client chose the device's id.
    const device = createHash('sha256').update(`${userId} ${deviceId}`).digest('base64url');
    return { id: `${chatId}.${seq}.${device}`, name: 'device', data };
  });
}
