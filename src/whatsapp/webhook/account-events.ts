import { Injectable } from '@nestjs/common';
import { phoneDigits } from '../conversations/phone-keys.js';
import { TenantsService, type Tenant } from '../tenants/tenants.service.js';
import { ItemRefused } from './item-refused.js';
import { idOf, listOf, objectOf, textOf, type JsonObject } from './parse-values.js';

interface Change {
  status: Tenant['status'];
  reason: string | null;
  /** Only of tenants that are this now. */
  from?: Tenant['status'];
}

/** Restrictions under which nothing can be sent. */
const STOPPING: readonly string[] = [
  'RESTRICTED_BIZ_INITIATED_MESSAGING',
  'RESTRICTED_CUSTOMER_INITIATED_MESSAGING',
];
/** The business has taken its account away from this app, or Meta has. */
const GONE: readonly string[] = [
  'ACCOUNT_DELETED',
  'ACCOUNT_OFFBOARDED',
  'PARTNER_REMOVED',
  'PARTNER_APP_UNINSTALLED',
];
const BACK: readonly string[] = ['ACCOUNT_RECONNECTED', 'PARTNER_ADDED', 'PARTNER_APP_INSTALLED'];

/** What Meta tells of a business account changes whether its tenants may send. */
@Injectable()
export class AccountEvents {
  constructor(private readonly tenants: TenantsService) {}

  /** @throws ItemRefused when no tenant has the account */
  async apply(entryId: string | null, field: string | null, value: JsonObject): Promise<void> {
    // Of a partner's events, the entry is a portfolio.
    const wabaId = idOf(objectOf(value.waba_info)?.waba_id) ?? entryId;
    const all = wabaId === null ? [] : await this.tenants.listByWaba(wabaId);
    if (all.length === 0) throw new ItemRefused('UNKNOWN_NUMBER', 'no tenant has this business account');
    const change = field === 'account_review_update' ? ofReview(value) : ofEvent(value);
    if (!change) return;
    for (const tenant of concerned(all, value)) {
      if (change.from !== undefined && tenant.status !== change.from) continue;
      await this.tenants.setStatus(tenant.id, change.status, change.reason);
    }
  }
}

/** An event that names a number concerns that one, if it is known whose it is. */
function concerned(tenants: readonly Tenant[], value: JsonObject): readonly Tenant[] {
  const digits = phoneDigits(idOf(value.phone_number) ?? '');
  const named = tenants.filter(
    ({ displayPhoneNumber }) => digits !== null && phoneDigits(displayPhoneNumber ?? '') === digits,
  );
  return named.length > 0 ? named : tenants;
}

function ofReview({ decision }: JsonObject): Change | null {
  return textOf(decision) === 'REJECTED'
    ? { status: 'restricted', reason: 'Meta has rejected the business account.' }
    : null;
}

function ofEvent(value: JsonObject): Change | null {
  const event = textOf(value.event) ?? '';
  if (GONE.includes(event)) {
    return { status: 'disconnected', reason: `Meta: the business account is gone (${event})` };
  }
  if (BACK.includes(event)) return { status: 'active', reason: null, from: 'disconnected' };
  switch (event) {
    case 'ACCOUNT_RESTRICTION': {
      const types = listOf(value.restriction_info)
        .map((one) => textOf(objectOf(one)?.restriction_type))
        .filter((type) => type !== null);
      const isStopped = types.some((type) => STOPPING.includes(type));
      return isStopped ? { status: 'restricted', reason: `Meta: ${types.join(', ')}` } : null;
    }
    case 'DISABLED_UPDATE':
      return ofBan(objectOf(value.ban_info));
    case 'VERIFIED_ACCOUNT':
    default:
      return null;
  }
}

function ofBan(ban: JsonObject | null): Change | null {
  const date = textOf(ban?.waba_ban_date) ?? 'a date that Meta did not tell';
  switch (textOf(ban?.waba_ban_state)) {
    case 'DISABLE':
      return { status: 'restricted', reason: `Meta has disabled the business account (${date})` };
    case 'SCHEDULE_FOR_DISABLE':
      return {
        status: 'active',
        reason: `Meta will disable the business account on ${date}`,
        from: 'active',
      };
    case 'REINSTATE':
      return { status: 'active', reason: null, from: 'restricted' };
    default:
      return null;
  }
}
