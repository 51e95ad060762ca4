import { describe, expect, it } from '@jest/globals';
import { ConversationOpened } from '../../src/chats/chats.events.js';
import { EventBus } from '../../src/infra/events/event-bus.js';
import { MessageCreated } from '../../src/messages/messages.events.js';
import { ConversationsService } from '../../src/whatsapp/conversations/conversations.service.js';
import { TenantsService } from '../../src/whatsapp/tenants/tenants.service.js';
import { useApp } from '../support/app.js';
import { newWamid } from './support/bodies.js';
import { registerTenant, type TestTenant } from './support/channel.js';
import { bare, change, conversationsOf, message, messagesOf, secondsOf, take } from './support/taking.js';

const app = useApp();

const service = () => app.running.nest.get(ConversationsService, { strict: false });
const tenantOf = async ({ id }: TestTenant) =>
  app.running.nest.get(TenantsService, { strict: false }).get(id);

function text(tenant: TestTenant, who: Record<string, unknown>, contacts?: unknown[]) {
  return message(
    tenant,
    { id: newWamid(), timestamp: secondsOf(app.clock.now()), type: 'text', text: { body: 'hi' }, ...who },
    contacts ? { contacts } : {},
  );
}

function heard<E extends object>(eventClass: abstract new (...args: never[]) => E): E[] {
  const events: E[] = [];
  app.running.nest.get(EventBus, { strict: false }).on(eventClass as never, (event: E) => {
    events.push(event);
  });
  return events;
}

describe('a customer', () => {
  it('is made with the conversation by the first message, once, however many come at once', async () => {
    const tenant = await registerTenant(app);
    const opened = heard(ConversationOpened);
    const contacts = [{ wa_id: '16505551234', profile: { name: 'Ann', username: '@ann' } }];
    await Promise.all(
      Array.from({ length: 20 }, () => take(app, text(tenant, { from: '16505551234' }, contacts))),
    );
    const [conversation, ...others] = await conversationsOf(app, tenant);
    expect(others).toEqual([]);
    expect(conversation).toMatchObject({
      wa_id: '16505551234',
      phone: '+16505551234',
      name: 'Ann',
      last_seq: 20,
      read_seq: 0,
    });
    expect((await messagesOf(app, tenant))[0]).toMatchObject({ username: 'ann' });
    expect(opened.filter((event) => event.tenantId === tenant.id)).toEqual([
      new ConversationOpened(conversation!.chat_id, tenant.id, 0),
    ]);
  });

  it('keeps the order of the calls when it is new', async () => {
    const tenant = await registerTenant(app);
    const messages = Array.from({ length: 30 }, (_, i) => ({
      id: newWamid(),
      from: '16505551299',
      type: 'text',
      text: { body: String(i) },
    }));
    await take(app, change(tenant, 'messages', { messages }));
    expect((await messagesOf(app, tenant)).map((row) => row.text)).toEqual(messages.map((_, i) => String(i)));
  });

  it.each([
    ['Brazil', '5511987654321', '551187654321'],
    ['Mexico', '5215512345678', '525512345678'],
    ['Argentina', '5491123456789', '541123456789'],
  ])('of %s is one, whichever way the number is written; the last one is sent to', async (_, one, other) => {
    const tenant = await registerTenant(app);
    for (const from of [one, other, one, other]) await take(app, text(tenant, { from }));
    expect(await conversationsOf(app, tenant)).toMatchObject([
      { wa_id: other, phone: `+${other}`, last_seq: 4 },
    ]);
    expect(await service().find(tenant.id, { phone: `+${one}` })).toMatchObject({ waId: other });
  });

  it('is not one with a number that only looks alike', async () => {
    const tenant = await registerTenant(app);
    for (const from of ['551131234567', '5511931234567', '525512345678', '5255123456789'])
      await take(app, text(tenant, { from }));
    // A landline of Brazil with a 9 before it is the same line; the Mexican number with a digit more is another.
    expect(await conversationsOf(app, tenant)).toHaveLength(3);
  });

  it('belongs to one tenant', async () => {
    const [first, second] = [await registerTenant(app), await registerTenant(app)];
    await take(app, text(first, { from: '16505551234' }));
    await take(app, text(second, { from: '16505551234' }));
    expect(await conversationsOf(app, first)).toHaveLength(1);
    expect(await conversationsOf(app, second)).toHaveLength(1);
    expect(await service().find(first.id, { waId: '16505551234' })).not.toEqual(
      await service().find(second.id, { waId: '16505551234' }),
    );
  });

  it('has the name that was told last, and keeps it when none is told', async () => {
    const tenant = await registerTenant(app);
    const from = '16505551234';
    await take(app, text(tenant, { from }, [{ wa_id: from, profile: { name: 'Ann' } }]));
    await take(app, text(tenant, { from }, [{ wa_id: from, profile: { name: 'Anna' } }]));
    await take(app, text(tenant, { from }, [{ wa_id: from }]));
    await take(app, text(tenant, { from }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ name: 'Anna', last_seq: 4 }]);
  });

  it('may have no phone number', async () => {
    const tenant = await registerTenant(app);
    const contacts = [{ user_id: 'US.13491208655302741918', profile: { name: 'Pat', username: 'pat' } }];
    await take(app, text(tenant, { from_user_id: 'US.13491208655302741918' }, contacts));
    expect(await conversationsOf(app, tenant)).toMatchObject([
      { wa_id: null, user_id: 'US.13491208655302741918', phone: null, name: 'Pat' },
    ]);
  });

  it('is found by the id that stands in the place of the number', async () => {
    const tenant = await registerTenant(app);
    const id = 'US.13491208655302741918';
    await take(app, text(tenant, { from: id }, [{ wa_id: id, profile: { name: 'Pat' } }]));
    await take(app, text(tenant, { from_user_id: id }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ wa_id: null, user_id: id, last_seq: 2 }]);
  });

  it('is found by a malformed id when nothing else names it, and not by that beside a number', async () => {
    const tenant = await registerTenant(app);
    await take(app, text(tenant, { from_user_id: 'not an id!' }));
    app.clock.advance(1000);
    await take(app, text(tenant, { from: '16505551234', from_user_id: 'not an id!' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([
      { wa_id: null, user_id: 'not an id!' },
      { wa_id: '16505551234', user_id: null },
    ]);
  });
});

describe('two customers who turn out to be one', () => {
  const phone = '16505551234';
  const userId = 'US.13491208655302741918';

  it('are merged: the newer conversation closes and points to the older, and both say so', async () => {
    const tenant = await registerTenant(app);
    const created = heard(MessageCreated);
    await take(app, text(tenant, { from: phone }));
    app.clock.advance(1000);
    await take(app, text(tenant, { from_user_id: userId }));
    await take(app, text(tenant, { from_user_id: userId }));
    app.clock.advance(1000);
    const both = text(tenant, { from: phone, from_user_id: userId });
    await Promise.all([take(app, both), take(app, text(tenant, { from_user_id: userId }))]);

    const [older, newer, ...others] = await conversationsOf(app, tenant);
    expect(others).toEqual([]);
    expect(older).toMatchObject({ wa_id: phone, user_id: userId, merged_into_id: null });
    expect(newer).toMatchObject({ merged_into_id: older!.chat_id, customer_id: older!.customer_id });
    const rows = await messagesOf(app, tenant);
    const typesOf = (chatId: string) => rows.filter((row) => row.chat_id === chatId).map((row) => row.type);
    expect([...typesOf(older!.chat_id), ...typesOf(newer!.chat_id)].sort()).toEqual([
      'SYSTEM',
      'SYSTEM',
      'TEXT',
      'TEXT',
      'TEXT',
      'TEXT',
      'TEXT',
    ]);
    expect(typesOf(newer!.chat_id).at(-1)).toBe('SYSTEM');
    const told = created.filter((event) => event.audienceId === tenant.id && event.message.type === 'SYSTEM');
    expect(told.map((event) => event.message.chatId).sort()).toEqual([older!.chat_id, newer!.chat_id].sort());

    // What is remembered of the one that closed must not send anything there.
    await take(app, text(tenant, { from_user_id: userId }));
    expect((await messagesOf(app, tenant)).filter((row) => row.chat_id === newer!.chat_id)).toHaveLength(
      typesOf(newer!.chat_id).length,
    );
    expect(await service().byChat(newer!.chat_id)).toMatchObject({ mergedIntoId: older!.chat_id });
    expect(await service().find(tenant.id, { userId })).toMatchObject({ chatId: older!.chat_id });
  });

  it('are merged whoever comes first, with many at it at once', async () => {
    const tenant = await registerTenant(app);
    const refs = [{ from: phone }, { from_user_id: userId }, { from: phone, from_user_id: userId }];
    await Promise.all(Array.from({ length: 30 }, (_, i) => take(app, text(tenant, refs[i % 3]!))));
    const open = (await conversationsOf(app, tenant)).filter((row) => row.merged_into_id === null);
    expect(open).toMatchObject([{ wa_id: phone, user_id: userId }]);
    const texts = (await messagesOf(app, tenant)).filter((row) => row.type === 'TEXT');
    expect(texts).toHaveLength(30);
    const aliases = await app.sql('SELECT DISTINCT customer_id FROM customer_alias WHERE tenant_id = $1', [
      tenant.id,
    ]);
    expect(aliases).toEqual([{ customer_id: open[0]!.customer_id }]);
  });

  it('lead to the last one over several merges', async () => {
    const tenant = await registerTenant(app);
    const ids = ['US.1', 'US.2', 'US.3'];
    for (const id of ids) {
      await take(app, text(tenant, { from_user_id: id }));
      app.clock.advance(1000);
    }
    await take(app, text(tenant, { from: phone, from_user_id: 'US.3' }));
    await take(app, text(tenant, { from: phone, from_user_id: 'US.2' }));
    await take(app, text(tenant, { from: phone, from_user_id: 'US.1' }));
    const [oldest, ...others] = await conversationsOf(app, tenant);
    expect(others.map((row) => row.merged_into_id)).toEqual([oldest!.chat_id, oldest!.chat_id]);
    for (const id of ids)
      expect(await service().find(tenant.id, { userId: id })).toMatchObject({ chatId: oldest!.chat_id });
  });
});

describe('a changed number or id', () => {
  const system = (tenant: TestTenant, from: string, fields: Record<string, unknown>) =>
    message(tenant, { id: newWamid(), from, type: 'system', system: { body: 'changed', ...fields } });

  it('moves the customer to the new number, and a late message from the old one does not bring it back', async () => {
    const tenant = await registerTenant(app);
    await take(app, text(tenant, { from: '16505550001' }));
    await take(app, system(tenant, '16505550001', { type: 'user_changed_number', wa_id: '16505550002' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ wa_id: '16505550002', last_seq: 2 }]);
    await take(app, text(tenant, { from: '16505550001' }));
    await take(app, text(tenant, { from: '16505550002' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ wa_id: '16505550002', last_seq: 4 }]);
  });

  it('knows the older key `new_wa_id`', async () => {
    const tenant = await registerTenant(app);
    await take(app, system(tenant, '16505550001', { type: 'user_changed_number', new_wa_id: '16505550002' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ wa_id: '16505550002' }]);
  });

  it('merges with whoever was known by the new number', async () => {
    const tenant = await registerTenant(app);
    await take(app, text(tenant, { from: '16505550001' }));
    app.clock.advance(1000);
    await take(app, text(tenant, { from: '16505550002' }));
    await take(app, system(tenant, '16505550001', { type: 'user_changed_number', wa_id: '16505550002' }));
    const [older, newer] = await conversationsOf(app, tenant);
    expect(older).toMatchObject({ wa_id: '16505550002', merged_into_id: null });
    expect(newer).toMatchObject({ merged_into_id: older!.chat_id });
  });

  it('ends at the last of two changes, in whichever order they come and however often', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
      [0, 1, 0, 1, 0],
    ]) {
      const tenant = await registerTenant(app);
      await take(app, text(tenant, { from: '16505550001' }));
      app.clock.advance(1000);
      const changes = [
        system(tenant, '16505550001', { type: 'user_changed_number', wa_id: '16505550002' }),
        system(tenant, '16505550002', { type: 'user_changed_number', wa_id: '16505550003' }),
      ];
      for (const index of order) await take(app, changes[index]!);
      const open = (await conversationsOf(app, tenant)).filter((row) => row.merged_into_id === null);
      expect(open).toMatchObject([{ wa_id: '16505550003' }]);
    }
  });

  it('takes a new business-scoped id from a system message and from `user_id_update`', async () => {
    const tenant = await registerTenant(app);
    await take(app, text(tenant, { from: '16505550001', from_user_id: 'US.1' }));
    await take(app, system(tenant, '16505550001', { type: 'user_changed_user_id', user_id: 'US.2' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ wa_id: '16505550001', user_id: 'US.2' }]);
    const update = { user_id: { previous: 'US.2', current: 'US.3' }, timestamp: '1760000000' };
    await take(app, change(tenant, 'user_id_update', { user_id_update: [update] }));
    await take(app, text(tenant, { from_user_id: 'US.3' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([
      { wa_id: '16505550001', user_id: 'US.3', last_seq: 3 },
    ]);
  });

  it('makes nobody of an id whose owner is not known', async () => {
    const tenant = await registerTenant(app);
    const update = { user_id: { previous: 'US.8', current: 'US.9' } };
    expect(await take(app, change(tenant, 'user_id_update', { user_id_update: [update] }))).toEqual({
      applied: 1,
      refused: [],
    });
    expect(await app.sql('SELECT FROM customer WHERE tenant_id = $1', [tenant.id])).toEqual([]);
  });
});

describe('the address book of a coexistence number', () => {
  it('names customers, and opens no conversation', async () => {
    const tenant = await registerTenant(app);
    const entry = (action: string, contact: Record<string, unknown>) => ({
      type: 'contact',
      action,
      contact,
    });
    const state_sync = [
      entry('add', { full_name: 'Ann Lee', phone_number: '16505551234' }),
      entry('remove', { phone_number: '16505559999' }),
    ];
    await take(app, change(tenant, 'smb_app_state_sync', { state_sync }));
    expect(await conversationsOf(app, tenant)).toEqual([]);
    await take(app, text(tenant, { from: '16505551234' }));
    expect(await conversationsOf(app, tenant)).toMatchObject([{ name: 'Ann Lee' }]);
  });
});

describe('the wish for marketing', () => {
  it('is that of the latest word, in whichever order they come', async () => {
    const tenant = await registerTenant(app);
    const word = (value: string, timestamp: number | string) =>
      change(tenant, 'user_preferences', {
        user_preferences: [{ wa_id: '16505551234', category: 'marketing_messages', value, timestamp }],
      });
    await take(app, word('stop', 1731705800));
    await take(app, word('resume', '1731705721'));
    expect(await app.sql('SELECT opted_out FROM customer WHERE tenant_id = $1', [tenant.id])).toEqual([
      { opted_out: true },
    ]);
    await take(app, word('resume', 1731705900));
    expect(await app.sql('SELECT opted_out FROM customer WHERE tenant_id = $1', [tenant.id])).toEqual([
      { opted_out: false },
    ]);
    expect(await conversationsOf(app, tenant)).toEqual([]);
  });
});

describe('opening a conversation for a send', () => {
  it('makes it, finds it and shows its window afresh', async () => {
    const tenant = await registerTenant(app);
    const row = await tenantOf(tenant);
    const opened = await service().open(row, { phone: '+1 (650) 555-1234', name: 'Ann' });
    expect(opened).toMatchObject({ waId: '16505551234', phone: '+16505551234', name: 'Ann' });
    expect(opened.windowExpiresAt).toBeNull();
    await take(app, text(tenant, { from: '16505551234', timestamp: secondsOf(app.clock.now()) }));
    const again = await service().open(row, { waId: '16505551234' });
    expect(again.chatId).toBe(opened.chatId);
    expect(again.windowExpiresAt!.getTime() - app.clock.nowMs()).toBeGreaterThan(23 * 3_600_000);
  });

  it('refuses nobody', async () => {
    const row = await tenantOf(await registerTenant(app));
    await expect(service().open(row, { waId: '' })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });
});

describe('a tenant that is gone', () => {
  it('gets nothing more, although its conversations were remembered', async () => {
    const tenant = await registerTenant(app);
    await take(app, text(tenant, { from: '16505551234' }));
    await app.sql('UPDATE tenant SET deleted_at = now() WHERE id = $1', [tenant.id]);
    expect(await take(app, text(tenant, { from: '16505551234' }))).toMatchObject({
      applied: 0,
      refused: [{ reason: 'UNKNOWN_NUMBER' }],
    });
    expect(await take(app, bare(tenant, 'account_update', { event: 'ACCOUNT_DELETED' }))).toMatchObject({
      refused: [{ reason: 'UNKNOWN_NUMBER' }],
    });
    expect(await messagesOf(app, tenant)).toHaveLength(1);
  });
});
