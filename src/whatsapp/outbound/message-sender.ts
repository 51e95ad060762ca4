import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import type { MessageAddress } from '../../common/ids.js';
import { Log } from '../../infra/observability/log.js';
import { MediaService } from '../../media/media.service.js';
import { ChannelMessages } from '../../messages/channel-messages.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { GraphClient, type SentMessage } from '../graph/graph.client.js';
import { TenantsService, type Tenant } from '../tenants/tenants.service.js';
import { DispatchRepository, type SendClaim, type SettledRow, type Unsent } from './dispatch.repository.js';
import { toSendBody } from './send-body.js';
import { pass } from './send-points.js';
import { TenantTroubles } from './tenant-troubles.js';
import {
  judge,
  judgeHarmless,
  OUTCOME_UNKNOWN,
  TENANT_DELETED,
  WINDOW_CLOSED,
  type Verdict,
} from './verdict.js';

const MAX_RECORDS = 5;
const RECORD_AGAIN_MS = 1_000;

/** What `claim_send` handed out. */
export interface ClaimedSend {
  address: MessageAddress;
  tenantId: string;
  attempt: number;
  to: string;
  request: Record<string, unknown>;
  mediaId: string | null;
  claim: SendClaim;
}

/** Sends one claimed message, or gives it up, and records what became of it. */
@Injectable()
export class MessageSender {
  constructor(
    private readonly repository: DispatchRepository,
    private readonly graph: GraphClient,
    private readonly tenants: TenantsService,
    private readonly conversations: ConversationsService,
    private readonly channel: ChannelMessages,
    private readonly media: MediaService,
    private readonly troubles: TenantTroubles,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  async send(claimed: ClaimedSend): Promise<void> {
    const tenant = await this.findTenant(claimed.tenantId);
    if (!tenant) {
      await this.refuseGone(claimed);
      return;
    }
    pass('claimed');
    if (tenant.isMock) {
      await this.pretend(claimed, tenant);
      return;
    }
    const { address, to, request, claim } = claimed;
    let sent: SentMessage;
    try {
      sent = await this.graph.sendMessage(tenant, toSendBody(address, to, request, claim.reply_wamid));
    } catch (error) {
      await this.heed(claimed, judge(error, claimed.attempt), -1);
      return;
    }
    pass('answered');
    await this.record(address, sent.wamid);
    await this.learn(tenant, claimed, sent);
  }

  /** Uploads the file of a message, which is then due. */
  async upload(claimed: ClaimedSend): Promise<void> {
    const { address, request, mediaId } = claimed;
    const tenant = await this.findTenant(claimed.tenantId);
    if (!tenant) {
      await this.refuseGone(claimed);
      return;
    }
    try {
      const file = await this.media.openStored(mediaId ?? '');
      const graphId = await this.graph.uploadMedia(tenant, {
        fileName: file.fileName ?? 'file',
        mimeType: file.mimeType,
        size: file.size,
        read: () => file.read(),
      });
      await this.repository.setUploaded(address, String(request.type), graphId, this.clock.now());
    } catch (error) {
      await this.heed(claimed, judgeHarmless(error, claimed.attempt + 1), 0);
    }
  }

  /** Who was sending it died, so it may have been sent. */
  async lose({ address, attempt }: ClaimedSend): Promise<void> {
    await this.settle(address, attempt, { state: 'UNKNOWN', error: OUTCOME_UNKNOWN });
  }

  /** The window for free text has closed since it was accepted. */
  async refuseClosed({ address, attempt }: ClaimedSend): Promise<void> {
    await this.settle(address, attempt, { state: 'FAILED', error: WINDOW_CLOSED });
  }

  async refuseGone({ address, attempt }: ClaimedSend): Promise<void> {
    await this.settle(address, attempt, { state: 'FAILED', error: TENANT_DELETED });
  }

  /** The network is never called for a mock tenant: what Meta would say is made up. */
  private async pretend({ address }: ClaimedSend, tenant: Tenant): Promise<void> {
    const wamid = `wamid.mock.${randomUUID()}`;
    pass('answered');
    await this.record(address, wamid);
    for (const status of ['sent', 'delivered', 'read'] as const) {
      const at = this.clock.now();
      const item = { id: wamid, status, timestamp: String(Math.floor(at.getTime() / 1000)) };
      await this.channel.applyStatus({ wamid, phoneNumberId: tenant.phoneNumberId, status, at, item });
    }
  }

  /**
   * Everything of the tenant's stops before the message is let go, so that it is not claimed again at once.
   *
   * @param uncounted what is added to the tries as the row has them, if this one is not to count
   */
  private async heed(claimed: ClaimedSend, verdict: Verdict, uncounted: -1 | 0): Promise<void> {
    const { state, waitMs, givesBack, error, errorClass, tenantPauseMs } = verdict;
    const { tenantId, address, attempt } = claimed;
    const now = this.clock.nowMs();
    this.log.warn(
      { tenant: tenantId, chat: address.chatId, seq: address.seq, code: error.code, state, attempt },
      'a message was not sent',
    );
    await this.untilStored(async () => {
      if (tenantPauseMs !== null) await this.repository.pauseTenant(tenantId, new Date(now + tenantPauseMs));
      if (errorClass) await this.troubles.heed(tenantId, errorClass, error);
      if (errorClass === 'OPTED_OUT') await this.noteOptedOut(claimed);
    });
    await this.settle(address, attempt, {
      state,
      tries: givesBack ? uncounted : uncounted + 1,
      ...(state === 'READY' ? { againAt: new Date(now + waitMs) } : { error }),
    });
  }

  private async noteOptedOut({ tenantId, claim }: ClaimedSend): Promise<void> {
    const tenant = await this.findTenant(tenantId);
    const who = { waId: claim.wa_id, userId: claim.user_id };
    if (tenant) await this.conversations.setOptedOut(tenant, who, true, this.clock.now());
  }

  private async settle(address: MessageAddress, attempt: number, unsent: Unsent): Promise<void> {
    const row = await this.untilStored(() =>
      this.repository.settleUnsent(address, attempt, unsent, this.clock.now()),
    );
    if (unsent.state === 'FAILED') this.tell(address, row);
  }

  private async record(address: MessageAddress, wamid: string): Promise<void> {
    this.tell(
      address,
      await this.untilStored(() => this.repository.settleSent(address, wamid, this.clock.now())),
    );
    pass('recorded');
  }

  /**
   * What became of a call must be known, or a person has to find out: a database that is away for a moment is asked again.
   *
   * @param store bears being done twice
   */
  private async untilStored<T>(store: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await store();
      } catch (error) {
        if (attempt === MAX_RECORDS) throw error;
        await new Promise<void>((resolve) => this.clock.after(RECORD_AGAIN_MS, resolve));
      }
    }
  }

  private async findTenant(tenantId: string): Promise<Tenant | null> {
    try {
      return await this.tenants.get(tenantId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'TENANT_NOT_FOUND') return null;
      throw error;
    }
  }

  private tell(address: MessageAddress, row: SettledRow | null): void {
    if (!row) return;
    const tenant = { id: row.tenant_id, agentsSeq: row.agents_seq };
    this.channel.tellStatus(address, row.status, this.clock.now(), tenant);
  }

  /** Meta may know the customer by another number than the one that was written to. */
  private async learn(tenant: Tenant, { to, claim }: ClaimedSend, sent: SentMessage): Promise<void> {
    const isNew =
      (sent.waId !== null && sent.waId !== claim.wa_id) ||
      (sent.userId !== null && sent.userId !== claim.user_id);
    if (!isNew) return;
    const phone = /^\d+$/.test(to) ? to : null;
    const userId = sent.userId ?? (phone === null ? to : null);
    try {
      await this.conversations.open(tenant, { waId: sent.waId, userId, phone });
    } catch (error) {
      this.log.warn({ err: error, tenant: tenant.id }, 'what Meta calls a customer could not be kept');
    }
  }
}
