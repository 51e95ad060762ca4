import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Log } from '../../infra/observability/log.js';
import { GraphClient } from '../graph/graph.client.js';
import { CALL_TIMEOUT_MS } from '../graph/graph-transport.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { DispatchRepository } from './dispatch.repository.js';
import { BusinessReactions } from './business-reactions.js';
import { OutgoingReactionsRepository, type ReactionClaim } from './reactions.repository.js';
import { toReactionBody } from './send-body.js';
import { TenantTroubles } from './tenant-troubles.js';
import { judgeHarmless, TENANT_DELETED, WINDOW_CLOSED, type Verdict } from './verdict.js';

/** See `CALL_LEASE_MS`. */
const LEASE_MS = CALL_TIMEOUT_MS + 40_000;

/**
 * Tells Meta of the business's reactions. One that Meta refuses for good is taken back, so that agents see what the
 * customer sees.
 */
@Injectable()
export class ReactionSender {
  constructor(
    private readonly repository: OutgoingReactionsRepository,
    private readonly reactions: BusinessReactions,
    private readonly tenantQueue: DispatchRepository,
    private readonly graph: GraphClient,
    private readonly tenants: TenantsService,
    private readonly troubles: TenantTroubles,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Tells what may be told now. Returns when there is more to do, in milliseconds since the epoch, or null. */
  async drain(chatId: string, isStopped: () => boolean): Promise<number | null> {
    while (!isStopped()) {
      const now = this.clock.nowMs();
      const claim = await this.repository.claim(chatId, new Date(now), new Date(now + LEASE_MS));
      switch (claim.outcome) {
        case 'NONE':
          return null;
        case 'WAIT':
          return claim.wait_until?.getTime() ?? null;
        case 'CLOSED':
          await this.giveUp(chatId, claim, WINDOW_CLOSED);
          break;
        case 'GONE':
          await this.giveUp(chatId, claim, TENANT_DELETED);
          break;
        case 'CALL':
          await this.tell(chatId, claim);
          break;
      }
    }
    return null;
  }

  private async tell(chatId: string, claim: ReactionClaim): Promise<void> {
    const { id, tenant_id: tenantId, attempt, emoji, wamid, to } = claim;
    if (id === null || tenantId === null || attempt === null) throw new Error('a claim names no reaction');
    try {
      const tenant = await this.tenants.get(tenantId);
      if (!tenant.isMock)
        await this.graph.sendMessage(tenant, toReactionBody(id, to ?? '', wamid ?? '', emoji ?? ''));
    } catch (error) {
      await this.heed(chatId, claim, id, tenantId, judgeHarmless(error, attempt));
      return;
    }
    await this.repository.settle(id, null);
  }

  private async heed(
    chatId: string,
    claim: ReactionClaim,
    id: string,
    tenantId: string,
    verdict: Verdict,
  ): Promise<void> {
    const { state, waitMs, givesBack, error, errorClass, tenantPauseMs } = verdict;
    const now = this.clock.nowMs();
    this.log.warn({ tenant: tenantId, chat: chatId, code: error.code, state }, 'a reaction was not sent');
    if (tenantPauseMs !== null) await this.tenantQueue.pauseTenant(tenantId, new Date(now + tenantPauseMs));
    if (errorClass) await this.troubles.heed(tenantId, errorClass, error);
    if (state === 'READY') await this.repository.putBack(id, new Date(now + waitMs), givesBack ? -1 : 0);
    else await this.giveUp(chatId, claim, error);
  }

  private async giveUp(chatId: string, claim: ReactionClaim, error: Verdict['error']): Promise<void> {
    const { id, tenant_id: tenantId, seq, user_id: userId, emoji } = claim;
    if (id === null || tenantId === null || seq === null || userId === null) return;
    const isLast = await this.repository.settle(id, error);
    if (isLast && emoji !== '') await this.reactions.takeBack(tenantId, { chatId, seq }, userId);
  }
}
