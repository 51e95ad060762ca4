import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Log } from '../../infra/observability/log.js';
import { NotOurSecretError, SecretBox } from '../tenants/secret-box.js';
import { HookClient, type HookAnswer } from './hook-client.js';
import {
  HookDeliveriesRepository,
  type ClaimedRow,
  type DeliveryOutcome,
} from './hook-deliveries.repository.js';
import { SIGNATURE_HEADER, signHook } from './hook-signature.js';
import { HooksRepository, type HookRow } from './hooks.repository.js';
import { hookSecretPlace } from './hooks.service.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** After each failure: eight attempts within 21 hours. */
export const RETRY_DELAYS_MS = [10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR];
/** Calls to one tenant's system at a time: a few at first, and more while all go well. */
const AT_FIRST = 2;
const AT_ONCE = 16;
/** Longer than a call may take, in milliseconds: then its process is dead. */
const CLAIM_MS = MINUTE;

/** A delivery that failed, and when it is tried again. */
export interface Retry {
  id: string;
  attempts: number;
  at: Date;
}

/**
 * Tells the system of a tenant what is due, at least once each. A delivery is claimed before the call; one whose process
 * dies is due again when the claim ends. One process tells a tenant through one loop at a time, so that a system which
 * takes its time holds up nobody but itself.
 */
@Injectable()
export class HookSender {
  /** Tenants that are being told. */
  private readonly underWay = new Set<string>();
  /** Those among them for whom there may be more than the loop has seen. */
  private readonly askedAgain = new Set<string>();

  constructor(
    private readonly hooks: HooksRepository,
    private readonly deliveries: HookDeliveriesRepository,
    private readonly client: HookClient,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** @returns what failed and is tried again */
  async deliverDue(tenantId: string): Promise<Retry[]> {
    if (this.underWay.has(tenantId)) {
      this.askedAgain.add(tenantId);
      return [];
    }
    this.underWay.add(tenantId);
    const retries: Retry[] = [];
    let atOnce = AT_FIRST;
    try {
      for (;;) {
        this.askedAgain.delete(tenantId);
        const outcomes = await this.deliverSome(tenantId, atOnce);
        const failed = outcomes.filter(({ state }) => state !== 'DELIVERED');
        for (const { id, attempts, next_attempt_at: at } of failed)
          if (at) retries.push({ id, attempts, at });
        // A system that answers nothing any more is left alone until something new is due.
        const isDown = outcomes.length > 0 && failed.length === outcomes.length;
        if (isDown || (outcomes.length === 0 && !this.askedAgain.has(tenantId))) return retries;
        atOnce = failed.length > 0 ? AT_FIRST : Math.min(AT_ONCE, atOnce * 2);
      }
    } finally {
      this.underWay.delete(tenantId);
    }
  }

  private async deliverSome(tenantId: string, limit: number): Promise<DeliveryOutcome[]> {
    const hook = await this.hooks.find(tenantId);
    if (!hook) return [];
    const now = this.clock.nowMs();
    const claimed = await this.deliveries.claim(tenantId, new Date(now), new Date(now + CLAIM_MS), limit);
    if (claimed.length === 0) return [];
    const outcomes = await Promise.all(claimed.map((claim) => this.deliver(hook, claim)));
    await this.deliveries.settle(outcomes);
    return outcomes;
  }

  private async deliver(hook: HookRow, claim: ClaimedRow): Promise<DeliveryOutcome> {
    const { status, problem } = await this.call(hook, claim);
    const now = this.clock.now();
    const { id, attempts } = claim;
    const about = { id, attempts, last_status: status };
    if (status !== null && status >= 200 && status < 300) {
      return { ...about, state: 'DELIVERED', next_attempt_at: null, last_error: null, delivered_at: now };
    }
    const failure = { ...about, last_error: problem ?? `answered ${status}`, delivered_at: null };
    const delayMs = RETRY_DELAYS_MS[attempts - 1];
    if (delayMs === undefined) {
      const { tenant_id: tenantId } = hook;
      this.log.warn(
        { tenantId, delivery: id, problem: failure.last_error },
        'a webhook delivery was given up',
      );
      return { ...failure, state: 'FAILED', next_attempt_at: null };
    }
    return { ...failure, state: 'PENDING', next_attempt_at: new Date(now.getTime() + delayMs) };
  }

  private async call(hook: HookRow, claim: ClaimedRow): Promise<HookAnswer> {
    const { id, event, data, created_at: createdAt } = claim;
    const { tenant_id: tenantId } = hook;
    const body = JSON.stringify({ id, event, tenantId, createdAt: createdAt.toISOString(), data });
    try {
      const secret = this.box.open(hook.secret, hookSecretPlace(tenantId));
      const headers = {
        'Content-Type': 'application/json',
        'User-Agent': 'Parley',
        'X-Parley-Event': event,
        'X-Parley-Delivery': id,
        [SIGNATURE_HEADER]: signHook(secret, body, this.clock.now()),
      };
      return await this.client.post(hook.url, headers, body);
    } catch (error) {
      if (!(error instanceof NotOurSecretError)) throw error;
      this.log.error({ err: error, tenantId }, 'the secret of a webhook cannot be read');
      return { status: null, problem: 'our copy of the secret cannot be read: set it again' };
    }
  }
}
