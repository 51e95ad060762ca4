import { randomUUID } from 'node:crypto';
import type { Answer } from '../support/http.js';
import { PNG } from '../support/pictures.js';
import { eventually } from '../support/eventually.js';
import { operator, registerTenant } from './support/channel.js';
import {
  awaitSettled,
  awaitStored,
  connectTenant,
  makeCustomer,
  newNumber,
  send,
  useStage,
  writes,
  type ConnectedTenant,
} from './support/sending.js';

const stage = useStage();
let tenant: ConnectedTenant;
let waId: string;

beforeEach(async () => {
  tenant = await connectTenant(stage);
  waId = await makeCustomer(stage.app, tenant);
});

afterEach(() => {
  expect(stage.graph.violations).toEqual([]);
});

function attempt(body: object): Promise<Answer> {
  return tenant.http.post(`/api/tenants/${tenant.id}/send`, { to: `+${waId}`, ...body });
}

/** What Meta was sent for it, without what every body has. */
async function bodyOf(more: object): Promise<unknown> {
  const { messageId } = await send(tenant, waId, more);
  await awaitSettled(stage.app, messageId);
  const accepted = stage.graph.accepted.find(({ body }) => body.biz_opaque_callback_data === messageId);
  if (!accepted) throw new Error('it was not sent');
  const {
    messaging_product: product,
    recipient_type: recipient,
    biz_opaque_callback_data: _id,
    ...body
  } = accepted.body;
  expect([product, recipient]).toEqual(['whatsapp', 'individual']);
  return body;
}

async function fieldsRefused(body: object): Promise<string[]> {
  const answer = await attempt(body);
  expect([answer.status, answer.code]).toEqual([400, 'VALIDATION_FAILED']);
  return (answer.body.details as { field: string }[]).map(({ field }) => field);
}

const BUTTONS = {
  type: 'button',
  header: { type: 'text', text: 'Head' },
  body: { text: 'Choose' },
  footer: { text: 'Foot' },
  action: { buttons: [{ type: 'reply', reply: { id: 'a', title: 'A' } }] },
};
const row = (id: string): object => ({ id, title: `Row ${id}`, description: 'about it' });
const LIST = {
  type: 'list',
  body: { text: 'Choose' },
  action: {
    button: 'Open',
    sections: [
      { title: 'One', rows: [row('1')] },
      { title: 'Two', rows: [row('2')] },
    ],
  },
};
const CONTACT = {
  name: { formatted_name: 'Ann Example', first_name: 'Ann' },
  phones: [{ phone: '+1 650 555 0100', type: 'CELL', wa_id: '16505550100' }],
  emails: [{ email: 'ann@example.com' }],
  urls: [{ url: 'https://example.com' }],
  addresses: [{ city: 'Berlin' }],
  org: { company: 'Example' },
  birthday: '2000-01-31',
};

describe('each type', () => {
  it('text', async () => {
    expect(await bodyOf({ text: 'hello', previewUrl: true })).toEqual({
      to: `+${waId}`,
      type: 'text',
      text: { body: 'hello', preview_url: true },
    });
  });

  it('location', async () => {
    const location = { latitude: 52.5, longitude: 13.4, name: 'Office', address: 'Main street 1' };
    expect(await bodyOf({ type: 'location', location })).toEqual({
      to: `+${waId}`,
      type: 'location',
      location,
    });
  });

  it('contacts', async () => {
    expect(await bodyOf({ type: 'contacts', contacts: [CONTACT] })).toEqual({
      to: `+${waId}`,
      type: 'contacts',
      contacts: [CONTACT],
    });
  });

  it.each([
    ['buttons', BUTTONS],
    ['list', LIST],
  ])('interactive: %s', async (_name, interactive) => {
    expect(await bodyOf({ type: 'interactive', interactive })).toEqual({
      to: `+${waId}`,
      type: 'interactive',
      interactive,
    });
  });

  it('a reply names what it answers by its wamid', async () => {
    const { app, graph } = stage;
    const first = await send(tenant, waId, { text: 'first' });
    const { wamid } = await awaitSettled(app, first.messageId);
    expect(await bodyOf({ text: 'second', replyToId: first.messageId })).toEqual({
      to: `+${waId}`,
      type: 'text',
      text: { body: 'second' },
      context: { message_id: wamid },
    });
    expect(graph.sentTo(waId)).toHaveLength(2);
  });

  it('a file by upload goes to Meta first, and again by its id here', async () => {
    const { app, graph } = stage;
    const answer = await tenant.http.multipart(
      'POST',
      `/api/tenants/${tenant.id}/send`,
      { to: `+${waId}`, type: 'image', caption: 'look', idempotency_key: 'picture 1' },
      [{ name: 'media', fileName: 'dot.png', content: PNG, type: 'image/png' }],
    );
    expect(answer.status).toBe(202);
    const { messageId } = answer.data as { messageId: string };
    expect(await awaitSettled(app, messageId)).toMatchObject({ status: 'SENT', attempts: 1 });
    const [accepted] = graph.sentTo(waId);
    const { id } = accepted?.body.image as { id: string };
    expect(accepted?.body).toMatchObject({ type: 'image', image: { id, caption: 'look' } });
    expect(graph.media.get(id)).toMatchObject({ mimeType: 'image/png', uploaded: true });

    const [stored] = await app.sql<{ media_id: string }>(
      'SELECT media_id FROM message WHERE chat_id = $1 AND seq = $2',
      messageId.split('.'),
    );
    const asDocument = {
      type: 'document',
      mediaId: stored?.media_id,
      caption: 'again',
      fileName: 'dot of ours.png',
    };
    expect(await bodyOf(asDocument)).toMatchObject({
      document: { caption: 'again', filename: 'dot of ours.png' },
    });
    const repeated = await tenant.http.multipart(
      'POST',
      `/api/tenants/${tenant.id}/send`,
      { to: `+${waId}`, type: 'image', idempotency_key: 'picture 1' },
      [{ name: 'media', fileName: 'dot.png', content: PNG, type: 'image/png' }],
    );
    expect([repeated.status, repeated.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
  });

  it('a file that lies with Meta goes by its id there', async () => {
    const { graph } = stage;
    const id = graph.putMedia(PNG, 'image/png');
    const stored = graph.media.get(id);
    if (stored) stored.uploaded = true;
    expect(await bodyOf({ type: 'image', mediaId: id, caption: 'there' })).toEqual({
      to: `+${waId}`,
      type: 'image',
      image: { id, caption: 'there' },
    });
  });

  it('an upload that fails is tried again, and nothing is sent twice', async () => {
    const { app, graph, clock } = stage;
    graph.plan('upload', 'late-cut', { code: 131053 });
    const answer = await tenant.http.multipart(
      'POST',
      `/api/tenants/${tenant.id}/send`,
      { to: `+${waId}`, type: 'image' },
      [{ name: 'media', fileName: 'dot.png', content: PNG, type: 'image/png' }],
    );
    const { messageId } = answer.data as { messageId: string };
    for (const [attempts, waitMs] of [
      [1, 2_000],
      [2, 8_000],
    ] as const) {
      await awaitStored(
        app,
        messageId,
        (stored) =>
          stored.attempts === attempts && stored.next_attempt_at?.getTime() === clock.nowMs() + waitMs,
      );
      clock.advance(waitMs);
    }
    expect(await awaitSettled(app, messageId)).toMatchObject({ status: 'SENT', attempts: 3 });
    expect(graph.sentTo(waId)).toHaveLength(1);
  });

  it('a reaction goes to the message it names, and is shown there; an empty one takes it back', async () => {
    const { app, graph } = stage;
    const wamid = await writes(app, tenant, waId);
    const [message] = await app.sql<{ id: string; chat_id: string; seq: number }>(
      "SELECT chat_id || '.' || seq AS id, chat_id, seq FROM whatsapp_message WHERE wamid = $1",
      [wamid],
    );
    const reactionTo = (emoji: string, more: object = {}): Promise<Answer> =>
      attempt({ type: 'reaction', reaction: { messageId: message?.id, emoji }, ...more });
    const reacted = await reactionTo('👍', { idempotency_key: 'thumb' });
    expect([reacted.status, reacted.data]).toMatchObject([202, { messageId: message?.id, status: 'queued' }]);
    const sentReactions = (): Promise<unknown[]> =>
      eventually(
        async () => {
          await app.sql('SELECT 1');
          return graph.sentTo(waId).map(({ body }) => body.reaction as unknown);
        },
        (all) => all.length > 0,
      );
    expect(await sentReactions()).toEqual([{ message_id: wamid, emoji: '👍' }]);
    expect(await reactionTo('👎', { idempotency_key: 'thumb' })).toMatchObject({
      status: 409,
      code: 'IDEMPOTENCY_CONFLICT',
    });
    const shown = (): Promise<{ emoji: string }[]> =>
      app.sql<{ emoji: string }>('SELECT emoji FROM reaction WHERE chat_id = $1 AND seq = $2', [
        message?.chat_id,
        message?.seq,
      ]);
    expect(await shown()).toEqual([{ emoji: '👍' }]);
    expect((await reactionTo('')).status).toBe(202);
    expect(await shown()).toEqual([]);
    await eventually(
      async () => {
        await app.sql('SELECT 1');
        return graph.sentTo(waId).length;
      },
      (count) => count === 2,
    );
    expect(graph.sentTo(waId)[1]?.body.reaction).toEqual({ message_id: wamid, emoji: '' });
    expect((await reactionTo('no emoji')).status).toBe(400);
    expect(
      await attempt({ type: 'reaction', reaction: { messageId: `${randomUUID()}.1`, emoji: '👍' } }),
    ).toMatchObject({ status: 404, code: 'MESSAGE_NOT_FOUND' });
  });

  it('a reaction that Meta refuses is taken back', async () => {
    const { app, graph } = stage;
    const wamid = await writes(app, tenant, waId);
    const [message] = await app.sql<{ id: string }>(
      "SELECT chat_id || '.' || seq AS id FROM whatsapp_message WHERE wamid = $1",
      [wamid],
    );
    graph.planFor(waId, { code: 131009 });
    expect(
      (await attempt({ type: 'reaction', reaction: { messageId: message?.id, emoji: '👍' } })).status,
    ).toBe(202);
    await eventually(
      () =>
        app.sql<{ error: { code: string } | null }>(
          'SELECT error FROM outgoing_reaction WHERE tenant_id = $1',
          [tenant.id],
        ),
      (rows) => rows[0]?.error?.code === '131009',
    );
    await eventually(
      () => app.sql('SELECT 1 FROM reaction WHERE chat_id::text = $1', [message?.id.split('.')[0]]),
      (rows) => rows.length === 0,
    );
  });
});

describe('whom it goes to', () => {
  it('is a number, a business-scoped id or a customer here', async () => {
    const { app, graph } = stage;
    const [customer] = await app.sql<{ id: string }>('SELECT id FROM customer WHERE tenant_id = $1', [
      tenant.id,
    ]);
    for (const to of [`+${waId}`, waId, customer?.id])
      expect((await attempt({ to, text: `to ${to}` })).status).toBe(202);
    await eventually(
      async () => {
        await app.sql('SELECT 1');
        return graph.sentTo(waId).length;
      },
      (count) => count === 3,
    );
    const open = await connectTenant(stage, { enforceWindow: false });
    const scoped = await open.http.post(`/api/tenants/${open.id}/send`, {
      to: 'US.13491208655302741918',
      text: 'hello',
    });
    expect(scoped.status).toBe(202);
    await awaitSettled(app, scoped.data.messageId as string);
    expect(graph.sentTo('US.13491208655302741918')[0]?.body).toMatchObject({
      recipient: 'US.13491208655302741918',
    });
    expect(graph.sentTo('US.13491208655302741918')[0]?.body).not.toHaveProperty('to');
    expect(await attempt({ to: randomUUID(), text: 'hello' })).toMatchObject({
      status: 404,
      code: 'CUSTOMER_NOT_FOUND',
    });
  });

  it.each(['', 'abc', '+', '12', '0170 1234567', '+0170123456', '+4915112345678901234', 'us.123'])(
    'and not "%s"',
    async (to) => {
      expect(await fieldsRefused({ to, text: 'hello' })).toEqual(['to']);
    },
  );
});

describe('the limits', () => {
  const title = (length: number): object => ({
    ...BUTTONS,
    action: { buttons: [{ type: 'reply', reply: { id: 'a', title: 'x'.repeat(length) } }] },
  });
  const buttons = (count: number): object => ({
    ...BUTTONS,
    action: {
      buttons: Array.from({ length: count }, (_, index) => ({
        type: 'reply',
        reply: { id: `${index}`, title: `T ${index}` },
      })),
    },
  });
  const rows = (count: number): object => ({
    ...LIST,
    action: {
      button: 'Open',
      sections: [{ title: 'One', rows: Array.from({ length: count }, (_, index) => row(`${index}`)) }],
    },
  });
  const interactive = (value: object): object => ({ type: 'interactive', interactive: value });
  const list = (action: object): object => interactive({ ...LIST, action });

  it.each<[string, object]>([
    ['a text of 4096', { text: '😀'.repeat(4096) }],
    ['a body of 1024', interactive({ ...BUTTONS, body: { text: 'x'.repeat(1024) } })],
    ['3 buttons', interactive(buttons(3))],
    ['a title of 20', interactive(title(20))],
    ['10 rows', interactive(rows(10))],
  ])('let through %s', async (_name, body) => {
    expect((await attempt(body)).status).toBe(202);
  });

  it.each<[string, object, string]>([
    ['no content', {}, 'text'],
    ['a text of 4097', { text: 'x'.repeat(4097) }, 'text'],
    ['white space', { text: '  ' }, 'text'],
    ['a text with a location', { text: 'x', location: { latitude: 1, longitude: 1 } }, 'location'],
    ['an unknown type', { type: 'poll' }, 'type'],
    ['a caption of 1025', { type: 'image', mediaId: '1', caption: 'x'.repeat(1025) }, 'caption'],
    ['a caption of a sound', { type: 'audio', mediaId: '1', caption: 'x' }, 'caption'],
    ['an image of nothing', { type: 'image' }, 'mediaId'],
    ['a latitude of 91', { type: 'location', location: { latitude: 91, longitude: 1 } }, 'location.latitude'],
    ['no longitude', { type: 'location', location: { latitude: 1 } }, 'location.longitude'],
    ['no contacts', { type: 'contacts', contacts: [] }, 'contacts'],
    ['a list for a contact', { type: 'contacts', contacts: [[]] }, 'contacts'],
    ['a contact without a name', { type: 'contacts', contacts: [{ phones: [] }] }, 'contacts.0.name'],
    [
      'a body of 1025',
      interactive({ ...BUTTONS, body: { text: 'x'.repeat(1025) } }),
      'interactive.body.text',
    ],
    [
      'a header of 61',
      interactive({ ...BUTTONS, header: { type: 'text', text: 'x'.repeat(61) } }),
      'interactive.header.text',
    ],
    [
      'a footer of 61',
      interactive({ ...BUTTONS, footer: { text: 'x'.repeat(61) } }),
      'interactive.footer.text',
    ],
    ['4 buttons', interactive(buttons(4)), 'interactive.action.buttons'],
    ['no button', interactive({ ...BUTTONS, action: {} }), 'interactive.action.buttons'],
    ['a title of 21', interactive(title(21)), 'interactive.action.buttons.0.reply.title'],
    [
      'an id of 257',
      interactive({
        ...BUTTONS,
        action: { buttons: [{ type: 'reply', reply: { id: 'x'.repeat(257), title: 'A' } }] },
      }),
      'interactive.action.buttons.0.reply.id',
    ],
    ['11 rows in one section', interactive(rows(11)), 'interactive.action.sections.0.rows'],
    [
      '11 rows in all',
      list({
        button: 'Open',
        sections: [
          { title: 'A', rows: Array.from({ length: 6 }, (_, index) => row(`a${index}`)) },
          { title: 'B', rows: Array.from({ length: 5 }, (_, index) => row(`b${index}`)) },
        ],
      }),
      'interactive.action.sections',
    ],
    [
      '11 sections',
      list({
        button: 'Open',
        sections: Array.from({ length: 11 }, (_, index) => ({ title: `${index}`, rows: [row(`${index}`)] })),
      }),
      'interactive.action.sections',
    ],
    [
      'a row id of 201',
      list({ button: 'Open', sections: [{ rows: [{ id: 'x'.repeat(201), title: 'A' }] }] }),
      'interactive.action.sections.0.rows.0.id',
    ],
    [
      'a row title of 25',
      list({ button: 'Open', sections: [{ rows: [{ id: 'x', title: 'x'.repeat(25) }] }] }),
      'interactive.action.sections.0.rows.0.title',
    ],
    [
      'a description of 73',
      list({ button: 'Open', sections: [{ rows: [{ id: 'x', title: 'x', description: 'x'.repeat(73) }] }] }),
      'interactive.action.sections.0.rows.0.description',
    ],
    [
      'a list button of 21',
      list({ button: 'x'.repeat(21), sections: [{ rows: [row('1')] }] }),
      'interactive.action.button',
    ],
    [
      'sections without titles',
      list({ button: 'Open', sections: [{ rows: [row('1')] }, { rows: [row('2')] }] }),
      'interactive.action.sections',
    ],
    [
      'two rows of one id',
      list({ button: 'Open', sections: [{ rows: [row('1'), row('1')] }] }),
      'interactive.action.sections',
    ],
    ['a field of its own', { text: 'x', colour: 'red' }, 'colour'],
  ])('refuse %s', async (_name, body, field) => {
    expect(await fieldsRefused(body)).toContain(field);
  });
});

describe('the idempotency key', () => {
  it('is used by the first send alone, however many come at once', async () => {
    const { app, graph } = stage;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => attempt({ text: `text ${index}`, idempotency_key: 'once' })),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    expect(accepted).toHaveLength(1);
    const { messageId } = accepted[0]?.data as { messageId: string };
    for (const answer of answers.filter(({ status }) => status !== 202)) {
      expect([answer.status, answer.body]).toMatchObject([
        409,
        {
          code: 'IDEMPOTENCY_CONFLICT',
          message: 'Request with the given idempotency_key already processed',
          details: [{ field: 'messageId', message: messageId }],
        },
      ]);
    }
    await awaitSettled(app, messageId);
    expect(graph.sentTo(waId)).toHaveLength(1);
  });

  it('is not used up by a send that was refused, and is each tenant’s own', async () => {
    const unknown = newNumber();
    const refused = await attempt({ to: `+${unknown}`, text: 'x', idempotency_key: 'k' });
    expect(refused.status).toBe(422);
    expect((await attempt({ text: 'x', idempotency_key: 'k' })).data).toMatchObject({ idempotency_key: 'k' });
    const other = await connectTenant(stage);
    const theirs = await makeCustomer(stage.app, other);
    expect((await send(other, theirs, { text: 'x', idempotency_key: 'k' })).messageId).toBeTruthy();
  });

  it('is answered as before when the window has closed since', async () => {
    const first = await attempt({ text: 'x', idempotency_key: 'early' });
    await awaitSettled(stage.app, first.data.messageId as string);
    stage.clock.advance(25 * 3_600_000);
    const again = await attempt({ text: 'x', idempotency_key: 'early' });
    expect([again.status, again.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
  });
});

describe('a mock tenant', () => {
  it('calls nobody, has no window unless told, and goes through sent, delivered and read', async () => {
    const { app, graph } = stage;
    const mock = await registerTenant(app);
    const before = graph.log.length;
    const { messageId } = await send(mock, newNumber());
    const read = await awaitStored(app, messageId, ({ status }) => status === 'READ');
    expect(read.wamid).toMatch(/^wamid\.mock\./);
    const [times] = await app.sql(
      'SELECT status_sent_at, delivered_at, read_at FROM whatsapp_message WHERE wamid = $1',
      [read.wamid],
    );
    expect(Object.values(times ?? {})).not.toContain(null);
    expect(graph.log).toHaveLength(before);
    const strict = await registerTenant(app, { enforceWindow: true });
    const refused = await strict.http.post(`/api/tenants/${strict.id}/send`, {
      to: `+${newNumber()}`,
      text: 'x',
    });
    expect(refused.code).toBe('WINDOW_CLOSED');
  });
});

describe('the routes', () => {
  it('are the operator’s and the tenant’s own, and have their alias', async () => {
    const { app } = stage;
    const body = { to: `+${waId}`, text: 'hello' };
    expect((await operator(app).post(`/api/tenants/${tenant.id}/send`, body)).status).toBe(202);
    expect((await tenant.http.post(`/tenants/${tenant.id}/send`, body, { undocumented: true })).status).toBe(
      202,
    );
    const other = await connectTenant(stage);
    expect((await other.http.post(`/api/tenants/${tenant.id}/send`, body)).status).toBe(404);
    expect((await app.http().post(`/api/tenants/${tenant.id}/send`, body)).status).toBe(401);
    expect((await other.http.get(`/api/tenants/${tenant.id}/messages/failed`)).status).toBe(404);
    const person = await app.registerUser();
    expect((await person.http.post(`/api/tenants/${tenant.id}/send`, body)).status).toBe(401);
  });

  it('retry nothing of another tenant', async () => {
    const { app, graph } = stage;
    graph.planFor(waId, { code: 131026 });
    const { messageId } = await send(tenant, waId);
    await awaitSettled(app, messageId);
    const other = await connectTenant(stage);
    const retried = await other.http.post(`/api/tenants/${other.id}/messages/${messageId}/retry`);
    expect([retried.status, retried.code]).toEqual([404, 'MESSAGE_NOT_FOUND']);
    const malformed = await other.http.post(`/api/tenants/${other.id}/messages/nonsense/retry`);
    expect(malformed.status).toBe(404);
  });
});
