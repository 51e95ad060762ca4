import { expect } from '@jest/globals';
import { ConversationsService } from '../../../src/whatsapp/conversations/conversations.service.js';
import { newWamid } from './bodies.js';
import { CUSTOMER, type FactRow } from './facts.js';

const TEXT = { type: 'text', text: { body: 'hi' } };
const USER_ID = 'US.13491208655302741918';
const PARENT_ID = 'US.ENT.11815799212886844830';

export const CUSTOMER_ROWS: readonly FactRow[] = [
  {
    part: '1.9',
    line: 'an id belongs to one customer of one business; there is one of linked portfolios beside it',
    async check({ shown, conversations }) {
      await shown({ ...TEXT, from: undefined, from_user_id: USER_ID, from_parent_user_id: PARENT_ID });
      await shown({ ...TEXT, from: undefined, from_parent_user_id: PARENT_ID });
      await shown({ ...TEXT, from: undefined, from_user_id: `US.${'A1'.repeat(64)}` });
      expect((await conversations()).map((row) => row.last_seq).sort()).toEqual([1, 2]);
    },
  },
  {
    part: '1.9',
    line: 'ids come with numbers, without them, and numbers without ids',
    async check({ shown, conversations }) {
      for (const who of [
        { from: CUSTOMER },
        { from: CUSTOMER, from_user_id: USER_ID },
        { from: undefined, from_user_id: USER_ID },
      ])
        await shown({ ...TEXT, ...who });
      expect(await conversations()).toMatchObject([{ wa_id: CUSTOMER, user_id: USER_ID, last_seq: 3 }]);
    },
  },
  {
    part: '1.9',
    line: 'who has a username may send no number',
    async check({ shown, outgoing, status, stored }) {
      const contacts = [{ user_id: USER_ID, profile: { name: 'Ann', username: '@ann' } }];
      expect(await shown({ ...TEXT, from: undefined, from_user_id: USER_ID }, { contacts })).toMatchObject({
        wa_id: null,
        from: USER_ID,
        name: 'Ann',
        username: 'ann',
      });
      expect(await shown({ ...TEXT, from: undefined }, { contacts })).toMatchObject({ user_id: USER_ID });
      const id = await outgoing();
      await status({ id, status: 'delivered', recipient_user_id: USER_ID });
      expect(await stored(id)).toMatchObject({ status: 'DELIVERED' });
    },
  },
  {
    part: '1.9',
    line: 'one customer by id and number, merged when both appear; ids in the place of numbers, and malformed ones',
    async check({ app, shown, conversations }) {
      await shown({ ...TEXT });
      app.clock.advance(1000);
      await shown({ ...TEXT, from: USER_ID }, { contacts: [{ wa_id: USER_ID }] });
      expect(await conversations()).toHaveLength(2);
      await shown({ ...TEXT, from_user_id: USER_ID });
      const [older, newer] = await conversations();
      expect(older).toMatchObject({ wa_id: CUSTOMER, user_id: USER_ID, merged_into_id: null });
      expect(newer).toMatchObject({ merged_into_id: older!.chat_id });
      expect(await shown({ ...TEXT, from_user_id: '13491208655302741918' })).toMatchObject({
        chat_id: older!.chat_id,
        user_id: USER_ID,
      });
      expect(await shown({ ...TEXT, from: undefined, from_user_id: '<BSUID>' })).toMatchObject({
        user_id: '<BSUID>',
      });
    },
  },
  {
    part: '1.9',
    line: 'a new id is told by a system message and by a field, in either order',
    async check({ shown, change, conversations }) {
      await shown({ ...TEXT, from_user_id: 'US.1' });
      const system = { type: 'user_changed_user_id', user_id: 'US.2', body: 'changed' };
      const update = { wa_id: CUSTOMER, user_id: { previous: 'US.1', current: 'US.2' } };
      await change('user_id_update', { user_id_update: [update] });
      await shown({ type: 'system', system });
      await change('user_id_update', { user_id_update: [update] });
      await shown({ ...TEXT, from: undefined, from_user_id: 'US.2' });
      await shown({ ...TEXT, from: undefined, from_user_id: 'US.1' });
      expect(await conversations()).toMatchObject([{ wa_id: CUSTOMER, user_id: 'US.2', last_seq: 4 }]);
    },
  },
  {
    part: '1.9',
    line: 'who is to be sent to is known by number and by id',
    async check({ app, tenant, shown }) {
      await shown({ ...TEXT, from_user_id: USER_ID });
      const service = app.running.nest.get(ConversationsService, { strict: false });
      expect(await service.find(tenant.id, { userId: USER_ID })).toMatchObject({
        waId: CUSTOMER,
        userId: USER_ID,
        phone: `+${CUSTOMER}`,
      });
    },
  },
  {
    part: '1.9',
    line: 'what Meta answers to a send names a number or an id: both lead to the same customer',
    async check({ app, tenant, shown }) {
      await shown({ ...TEXT, from: '5511987654321', from_user_id: 'BR.1' });
      const service = app.running.nest.get(ConversationsService, { strict: false });
      const [byId, byNumber] = await Promise.all([
        service.find(tenant.id, { userId: 'BR.1' }),
        service.find(tenant.id, { waId: '551187654321' }),
      ]);
      expect(byId).toEqual(byNumber);
      expect(byId).toMatchObject({ waId: '5511987654321' });
    },
  },
  {
    part: '1.9',
    line: 'the dashboard’s test button sends four ways of naming a customer',
    async check({ change, messages }) {
      const variants = [
        [{ from: CUSTOMER }, { wa_id: CUSTOMER }],
        [
          { from: CUSTOMER, from_user_id: USER_ID },
          { wa_id: CUSTOMER, user_id: USER_ID },
        ],
        [{ from_user_id: USER_ID }, { user_id: USER_ID }],
        [
          { from_user_id: USER_ID, from_parent_user_id: PARENT_ID },
          { user_id: USER_ID, parent_user_id: PARENT_ID, profile: { username: 'ann' } },
        ],
      ];
      for (const [who, contact] of variants) {
        const message = { id: newWamid(), timestamp: '1760000000', ...who, ...TEXT };
        expect(await change('messages', { contacts: [contact], messages: [message] })).toEqual({
          applied: 1,
          refused: [],
        });
      }
      expect(await messages()).toHaveLength(4);
    },
  },
];
