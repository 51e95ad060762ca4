import type { SyncBody } from '../../src/sync/sync.dto.js';
import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectRebuilt, SyncStore } from '../support/sync-store.js';
import {
  cross,
  makeConversation,
  makeTenant,
  setAgent,
  tell,
  type BareTenant,
} from './support/conversations.js';

const app = useApp();

function isEmpty({ users, chats, messages, contacts, removed }: SyncBody): boolean {
  return [users, chats, messages, contacts, ...Object.values(removed)].flat().length === 0;
}

/** Syncs until there is nothing: see `test/sync/sync.test.ts`. */
async function settle(device: SyncStore): Promise<void> {
  await eventually(async () => (await device.sync())[0]!, isEmpty);
}

/** Ann's device in step with the server; she and Ben work for a tenant with three customers. */
async function makeWorld() {
  const [ann, ben, cid] = (await Promise.all(
    ['Ann', 'Ben', 'Cid'].map((name) => app.registerUser({ name })),
  )) as [TestPerson, TestPerson, TestPerson];
  const tenant = await makeTenant(app, [ann, ben]);
  const chatIds: string[] = [];
  for (const name of ['Kerry', 'Lou', 'Max']) chatIds.push(await makeConversation(app, tenant, { name }));
  const chatId = chatIds[0]!;
  const sent = await cross(app, tenant, chatId, { direction: 'OUT', text: 'from us', marks: 'ALL' });
  await cross(app, tenant, chatId, { text: 'from Kerry' });
  await cross(app, tenant, chatIds[1]!, { text: 'from Lou' });
  const device = new SyncStore(ann.http);
  await settle(device);
  return { ann, ben, cid, tenant, chatId, chatIds, sent, device };
}

type World = Awaited<ReturnType<typeof makeWorld>>;

async function ok(answer: Promise<{ status: number; body: unknown }>): Promise<void> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(JSON.stringify(body));
}

/** One kind of change a row, and what of it the page must name. */
const CHANGES: [string, (world: World) => Promise<unknown>, (page: SyncBody, world: World) => void][] = [
  [
    'a message of the customer’s',
    ({ tenant, chatId }) => cross(app, tenant, chatId, { text: 'news' }),
    (page, { chatId }) => {
      expect(page.chats.map(({ id }) => id)).toEqual([chatId]);
      expect(page.messages.map(({ seq, text }) => [seq, text])).toEqual([[3, 'news']]);
      expect(page.messages[0]?.whatsapp).toMatchObject({ direction: 'IN' });
    },
  ],
  [
    'a new customer',
    async ({ tenant }) => cross(app, tenant, await makeConversation(app, tenant, { name: 'Nia' })),
    (page) => {
      expect(page.chats.map(({ name, whatsapp }) => [name, whatsapp?.customer.name])).toEqual([
        ['Nia', 'Nia'],
      ]);
      expect(page.messages.map(({ seq }) => seq)).toEqual([1]);
    },
  ],
  [
    'a status of an older message, alone',
    ({ sent }) => tell(app, sent, 'delivered'),
    (page, { chatId }) => {
      expect(page.messages.map(({ seq, status }) => [seq, status])).toEqual([[1, 'DELIVERED']]);
      expect(page.chats.map(({ id }) => id)).toEqual([chatId]);
    },
  ],
  [
    'a status of the newest message, also in the chat',
    async ({ tenant, chatIds, device }) => {
      const last = await cross(app, tenant, chatIds[2]!, { direction: 'OUT', marks: 'ALL' });
      await settle(device);
      await tell(app, last, 'read');
    },
    (page) => {
      expect(page.messages.map(({ seq, status }) => [seq, status])).toEqual([[1, 'READ']]);
      expect(page.chats.map(({ lastMessage }) => lastMessage?.status)).toEqual(['READ']);
    },
  ],
  [
    'a failure',
    ({ sent }) => tell(app, sent, 'failed'),
    (page) => {
      expect(page.messages.map(({ status, whatsapp }) => [status, whatsapp?.error?.code])).toEqual([
        ['FAILED', '131026'],
      ]);
    },
  ],
  [
    'a status that came before its message',
    async ({ tenant, chatId }) => {
      const wamid = `wamid.early.${chatId}`;
      await tell(app, wamid, 'read');
      await cross(app, tenant, chatId, { direction: 'OUT', wamid });
    },
    (page) => {
      expect(page.messages.map(({ seq, status }) => [seq, status])).toEqual([[3, 'READ']]);
    },
  ],
  [
    'the id that Meta gave a message',
    ({ chatId }) =>
      app.sql(
        `UPDATE whatsapp_message SET wamid = 'wamid.given', status = 'SENT' WHERE chat_id = $1 AND seq = 1`,
        [chatId],
      ),
    (page) => {
      expect(page.messages.map(({ seq, whatsapp }) => [seq, whatsapp?.waMessageId])).toEqual([
        [1, 'wamid.given'],
      ]);
    },
  ],
  [
    'the team’s mark',
    ({ chatId }) => app.sql('UPDATE conversation SET read_seq = last_seq WHERE chat_id = $1', [chatId]),
    (page) => {
      expect(page.chats.map(({ unreadCount, my }) => [unreadCount, my.readSeq])).toEqual([[0, 2]]);
      expect(page.messages).toEqual([]);
    },
  ],
  [
    'the customer’s name',
    ({ chatId }) =>
      app.sql(
        `UPDATE customer SET name = 'Kerry Fisher' FROM conversation k WHERE k.chat_id = $1 AND customer.id = k.customer_id`,
        [chatId],
      ),
    (page) => {
      expect(page.chats.map(({ name }) => name)).toEqual(['Kerry Fisher']);
    },
  ],
  [
    'a person took over from the bot',
    ({ chatId }) => app.sql('UPDATE conversation SET bot_paused = true WHERE chat_id = $1', [chatId]),
    (page) => {
      expect(page.chats.map(({ whatsapp }) => whatsapp?.botPaused)).toEqual([true]);
    },
  ],
  [
    'one’s own settings',
    ({ ann, chatId }) =>
      ok(ann.http.patch(`/api/chats/${chatId}/settings`, { pinned: true, archived: true })),
    (page) => {
      expect(page.chats.map(({ my }) => [my.pinned, my.archived])).toEqual([[true, true]]);
    },
  ],
  [
    'a cleared chat',
    ({ ann, chatId }) => ok(ann.http.delete(`/api/chats/${chatId}`)),
    (page) => {
      expect(page.chats.map(({ my, lastMessage }) => [my.firstSeq, lastMessage])).toEqual([[3, null]]);
    },
  ],
  [
    'a status of a cleared message',
    async ({ ann, chatId, sent, device }) => {
      await ok(ann.http.delete(`/api/chats/${chatId}`));
      await settle(device);
      await tell(app, sent, 'read');
    },
    (page) => {
      expect(page.messages).toEqual([]);
    },
  ],
  [
    'a message that one has hidden, and its status',
    async ({ ann, sent }) => {
      await ok(ann.http.delete(`/api/chats/messages/${sent.id}`));
      await tell(app, sent, 'read');
    },
    (page, { sent }) => {
      expect(page.removed.messages).toContain(sent.id);
      expect(page.messages).toEqual([]);
    },
  ],
  [
    'a star',
    ({ ann, sent }) => ok(ann.http.put(`/api/chats/messages/${sent.id}/star`)),
    (page) => {
      expect(page.messages.map(({ seq, starred }) => [seq, starred])).toEqual([[1, true]]);
    },
  ],
  [
    'a revision',
    ({ chatId }) =>
      app.sql(
        `WITH touched AS (UPDATE chat SET changed_tx = pg_current_xact_id() WHERE id = $1)
          UPDATE message SET text = 'changed', rev = rev + 1, changed_tx = pg_current_xact_id()
          WHERE chat_id = $1 AND seq = 1`,
        [chatId],
      ),
    (page) => {
      expect(page.messages.map(({ seq, text }) => [seq, text])).toEqual([[1, 'changed']]);
    },
  ],
  [
    'a new colleague, with one conversation for all',
    ({ tenant, cid }) => setAgent(app, tenant, cid, true),
    (page, { ann, ben, cid, device }) => {
      expect(page.chats).toHaveLength(1);
      for (const { members, memberCount } of device.chats.values()) {
        expect(members[0]?.user.id).toBe(ann.id);
        expect(members.map(({ user }) => user.id).sort()).toEqual([ann.id, ben.id, cid.id].sort());
        expect(memberCount).toBe(3);
      }
    },
  ],
  [
    'a colleague who left',
    ({ tenant, ben }) => setAgent(app, tenant, ben, false),
    (page, { ann }) => {
      expect(page.chats.map(({ members }) => members.map(({ user }) => user.id))).toEqual([[ann.id]]);
    },
  ],
  [
    'one’s own role',
    ({ tenant, ann }) =>
      app.sql(`UPDATE tenant_agent SET role = 'ADMIN' WHERE tenant_id = $1 AND user_id = $2`, [
        tenant.id,
        ann.id,
      ]),
    (page, { device }) => {
      expect(page.chats).toHaveLength(1);
      expect([...device.chats.values()].map(({ my }) => my.role)).toEqual(['ADMIN', 'ADMIN', 'ADMIN']);
    },
  ],
  [
    'a colleague’s name',
    ({ ben }) => ok(ben.http.put('/api/auth/update-profile', { name: 'Benedict' })),
    (page, { ben }) => {
      expect(page.users.map(({ id, name }) => [id, name])).toEqual([[ben.id, 'Benedict']]);
      expect(page.chats).toHaveLength(1);
    },
  ],
  [
    'one’s own going',
    ({ tenant, ann }) => setAgent(app, tenant, ann, false),
    (page, { chatIds }) => {
      expect([...page.removed.chats].sort()).toEqual([...chatIds].sort());
      expect([page.chats, page.messages]).toEqual([[], []]);
    },
  ],
  [
    'one’s own coming back',
    async ({ tenant, ann, device, chatId }) => {
      await setAgent(app, tenant, ann, false);
      await settle(device);
      await cross(app, tenant, chatId, { text: 'while away' });
      await setAgent(app, tenant, ann, true);
    },
    (page, { ben }) => {
      expect(page.chats).toHaveLength(3);
      expect(page.messages.map(({ text }) => text).sort()).toEqual([
        'from Kerry',
        'from Lou',
        'from us',
        'while away',
      ]);
      expect(page.users.map(({ id }) => id)).toContain(ben.id);
    },
  ],
];

describe('what changed', () => {
  it.each(CHANGES)('tells of %s', async (_name, change, check) => {
    const world = await makeWorld();
    await change(world);
    const pages = await world.device.sync();
    expect(pages).toHaveLength(1);
    check(pages[0]!, world);
    await expectRebuilt(world.device, world.ann.http);
  });

  it('is told of nothing that happens to other tenants', async () => {
    const { device, cid } = await makeWorld();
    const other = await makeTenant(app, [cid]);
    const chatId = await makeConversation(app, other);
    const sent = await cross(app, other, chatId, { direction: 'OUT' });
    await tell(app, sent, 'read');
    expect((await device.sync()).every(isEmpty)).toBe(true);
  });

  it('tells of both tenants of who works for two', async () => {
    const { ann, device, tenant, chatId } = await makeWorld();
    const second = await makeTenant(app, [ann]);
    const other = await makeConversation(app, second);
    await settle(device);
    const sent = await cross(app, second, other, { direction: 'OUT', text: 'second' });
    await cross(app, tenant, chatId, { text: 'first' });
    await settle(device);
    await tell(app, sent, 'delivered');
    await expectFound(device, second, 'DELIVERED');
    await expectRebuilt(device, ann.http);
  });
});

async function expectFound(device: SyncStore, tenant: BareTenant, status: string): Promise<void> {
  const pages = await device.sync();
  const chat = pages.flatMap(({ chats }) => chats).find(({ whatsapp }) => whatsapp?.tenantId === tenant.id);
  expect(chat?.lastMessage?.status).toBe(status);
}

describe('pages', () => {
  it.each([1, 2, 3, 5, 13])('of %i lead to the same, first and later', async (limit) => {
    const { ann, ben, tenant, chatId, chatIds, sent, device: whole } = await makeWorld();
    const device = new SyncStore(ann.http);
    await device.sync(limit);
    await expectRebuilt(device, ann.http);

    const messages = [sent];
    for (let i = 0; i < 4; i++) {
      messages.push(await cross(app, tenant, chatIds[i % 3]!, { direction: 'OUT', text: `more ${i}` }));
    }
    await settle(device);
    for (const message of messages) await tell(app, message, 'read');
    await cross(app, tenant, chatId, { text: 'last' });
    await ok(ann.http.put(`/api/chats/messages/${sent.id}/star`));
    await setAgent(app, tenant, ben, false);
    const pages = await device.sync(limit);
    expect(Math.max(...pages.map((page) => page.chats.length + page.messages.length))).toBeLessThanOrEqual(
      Math.max(limit, 2),
    );
    await whole.sync();
    await expectRebuilt(device, ann.http);
    await expectRebuilt(whole, ann.http);
  });

  it('of an agent who leaves name every conversation once', async () => {
    const { ann, tenant, chatIds, device } = await makeWorld();
    await setAgent(app, tenant, ann, false);
    const pages = await device.sync(2);
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flatMap(({ removed }) => removed.chats).sort()).toEqual([...chatIds].sort());
    await expectRebuilt(device, ann.http);
  });

  it('go on with old statuses after looking at many of new messages', async () => {
    const { ann, tenant, chatId, sent, device } = await makeWorld();
    await app.sql(
      `WITH added AS (
          INSERT INTO message (chat_id, seq, client_key, type, channel, text, mentions, created_at)
          SELECT $1, n, 'k' || n, 'TEXT', 'WHATSAPP', 'bulk', '{}', now() FROM generate_series(3, 12002) n),
        counted AS (UPDATE chat SET last_seq = 12002, changed_tx = pg_current_xact_id() WHERE id = $1)
        INSERT INTO whatsapp_message (chat_id, seq, tenant_id, direction, phone_number_id, status, payload)
        SELECT $1, n, $2, 'IN', 'x', 'SENT', '{}' FROM generate_series(3, 12002) n`,
      [chatId, tenant.id],
    );
    await tell(app, sent, 'read');
    await device.sync(2_000);
    expect(device.messages.get(sent.id)?.status).toBe('READ');
    expect(device.messagesOf(chatId)).toHaveLength(12_002);
    await ok(ann.http.get('/api/notifications/count'));
  });

  it('go through a tenant of which more has changed than is sorted at once', async () => {
    const { ann, tenant, device } = await makeWorld();
    await app.sql(
      `WITH u AS (INSERT INTO customer (id, tenant_id, name, created_at, updated_at)
          VALUES (gen_random_uuid(), $1, 'Bulk', now(), now()) RETURNING id),
        c AS (INSERT INTO chat (id, type, created_at, updated_at)
          SELECT gen_random_uuid(), 'WHATSAPP', now(), now() FROM generate_series(1, 6000) RETURNING id)
        INSERT INTO conversation (chat_id, tenant_id, customer_id, active_at) SELECT c.id, $1, u.id, now() FROM c, u`,
      [tenant.id],
    );
    await device.sync(2_000);
    expect(device.chats.size).toBe(6_003);
    const first = new SyncStore(ann.http);
    await first.sync(2_000);
    expect(first.chats.size).toBe(6_003);
  });
});
