import { expect } from '@jest/globals';
import { newWamid } from './bodies.js';
import { CUSTOMER, type FactRow } from './facts.js';

export const COEXISTENCE_ROWS: readonly FactRow[] = [
  {
    part: '1.8',
    line: 'smb_message_echoes: what the business sent by phone, its edits and revocations; never answered',
    async check({ tenant, change, stored, conversations, messages }) {
      const tell = (echo: Record<string, unknown>, more: Record<string, unknown> = {}) =>
        change('smb_message_echoes', {
          message_echoes: [{ from: tenant.displayPhoneNumber, timestamp: '1760000000', ...echo }],
          ...more,
        });
      const [first, second] = [newWamid(), newWamid()];
      await tell({ id: first, to: CUSTOMER, type: 'text', text: { body: 'first' } });
      await tell({ id: first, to: CUSTOMER, type: 'text', text: { body: 'first' } });
      expect(await stored(first)).toMatchObject({
        direction: 'OUT',
        status: 'SENT',
        wa_id: CUSTOMER,
        to: CUSTOMER,
        bot_pending: false,
      });
      expect(await conversations()).toMatchObject([{ read_seq: 1, window_expires_at: null }]);
      const message = { type: 'text', text: { body: 'changed' } };
      await tell({ id: newWamid(), type: 'edit', edit: { original_message_id: first, message } });
      expect(await stored(first)).toMatchObject({ text: 'changed' });
      await tell({ id: newWamid(), type: 'revoke', revoke: { original_message_id: first } });
      expect((await stored(first)).deleted_at).not.toBeNull();
      const image = { id: '1', mime_type: 'image/jpeg' };
      await tell({ id: second, to_user_id: 'US.5', type: 'image', image });
      expect(await stored(second)).toMatchObject({ type: 'IMAGE', user_id: 'US.5', direction: 'OUT' });
      // The receiver may be the contact alone.
      const third = newWamid();
      await tell({ id: third, type: 'text', text: { body: 'x' } }, { contacts: [{ wa_id: CUSTOMER }] });
      expect(await stored(third)).toMatchObject({ wa_id: CUSTOMER });
      expect(await messages()).toHaveLength(3);
    },
  },
  {
    part: '1.8',
    line: 'history: threads in parts, placeholders for files, and a sharing that was declined',
    async check({ tenant, change, stored, messages }) {
      const own = tenant.displayPhoneNumber;
      const [asked, answered, file] = [newWamid(), newWamid(), newWamid()];
      const status = (value: string) => ({ history_context: { status: value } });
      const thread = {
        id: CUSTOMER,
        context: { wa_id: CUSTOMER, user_id: 'US.1', username: 'ann' },
        messages: [
          {
            from: own,
            to: CUSTOMER,
            id: answered,
            timestamp: '1750000002',
            type: 'text',
            text: { body: 'B' },
            ...status('READ'),
          },
          {
            from: CUSTOMER,
            id: file,
            timestamp: '1750000003',
            type: 'media_placeholder',
            ...status('DELIVERED'),
          },
          {
            from: CUSTOMER,
            id: asked,
            timestamp: '1750000001',
            type: 'text',
            text: { body: 'A' },
            ...status('PENDING'),
          },
        ],
      };
      const chunk = (phase: number, threads: unknown[]) => ({ metadata: { phase, chunk_order: 1 }, threads });
      const history = [chunk(1, [thread]), chunk(0, [])];
      expect(await change('history', { history })).toMatchObject({ applied: 3, refused: [] });
      expect((await messages()).map((row) => [row.text, row.direction, row.status])).toEqual([
        ['A', 'IN', 'SENT'],
        ['B', 'OUT', 'READ'],
        [null, 'IN', 'DELIVERED'],
      ]);
      const image = { id: '1', mime_type: 'image/jpeg', caption: 'Look' };
      const content = { from: CUSTOMER, id: file, timestamp: '1750000003', type: 'image', image };
      await change('history', { messages: [content] });
      await change('history', { messages: [content] });
      expect(await stored(file)).toMatchObject({ type: 'IMAGE', text: 'Look', rev: 2, payload: { image } });
      expect(await messages()).toHaveLength(3);
      const declined = [{ errors: [{ code: 2_593_109, title: 'Declined' }] }];
      expect(await change('history', { history: declined })).toEqual({ applied: 1, refused: [] });
    },
  },
  {
    part: '1.8',
    line: 'smb_app_state_sync: the names of the address book',
    async check({ app, tenant, change, conversations, shown }) {
      const entry = { type: 'contact', action: 'add', metadata: { timestamp: '1' } };
      const contact = { full_name: 'Ann Lee', phone_number: `+${CUSTOMER}`, username: 'ann' };
      await change('smb_app_state_sync', {
        state_sync: [{ ...entry, contact }, { ...entry, action: 'remove', contact }, { type: 'contact' }],
      });
      expect(await conversations()).toEqual([]);
      expect(await app.sql('SELECT name FROM customer WHERE tenant_id = $1', [tenant.id])).toEqual([
        { name: 'Ann Lee' },
      ]);
      expect(await shown({ type: 'text', text: { body: 'hi' } })).toMatchObject({ name: 'Ann Lee' });
    },
  },
  {
    part: '1.8',
    line: 'a number that is on a phone too sends 20 messages a second',
    async check({ app, tenant, change }) {
      const rate = async () => {
        const [row] = await app.sql('SELECT messages_per_second FROM tenant WHERE id = $1', [tenant.id]);
        return row?.messages_per_second;
      };
      expect(await rate()).toBe(80);
      const echo = {
        from: tenant.displayPhoneNumber,
        to: CUSTOMER,
        id: newWamid(),
        type: 'text',
        text: { body: 'x' },
      };
      await change('smb_message_echoes', { message_echoes: [echo] });
      expect(await rate()).toBe(20);
    },
  },
  {
    part: '1.8',
    line: 'history is no news: not unread, not answered, no window, no new activity',
    async check({ app, change, conversations, messages, shown }) {
      const message = {
        from: CUSTOMER,
        id: newWamid(),
        type: 'text',
        text: { body: 'old' },
        timestamp: '1750000000',
      };
      const history = [{ metadata: { phase: 0 }, threads: [{ id: CUSTOMER, messages: [message] }] }];
      await change('history', { history });
      expect(await conversations()).toMatchObject([{ last_seq: 1, read_seq: 1, window_expires_at: null }]);
      const [{ chat_id: chatId } = { chat_id: '' }] = await messages();
      expect(await messages()).toMatchObject([{ is_history: true, bot_pending: false }]);
      await shown({ type: 'text', text: { body: 'new' } });
      const activity = async () =>
        app.sql('SELECT updated_at, active_at FROM chat JOIN conversation ON chat_id = id WHERE id = $1', [
          chatId,
        ]);
      const before = await activity();
      app.clock.advance(60_000);
      const more = [{ threads: [{ id: CUSTOMER, messages: [{ ...message, id: newWamid() }] }] }];
      await change('history', { history: more });
      expect(await activity()).toEqual(before);
      expect(await conversations()).toMatchObject([{ last_seq: 3, read_seq: 1 }]);
    },
  },
];
