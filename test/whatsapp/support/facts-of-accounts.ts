import { expect } from '@jest/globals';
import { CUSTOMER, type FactRow, type FactTenant } from './facts.js';

const TEMPLATE = {
  message_template_id: 1_689_556_908_129_832,
  message_template_name: 'order_confirmation',
  message_template_language: 'en_US',
};

async function templateOf({ app, tenant }: FactTenant): Promise<Record<string, unknown>> {
  const rows = await app.sql('SELECT * FROM meta_template WHERE tenant_id = $1', [tenant.id]);
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

async function statusOf({ app, tenant }: FactTenant): Promise<string> {
  const rows = await app.sql<{ status: string }>('SELECT status FROM tenant WHERE id = $1', [tenant.id]);
  return rows[0]!.status;
}

/** Fields that are known, and from which nothing follows. */
function noted(...fields: string[]): FactRow['check'] {
  return async (of) => {
    for (const field of fields) {
      const value = {
        display_phone_number: of.tenant.displayPhoneNumber,
        event: 'FLAGGED',
        decision: 'APPROVED',
      };
      expect(await of.bare(field, value)).toEqual({ applied: 1, refused: [] });
    }
    expect(await statusOf(of)).toBe('active');
    expect(await of.messages()).toEqual([]);
  };
}

export const APPROVAL_ROWS: readonly FactRow[] = [
  {
    part: '1.7',
    line: 'message_template_status_update',
    async check(of) {
      await of.bare('message_template_status_update', { ...TEMPLATE, event: 'APPROVED', reason: 'NONE' });
      expect(await templateOf(of)).toMatchObject({ status: 'APPROVED', meta_id: '1689556908129832' });
      of.app.clock.advance(1000);
      await of.bare('message_template_status_update', { ...TEMPLATE, event: 'REJECTED', reason: 'SCAM' });
      expect(await templateOf(of)).toMatchObject({ status: 'REJECTED', reason: 'SCAM' });
    },
  },
  {
    part: '1.7',
    line: 'message_template_quality_update',
    async check(of) {
      await of.bare('message_template_quality_update', { ...TEMPLATE, new_quality_score: 'YELLOW' });
      expect(await templateOf(of)).toMatchObject({ quality: 'YELLOW' });
    },
  },
  {
    part: '1.7',
    line: 'template_category_update',
    async check(of) {
      await of.bare('template_category_update', { ...TEMPLATE, new_category: 'MARKETING' });
      expect(await templateOf(of)).toMatchObject({ category: 'MARKETING' });
    },
  },
  {
    part: '1.7',
    line: 'message_template_components_update',
    async check(of) {
      const told = { ...TEMPLATE, message_template_element: 'Thank you, {{1}}!' };
      expect(await of.bare('message_template_components_update', told)).toEqual({ applied: 1, refused: [] });
      expect(await of.bare('message_template_components_update', {})).toMatchObject({
        refused: [{ reason: 'BAD_ITEM' }],
      });
    },
  },
  {
    part: '1.7',
    line: 'account_update',
    async check(of) {
      const { tenant } = of;
      const tell = (event: string, more: Record<string, unknown> = {}) =>
        of.bare('account_update', { event, ...more });
      const restriction_info = [{ restriction_type: 'RESTRICTED_ADD_PHONE_NUMBER_ACTION', expiration: 1 }];
      const waba_info = { waba_id: tenant.wabaId, owner_business_id: '1' };
      const steps: [Promise<unknown> | (() => Promise<unknown>), string][] = [
        [() => tell('ACCOUNT_RESTRICTION', { restriction_info }), 'active'],
        [
          () =>
            tell('ACCOUNT_RESTRICTION', {
              restriction_info: [
                ...restriction_info,
                { restriction_type: 'RESTRICTED_BIZ_INITIATED_MESSAGING' },
              ],
            }),
          'restricted',
        ],
        [() => tell('DISABLED_UPDATE', { ban_info: { waba_ban_state: 'REINSTATE' } }), 'active'],
        [() => tell('DISABLED_UPDATE', { ban_info: { waba_ban_state: 'SCHEDULE_FOR_DISABLE' } }), 'active'],
        [() => tell('DISABLED_UPDATE', { ban_info: { waba_ban_state: 'DISABLE' } }), 'restricted'],
        [() => tell('ACCOUNT_RECONNECTED'), 'restricted'],
        [() => tell('ACCOUNT_OFFBOARDED'), 'disconnected'],
        [() => tell('ACCOUNT_RECONNECTED'), 'active'],
        [() => tell('PARTNER_REMOVED', { waba_info }), 'disconnected'],
        [() => tell('PARTNER_ADDED', { waba_info }), 'active'],
        [() => tell('ACCOUNT_DELETED'), 'disconnected'],
      ];
      for (const [step, expected] of steps) {
        await (typeof step === 'function' ? step() : step);
        expect(await statusOf(of)).toBe(expected);
      }
      for (const event of [
        'VERIFIED_ACCOUNT',
        'ACCOUNT_VIOLATION',
        'MM_LITE_TERMS_SIGNED',
        'OF_TOMORROW',
        '',
      ])
        expect(await tell(event, { violation_info: null })).toEqual({ applied: 1, refused: [] });
    },
  },
  { part: '1.7', line: 'phone_number_quality_update', check: noted('phone_number_quality_update') },
  { part: '1.7', line: 'phone_number_name_update', check: noted('phone_number_name_update') },
  { part: '1.7', line: 'business_capability_update', check: noted('business_capability_update') },
  {
    part: '1.7',
    line: 'alerts, reviews, security, payments and the like',
    check: noted(
      'account_alerts',
      'account_review_update',
      'security',
      'payment_configuration_update',
      'partner_solutions',
      'automatic_events',
      'flows',
      'account_settings_update',
      'business_username_update',
      'business_username_updates',
    ),
  },
  {
    part: '1.7',
    line: 'user_preferences, with times as numbers or text',
    async check({ app, tenant, change }) {
      const optedOut = async () => {
        const [row] = await app.sql('SELECT opted_out FROM customer WHERE tenant_id = $1', [tenant.id]);
        return row?.opted_out;
      };
      const tell = (value: string, timestamp: unknown) =>
        change('user_preferences', {
          contacts: [{ wa_id: CUSTOMER }],
          user_preferences: [{ wa_id: CUSTOMER, category: 'marketing_messages', value, timestamp }],
        });
      await tell('stop', 1_731_705_721);
      expect(await optedOut()).toBe(true);
      await tell('resume', '1731705722');
      expect(await optedOut()).toBe(false);
      await tell('stop', 1_731_705_723);
      await tell('signup', 1_731_705_724);
      expect(await optedOut()).toBe(false);
      expect(await tell('perhaps', 1)).toMatchObject({ refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.7',
    line: 'user_id_update',
    async check({ change, shown, conversations }) {
      await shown({ type: 'text', text: { body: 'hi' }, from_user_id: 'US.1' });
      const user_id = { previous: 'US.1', current: 'US.2' };
      const parent_user_id = { previous: 'US.ENT.1', current: 'US.ENT.2' };
      await change('user_id_update', { user_id_update: [{ wa_id: CUSTOMER, user_id, parent_user_id }] });
      expect(await conversations()).toMatchObject([{ wa_id: CUSTOMER, user_id: 'US.2' }]);
      expect(await change('user_id_update', { user_id_update: [{ user_id: {} }] })).toMatchObject({
        refused: [{ reason: 'BAD' }],
      });
    },
  },
  {
    part: '1.7',
    line: 'calls, and statuses of calls',
    async check({ change, messages, conversations, tenant }) {
      const call = { from: CUSTOMER, to: tenant.displayPhoneNumber, direction: 'USER_INITIATED' };
      await change('calls', { calls: [{ id: 'wacid.1', event: 'connect', ...call }] });
      expect(await messages()).toEqual([]);
      for (const id of ['wacid.1', 'wacid.1'])
        await change('calls', { calls: [{ id, event: 'terminate', timestamp: '1760000000', ...call }] });
      const out = { from: tenant.displayPhoneNumber, to: CUSTOMER, direction: 'BUSINESS_INITIATED' };
      await change('calls', { calls: [{ id: 'wacid.2', event: 'terminate', duration: 125, ...out }] });
      expect(await messages()).toMatchObject([
        { type: 'SYSTEM', text: 'Missed call', direction: 'IN' },
        { type: 'SYSTEM', text: 'Call of 2:05 minutes', direction: 'OUT' },
      ]);
      const [conversation] = await conversations();
      expect(conversation).toMatchObject({ window_expires_at: new Date(1_760_086_400_000), read_seq: 0 });
      const statuses = [{ id: 'wacid.2', type: 'call', status: 'RINGING' }];
      expect(await change('calls', { statuses })).toEqual({ applied: 1, refused: [] });
      expect(await change('calls', { calls: [{ event: 'terminate' }] })).toMatchObject({
        refused: [{ reason: 'BAD' }],
      });
    },
  },
  {
    part: '1.7',
    line: 'what becomes of groups',
    check: noted(
      'group_lifecycle_update',
      'group_participants_update',
      'group_settings_update',
      'group_status_update',
    ),
  },
];
