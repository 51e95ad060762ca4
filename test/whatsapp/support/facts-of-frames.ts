import { expect } from '@jest/globals';
import { newWamid } from './bodies.js';
import { CUSTOMER, type FactRow } from './facts.js';
import { bare, change } from './taking.js';

const TEXT = { type: 'text', text: { body: 'hi' } };

export const FRAME_ROWS: readonly FactRow[] = [
  {
    part: '1.5',
    line: 'a value has messages, statuses and errors, each of them or none, many of each',
    async check({ change: told, messages }) {
      const texts = Array.from({ length: 3 }, () => ({ from: CUSTOMER, id: newWamid(), ...TEXT }));
      const statuses = texts.map(({ id }) => ({ id, status: 'delivered', timestamp: '1760000000' }));
      expect(await told('messages', { statuses, messages: texts, errors: [{ code: 131000 }] })).toEqual({
        applied: 6,
        refused: [],
      });
      expect((await messages()).map((row) => row.status)).toEqual(['DELIVERED', 'DELIVERED', 'DELIVERED']);
      expect(await told('messages', {})).toMatchObject({ applied: 0, refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.5',
    line: 'of a contact, everything may be missing',
    async check({ shown }) {
      for (const contacts of [[{}], [{ profile: {} }], [{ identity_key_hash: 'x' }], [null], 'none']) {
        expect(await shown(TEXT, { contacts })).toMatchObject({ wa_id: CUSTOMER, name: null });
      }
    },
  },
  {
    part: '1.5',
    line: 'contacts may be absent',
    async check({ shown }) {
      expect(await shown(TEXT)).toMatchObject({ type: 'TEXT', wa_id: CUSTOMER });
    },
  },
  {
    part: '1.5',
    line: 'the profile of a contact may be absent',
    async check({ shown }) {
      expect(await shown(TEXT, { contacts: [{ wa_id: CUSTOMER }] })).toMatchObject({ name: null });
    },
  },
  {
    part: '1.5',
    line: 'wa_id may be absent, and a username begins with @ or not',
    async check({ shown }) {
      const userId = 'US.13491208655302741918';
      for (const username of ['@ann', 'ann']) {
        const contacts = [{ user_id: userId, profile: { username } }];
        const row = await shown({ ...TEXT, from: undefined, from_user_id: userId }, { contacts });
        expect(row).toMatchObject({ wa_id: null, user_id: userId, username: 'ann' });
      }
    },
  },
  {
    part: '1.5',
    line: 'contacts and messages are matched by their ids, not by their places',
    async check({ change: told, stored }) {
      const [first, second] = [newWamid(), newWamid()];
      await told('messages', {
        contacts: [
          { wa_id: '16505550002', profile: { name: 'Second' } },
          { user_id: 'US.1', profile: { name: 'First' } },
        ],
        messages: [
          { id: first, from_user_id: 'US.1', ...TEXT },
          { id: second, from: '16505550002', ...TEXT },
        ],
      });
      expect([(await stored(first)).name, (await stored(second)).name]).toEqual(['First', 'Second']);
    },
  },
  {
    part: '1.5',
    line: 'a message has an id; who, when and in which group may be missing; times are seconds, as text or not',
    async check({ shown, told, change: tell, stored, conversations }) {
      expect(await shown({ ...TEXT, timestamp: '1697043223' })).toMatchObject({
        sent_at: new Date(1_697_043_223_000),
        from: CUSTOMER,
        direction: 'IN',
        status: 'SENT',
      });
      expect(await shown({ ...TEXT, timestamp: 1_697_043_223 })).toMatchObject({
        sent_at: new Date(1_697_043_223_000),
      });
      expect(await shown({ ...TEXT, timestamp: 'soon' })).toMatchObject({ sent_at: null });
      expect(await told({ ...TEXT, id: undefined })).toMatchObject({ refused: [{ reason: 'BAD' }] });
      expect(await told({ ...TEXT, from: undefined })).toMatchObject({ refused: [{ reason: 'BAD_ITEM' }] });
      const id = newWamid();
      await tell('messages', { messages: [{ id, from: CUSTOMER, group_id: 'G1', ...TEXT }] });
      expect(await stored(id)).toMatchObject({ wa_id: null, from: CUSTOMER, bot_pending: false });
      expect(await conversations()).toHaveLength(2);
    },
  },
  {
    part: '1.5',
    line: 'the type may be missing, and so may the object of the type',
    async check({ shown }) {
      expect(await shown({ location: { latitude: 1.5, longitude: 2 } })).toMatchObject({ type: 'LOCATION' });
      const errors = [
        { code: 131000, title: 'Something went wrong', error_data: { details: 'Unsupported' } },
      ];
      expect(await shown({ type: 'interactive' }, { errors })).toMatchObject({
        type: 'UNSUPPORTED',
        error: { code: '131000', message: 'Something went wrong', details: 'Unsupported' },
        payload: { errors },
      });
    },
  },
  {
    part: '1.5',
    line: 'a context makes a reply, a forward, or neither',
    async check({ shown, outgoing }) {
      const wamid = await outgoing();
      expect(await shown({ ...TEXT, context: { from: '1', id: wamid } })).toMatchObject({
        reply_to_seq: 1,
        forwarded: false,
      });
      for (const how of ['forwarded', 'frequently_forwarded'])
        expect(await shown({ ...TEXT, context: { [how]: true } })).toMatchObject({ forwarded: true });
      for (const context of [{ id: 'wacid.1' }, { id: 'M0' }, { referred_product: { catalog_id: '1' } }, {}])
        expect(await shown({ ...TEXT, context })).toMatchObject({ reply_to_seq: null, forwarded: false });
    },
  },
  {
    part: '1.5',
    line: 'a referral from an ad is kept with the message',
    async check({ shown }) {
      const referral = {
        source_type: 'ad',
        source_id: '1',
        headline: 'Sale',
        welcome_message: { text: 'Hi' },
      };
      expect(await shown({ ...TEXT, referral })).toMatchObject({ type: 'TEXT', payload: { referral } });
    },
  },
  {
    part: '1.6',
    line: 'fields that follow an override come as they always do',
    async check({ tenant, take, messages, bare: tellBare }) {
      const echo = { from: tenant.displayPhoneNumber, to: CUSTOMER, id: newWamid(), ...TEXT };
      expect(await take(change(tenant, 'message_echoes', { message_echoes: [echo] }))).toMatchObject({
        applied: 1,
      });
      expect(await messages()).toMatchObject([{ direction: 'OUT' }]);
      for (const field of [
        'consumer_profile',
        'messaging_handovers',
        'group_lifecycle_update',
        'group_participants_update',
        'group_settings_update',
        'group_status_update',
        'account_settings_update',
      ]) {
        expect(await take(change(tenant, field, { groups: [{}] }))).toEqual({ applied: 1, refused: [] });
      }
      expect(await tellBare('a_field_of_tomorrow', { news: true })).toMatchObject({
        refused: [{ reason: 'UNKNOWN_FIELD' }],
      });
      expect(await take(bare({ ...tenant, wabaId: '0' }, 'account_update', { event: 'X' }))).toMatchObject({
        refused: [{ reason: 'UNKNOWN_NUMBER' }],
      });
    },
  },
];
