import { expect } from '@jest/globals';
import { messageId } from '../../../src/common/ids.js';
import { newWamid } from './bodies.js';
import { CUSTOMER, type FactRow } from './facts.js';
import { bare } from './taking.js';

export const STATUS_ROWS: readonly FactRow[] = [
  {
    part: '1.5',
    line: 'errors stand at messages, at the value and at statuses, in two shapes',
    async check({ shown, status, outgoing, stored, change }) {
      const older = { code: 131047, title: 'Re-engagement', details: 'Too late' };
      expect(await shown({ type: 'unsupported', errors: [older] })).toMatchObject({
        error: { code: '131047', message: 'Re-engagement', details: 'Too late' },
      });
      const wamid = await outgoing();
      const newer = {
        code: 131047,
        message: 'Re-engagement',
        error_data: { details: 'Too late' },
        href: 'x',
      };
      await status({ id: wamid, status: 'failed', errors: [newer] });
      expect(await stored(wamid)).toMatchObject({
        status: 'FAILED',
        error: { code: '131047', message: 'Re-engagement', details: 'Too late' },
      });
      const alone = await change('messages', { errors: [{ code: 131031, title: 'Locked' }] });
      expect(alone).toMatchObject({
        refused: [{ reason: 'FAILED', detail: 'Meta reports an error: 131031 Locked' }],
      });
    },
  },
  {
    part: '1.5',
    line: 'a status names its message by id or meta_msg_id, and by what went out with it; all else may be missing',
    async check({ app, status, outgoing, stored, take, tenant }) {
      const [first, second, third] = [await outgoing(), await outgoing(), await outgoing()];
      await status({ id: first, status: 'delivered', recipient_id: CUSTOMER });
      await status({ id: 'gs-1', meta_msg_id: second, status: 'delivered' });
      await status({ meta_msg_id: second, status: 'read' });
      const { chat_id: chatId, seq } = await stored(third);
      await app.sql('UPDATE whatsapp_message SET wamid = NULL WHERE chat_id = $1 AND seq = $2', [
        chatId,
        seq,
      ]);
      const callback = { biz_opaque_callback_data: messageId(chatId, seq) };
      await status({ id: third, status: 'read', ...callback });
      const [a, b, c] = [await stored(first), await stored(second), await stored(third)];
      expect([a.status, b.status, c.status]).toEqual(['DELIVERED', 'READ', 'READ']);
      // Without a number, the message tells whose it is.
      await take(bare(tenant, 'messages', { statuses: [{ id: first, status: 'read' }] }));
      expect(await stored(first)).toMatchObject({ status: 'READ' });
      expect(await status({ status: 'read' })).toMatchObject({ refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.5',
    line: 'sent, delivered, read, failed and played; deleted and warning of old; others are kept',
    async check({ status, outgoing, stored }) {
      for (const [step, expected] of [
        ['sent', 'SENT'],
        ['delivered', 'DELIVERED'],
        ['read', 'READ'],
        ['failed', 'FAILED'],
        ['played', 'READ'],
        ['deleted', 'SENT'],
        ['warning', 'SENT'],
      ] as const) {
        const id = await outgoing();
        expect(await status({ id, status: step })).toEqual({ applied: 1, refused: [] });
        expect(await stored(id)).toMatchObject({ status: expected });
      }
      const id = await outgoing();
      expect(await status({ id, status: 'teleported' })).toMatchObject({ refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.5',
    line: 'read may come without delivered, and late ones change nothing',
    async check({ status, outgoing, stored }) {
      const id = await outgoing();
      for (const step of ['read', 'delivered', 'sent', 'failed']) await status({ id, status: step });
      expect(await stored(id)).toMatchObject({ status: 'READ' });
    },
  },
  {
    part: '1.5',
    line: 'conversation and pricing may be there, in each of their shapes',
    async check({ status, outgoing, stored }) {
      for (const more of [
        { conversation: { id: 'c', expiration_timestamp: '1698339900', origin: { type: 'service' } } },
        { conversation: { id: 'c', expiration_timestamp: 1_698_339_900, pricing: { billable: true } } },
        { pricing: { billable: true, pricing_model: 'PMP', type: 'regular', category: 'utility' } },
        { conversation: null, pricing: 'free' },
      ]) {
        const id = await outgoing();
        await status({ id, status: 'delivered', ...more });
        expect(await stored(id)).toMatchObject({ status: 'DELIVERED' });
      }
    },
  },
  {
    part: '1.5',
    line: 'contacts come with a status or not, and make nobody',
    async check({ change, outgoing, conversations, stored }) {
      const id = await outgoing();
      const statuses = [{ id, status: 'delivered', recipient_user_id: 'US.77' }];
      await change('messages', { statuses, contacts: [{ user_id: 'US.77' }] });
      await change('messages', { statuses: [{ id, status: 'read' }] });
      expect(await stored(id)).toMatchObject({ status: 'READ' });
      expect(await conversations()).toHaveLength(1);
    },
  },
  {
    part: '1.5',
    line: 'the errors of a failed status are told once, perhaps before the message, and kept',
    async check({ status, shown, stored }) {
      const id = newWamid();
      const errors = [{ code: 130472, title: 'Experiment', error_data: { details: 'In an experiment' } }];
      await status({ id, status: 'failed', errors });
      await shown({ id, type: 'text', text: { body: 'hi' } });
      expect(await stored(id)).toMatchObject({
        status: 'FAILED',
        error: { code: '130472', details: 'In an experiment' },
      });
    },
  },
  {
    part: '1.5',
    line: 'of a message to a group, each participant has a status',
    async check({ app, status, shown, stored }) {
      const id = newWamid();
      const of = { id, recipient_type: 'group', recipient_id: 'G1' };
      for (const participant of [
        { recipient_participant_user_id: 'US.1' },
        { recipient_participant_id: '16505550001' },
        { participant_recipient_id: '16505550002' },
      ])
        await status({ ...of, status: 'read', ...participant });
      const kept = await app.sql('SELECT participant FROM pending_status WHERE wamid = $1 ORDER BY 1', [id]);
      expect(kept.map((row) => row.participant)).toEqual(['16505550001', '16505550002', 'US.1']);
      await shown({ id, type: 'text', text: { body: 'hi' } });
      expect(await stored(id)).toMatchObject({ status: 'READ' });
    },
  },
];
