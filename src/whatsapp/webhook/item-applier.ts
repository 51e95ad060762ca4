import { Injectable } from '@nestjs/common';
import { BoundedMap } from '../../common/bounded-map.js';
import { Limit } from '../../common/limit.js';
import { ChannelMessages } from '../../messages/channel-messages.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { ApprovalsService } from '../templates/approvals.service.js';
import { TenantsService, USUAL_RATE, type Tenant } from '../tenants/tenants.service.js';
import { AccountEvents } from './account-events.js';
import { ItemRefused } from './item-refused.js';
import { MessageApplier } from './message-applier.js';
import { NumberTenants } from './number-tenants.js';
import type { MetaStatus } from './parse-statuses.js';
import { errorOf } from './parse-values.js';
import { payloadOf } from './payload.js';
import { SendFailures } from './send-failures.js';
import type { WebhookItem, WebhookSource } from './webhook-items.js';

/** Of a number that is on a phone as well, in messages a second (Meta, 2026-05). */
const COEXISTENCE_RATE = 20;
const MAX_LEARNT = 10_000;
/** See `MessageApplier`. */
const MAX_ASKING = 4;

export interface ItemContext {
  eventId: bigint | null;
  source: WebhookSource;
  receivedAt: Date;
}

/** Applies what webhooks tell, each item on its own. */
@Injectable()
export class ItemApplier {
  private readonly learnt = new BoundedMap<string, true>(MAX_LEARNT);
  private readonly asking = new Limit(MAX_ASKING);

  constructor(
    private readonly numbers: NumberTenants,
    private readonly tenants: TenantsService,
    private readonly messages: MessageApplier,
    private readonly door: ChannelMessages,
    private readonly failures: SendFailures,
    private readonly conversations: ConversationsService,
    private readonly approvals: ApprovalsService,
    private readonly accounts: AccountEvents,
  ) {}

  /**
   * Applies one item, or finds that it was applied before. May be called for many items at once: the messages of one
   * customer are written in the order of the calls.
   *
   * @throws ItemRefused for what is to be kept for inspection; else a failure after which it may be applied again
   */
  async apply(item: WebhookItem, context: ItemContext): Promise<void> {
    switch (item.kind) {
      case 'message': {
        // Nothing is awaited before the message is written, if all is known: messages keep their order.
        const tenant = this.numbers.recall(item.phoneNumberId ?? '') ?? (await this.tenantOf(item));
        await this.messages.apply(tenant, item.message, context);
        const { displayPhoneNumber: number } = item;
        if (number !== null && tenant.displayPhoneNumber === null)
          await this.once(`number ${tenant.id}`, () => this.tenants.learnDisplayNumber(tenant.id, number));
        if (item.message.origin !== 'LIVE' && tenant.messagesPerSecond === USUAL_RATE)
          await this.once(`rate ${tenant.id}`, () => this.tenants.learnRate(tenant.id, COEXISTENCE_RATE));
        return;
      }
      case 'status':
        return this.applyStatus(item, item.status, context);
      case 'call':
        return this.messages.applyCall(await this.tenantOf(item), item.call, context);
      case 'preference': {
        const { who, optedOut, at } = item.preference;
        const tenant = await this.tenantOf(item);
        return this.conversations.setOptedOut(tenant, who, optedOut, at ?? context.receivedAt);
      }
      case 'new-id':
        return this.conversations.rename(await this.tenantOf(item), item.newId.before, item.newId.after);
      case 'book-entry': {
        const owner = await this.tenantOf(item);
        await this.asking.run(() => this.conversations.learn(owner, item.who, { make: true }));
        return;
      }
      case 'template': {
        const at = item.at ?? context.receivedAt;
        const outcome = await this.approvals.applyWebhook(
          item.wabaId ?? '',
          item.field ?? '',
          item.value,
          at,
        );
        if (outcome === 'UNKNOWN_WABA') throw unknownNumber('no tenant has this business account');
        if (outcome === 'BAD_ITEM') throw new ItemRefused('BAD_ITEM', 'it names no template');
        return;
      }
      case 'account':
        return this.accounts.apply(item.wabaId, item.field, item.value);
      case 'error': {
        const error = errorOf([item.raw]);
        throw new ItemRefused(
          'FAILED',
          `Meta reports an error: ${error?.code ?? ''} ${error?.message ?? ''}`,
        );
      }
      case 'noted':
        return;
      case 'unknown':
        throw new ItemRefused('UNKNOWN_FIELD', `the field ${item.field ?? ''} is not known`);
    }
  }

  /** What thousands of messages of one webhook would say alike is noted with the first of them. */
  private async once(key: string, learn: () => Promise<void>): Promise<void> {
    if (this.learnt.has(key)) return;
    this.learnt.set(key, true);
    try {
      await learn();
    } catch (error) {
      this.learnt.delete(key);
      throw error;
    }
  }

  private async applyStatus(
    item: WebhookItem,
    status: MetaStatus,
    { receivedAt }: ItemContext,
  ): Promise<void> {
    // Without a number, the message tells whose it is.
    if (item.phoneNumberId !== null && !this.numbers.recall(item.phoneNumberId)) await this.tenantOf(item);
    const { payload, at, error, ...told } = status;
    const applied = await this.door.applyStatus({
      ...told,
      phoneNumberId: item.phoneNumberId,
      at: at ?? receivedAt,
      error: error ?? null,
      item: payloadOf(payload),
    });
    if (error && applied.isNewStatus) await this.failures.look(error, applied, at ?? receivedAt);
  }

  private async tenantOf({ phoneNumberId }: WebhookItem): Promise<Tenant> {
    if (phoneNumberId === null) throw new ItemRefused('BAD_ITEM', 'it does not say which number it is for');
    const tenant = await this.numbers.find(phoneNumberId);
    if (!tenant) throw unknownNumber('no tenant has this number');
    return tenant;
  }
}

function unknownNumber(detail: string): ItemRefused {
  return new ItemRefused('UNKNOWN_NUMBER', detail);
}
