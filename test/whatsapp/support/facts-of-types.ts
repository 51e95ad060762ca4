import { expect } from '@jest/globals';
import { newWamid } from './bodies.js';
import { CUSTOMER, type FactRow } from './facts.js';

const MEDIUM = { id: '65463453', mime_type: 'image/jpeg', sha256: '4654+8g=' };

/** What the errors of `unsupported` messages look like. */
const UNSUPPORTED = [
  { code: 131051, title: 'Message type unknown', error_data: { details: 'Not supported.' } },
] as const;

/** The reactions to a message, as `who emoji`. */
const REACTIONS = `SELECT r.emoji FROM reaction r JOIN whatsapp_message w ON w.chat_id = r.chat_id AND w.seq = r.seq
  WHERE w.wamid = $1`;

function media(
  type: string,
  more: Record<string, unknown>,
  expected: Record<string, unknown>,
): FactRow['check'] {
  return async ({ shown }) => {
    const object = { ...MEDIUM, ...more };
    expect(await shown({ type, [type]: object })).toMatchObject({
      type: type.toUpperCase(),
      media_id: null,
      payload: { [type]: object },
      ...expected,
    });
    expect(await shown({ type, [type]: { mime_type: 'x/y' } })).toMatchObject({ type: 'UNSUPPORTED' });
  };
}

export const TYPE_ROWS: readonly FactRow[] = [
  {
    part: '1.5',
    line: 'text',
    async check({ shown }) {
      expect(await shown({ type: 'text', text: { body: 'Grüße 👍\n\u0000' } })).toMatchObject({
        type: 'TEXT',
        text: 'Grüße 👍\n\uFFFD',
      });
      expect(await shown({ type: 'text', text: {} })).toMatchObject({ type: 'UNSUPPORTED', text: null });
    },
  },
  { part: '1.5', line: 'image', check: media('image', { caption: 'Look' }, { text: 'Look' }) },
  { part: '1.5', line: 'video', check: media('video', { caption: 'Look' }, { text: 'Look' }) },
  { part: '1.5', line: 'audio, a voice note or not', check: media('audio', { voice: true }, { text: null }) },
  {
    part: '1.5',
    line: 'document',
    check: media('document', { filename: 'bill.pdf', caption: 'The bill' }, { text: 'The bill' }),
  },
  { part: '1.5', line: 'sticker', check: media('sticker', { animated: true }, { text: null }) },
  {
    part: '1.5',
    line: 'location',
    async check({ shown }) {
      const location = { latitude: 37.46, longitude: -122.2, name: 'HQ', address: '1 Way', url: 'https://x' };
      expect(await shown({ type: 'location', location })).toMatchObject({
        type: 'LOCATION',
        text: 'HQ, 1 Way',
        payload: { location },
      });
      const bare = { latitude: 0, longitude: 0 };
      expect(await shown({ type: 'location', location: bare })).toMatchObject({
        type: 'LOCATION',
        text: null,
      });
    },
  },
  {
    part: '1.5',
    line: 'contacts, with or without a name',
    async check({ shown }) {
      const contacts = [
        { name: { formatted_name: 'Ann Lee' }, phones: [{ phone: '+1 555', wa_id: '1555' }] },
        { name: { first_name: 'Bob' } },
        { phones: [], origin: 'contact_request', vcard: 'BEGIN:VCARD' },
      ];
      expect(await shown({ type: 'contacts', contacts })).toMatchObject({
        type: 'CONTACTS',
        text: 'Ann Lee, Bob',
        payload: { contacts },
      });
    },
  },
  {
    part: '1.5',
    line: 'button, also from the number of the business itself',
    async check({ shown, tenant }) {
      const button = { text: 'Yes', payload: 'YES' };
      expect(await shown({ type: 'button', button })).toMatchObject({
        type: 'INTERACTIVE',
        text: 'Yes',
        direction: 'IN',
        payload: { button },
      });
      const own = { type: 'button', button, from: tenant.displayPhoneNumber };
      expect(await shown(own, { contacts: [{ wa_id: CUSTOMER }] })).toMatchObject({
        direction: 'OUT',
        wa_id: CUSTOMER,
      });
    },
  },
  {
    part: '1.5',
    line: 'interactive: button, list, flow and call permission replies, and those of tomorrow',
    async check({ shown }) {
      const replies: [Record<string, unknown>, string | null][] = [
        [{ type: 'button_reply', button_reply: { id: 'b', title: 'Yes' } }, 'Yes'],
        [{ type: 'list_reply', list_reply: { id: 'l', title: 'Red', description: 'A colour' } }, 'Red'],
        [{ type: 'nfm_reply', nfm_reply: { name: 'flow', body: 'Sent', response_json: '{"a":1}' } }, 'Sent'],
        [{ type: 'nfm_reply', nfm_reply: { response_json: '[1]' } }, null],
        [{ type: 'call_permission_reply', call_permission_reply: { response: 'accept' } }, null],
        [{ type: 'reply_of_tomorrow', reply_of_tomorrow: { title: 'New' } }, 'New'],
      ];
      for (const [interactive, text] of replies) {
        expect(await shown({ type: 'interactive', interactive })).toMatchObject({
          type: 'INTERACTIVE',
          text,
          payload: { interactive },
        });
      }
    },
  },
  {
    part: '1.5',
    line: 'reaction, and its removal by an empty emoji or by none',
    async check({ app, told, outgoing, messages, now }) {
      const wamid = await outgoing();
      const later = (seconds: number) => String(Number(now()) + seconds);
      const reacted = async () =>
        (await app.sql<{ emoji: string }>(REACTIONS, [wamid])).map((row) => row.emoji);
      const react = (emoji: string | undefined, at: number) =>
        told({ type: 'reaction', timestamp: later(at), reaction: { message_id: wamid, emoji } });
      await react('😮', 1);
      expect(await reacted()).toEqual(['😮']);
      await react('👍', 2);
      expect(await reacted()).toEqual(['👍']);
      await react('', 3);
      expect(await reacted()).toEqual([]);
      await react('👍', 4);
      await react(undefined, 5);
      expect(await reacted()).toEqual([]);
      await react('😮', 2);
      expect(await reacted()).toEqual([]);
      expect(await messages()).toMatchObject([{ rev: 6 }]);
      expect(await told({ type: 'reaction', reaction: {} })).toMatchObject({ refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.5',
    line: 'order',
    async check({ shown }) {
      const order = { catalog_id: '1', text: 'Please', product_items: [{ quantity: 3, item_price: 2.5 }] };
      expect(await shown({ type: 'order', order })).toMatchObject({
        type: 'INTERACTIVE',
        text: 'Please',
        payload: { order },
      });
    },
  },
  {
    part: '1.5',
    line: 'system: a changed number, identity or id',
    async check({ shown, conversations }) {
      const system = (type: string, more: Record<string, unknown> = {}) => ({
        type: 'system',
        system: { body: `It is ${type}`, type, ...more },
      });
      expect(await shown(system('user_changed_number', { wa_id: '16505559999' }))).toMatchObject({
        type: 'SYSTEM',
        text: 'It is user_changed_number',
        bot_pending: false,
      });
      expect(await conversations()).toMatchObject([{ wa_id: '16505559999', read_seq: 1 }]);
      const identity = { acknowledged: true, created_timestamp: '1', hash: 'h' };
      const from = '16505559999';
      expect(await shown({ ...system('customer_identity_changed'), identity, from })).toMatchObject({
        type: 'SYSTEM',
        payload: { identity },
      });
      await shown({ ...system('user_changed_user_id', { user_id: 'US.2' }), from });
      await shown({ ...system('something_of_tomorrow'), from });
      expect(await conversations()).toMatchObject([
        { user_id: 'US.2', last_seq: 4, window_expires_at: null },
      ]);
    },
  },
  {
    part: '1.5',
    line: 'unsupported, of a known type or not',
    async check({ shown, status, stored }) {
      expect(
        await shown({ type: 'unsupported', errors: UNSUPPORTED, unsupported: { type: 'poll_creation' } }),
      ).toMatchObject({
        type: 'UNSUPPORTED',
        error: { code: '131051', message: 'Message type unknown', details: 'Not supported.' },
        payload: { unsupported: { type: 'poll_creation' } },
      });
      const id = newWamid();
      await shown({ id, type: 'unsupported', errors: UNSUPPORTED });
      await status({ id, status: 'delivered' });
      expect(await stored(id)).toMatchObject({ status: 'DELIVERED', error: { code: '131051' } });
      const older = [{ code: 131060, title: 'Unavailable', details: 'Later' }];
      expect(await shown({ type: 'unsupported', errors: older })).toMatchObject({
        error: { code: '131060', details: 'Later' },
      });
    },
  },
  {
    part: '1.5',
    line: 'edit, before or after what it edits, once or more often',
    async check({ told, shown, stored }) {
      const wamid = newWamid();
      const edit = (body: string, at: string) => ({
        type: 'edit',
        timestamp: at,
        edit: {
          original_message_id: wamid,
          message: { context: { id: 'M0' }, type: 'text', text: { body } },
        },
      });
      await told(edit('second', '1760000002'));
      await shown({ id: wamid, type: 'text', text: { body: 'first' }, timestamp: '1760000000' });
      expect(await stored(wamid)).toMatchObject({
        text: 'second',
        rev: 2,
        payload: { text: { body: 'second' } },
      });
      await told(edit('third', '1760000003'));
      await told(edit('late', '1760000001'));
      expect(await stored(wamid)).toMatchObject({ text: 'third', rev: 3 });
      expect((await stored(wamid)).edited_at).not.toBeNull();
      expect(await told({ type: 'edit', edit: {} })).toMatchObject({ refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.5',
    line: 'revoke, before or after what it revokes',
    async check({ told, shown, stored }) {
      const revoke = (wamid: string) => told({ type: 'revoke', revoke: { original_message_id: wamid } });
      const [early, late] = [newWamid(), newWamid()];
      await revoke(early);
      for (const id of [early, late]) await shown({ id, type: 'text', text: { body: 'secret' } });
      await revoke(late);
      await revoke(late);
      for (const id of [early, late]) {
        const row = await stored(id);
        expect(row).toMatchObject({ text: null, rev: 2, payload: { type: 'text' } });
        expect(row.deleted_at).not.toBeNull();
      }
      expect(await told({ type: 'revoke', revoke: {} })).toMatchObject({ refused: [{ reason: 'BAD' }] });
    },
  },
  {
    part: '1.5',
    line: 'request_welcome',
    async check({ shown, conversations }) {
      expect(await shown({ type: 'request_welcome' })).toMatchObject({ type: 'SYSTEM', bot_pending: false });
      expect(await conversations()).toMatchObject([{ window_expires_at: null }]);
    },
  },
  {
    part: '1.5',
    line: 'ephemeral, voice, unknown',
    async check({ shown }) {
      for (const type of ['ephemeral', 'voice', 'unknown']) {
        expect(await shown({ type, [type]: MEDIUM })).toMatchObject({
          type: 'UNSUPPORTED',
          payload: { type },
        });
      }
    },
  },
  {
    part: '1.5',
    line: 'anything else',
    async check({ shown }) {
      const news = { any: [{ thing: true }] };
      expect(await shown({ type: 'hologram', hologram: news })).toMatchObject({
        type: 'UNSUPPORTED',
        text: null,
        payload: { type: 'hologram', hologram: news },
      });
      expect(await shown({ type: 7 })).toMatchObject({ type: 'UNSUPPORTED' });
    },
  },
];
