import { FakeGraph } from '../fakes/graph.js';
import type { GraphNumber, GraphTemplate } from '../fakes/graph-platform.js';
import { envelope } from '../fakes/graph-webhooks.js';
import { startApp, type TestApp } from '../support/app.js';
import { inbound } from './support/bodies.js';
import { APP_SECRET, registerTenant, takeIn, type TestTenant } from './support/channel.js';

const CUSTOMER = '+14155550123';
let graph: FakeGraph;
let app: TestApp;
let number: GraphNumber;
let tenant: TestTenant;
let names = 0;

beforeAll(async () => {
  graph = await FakeGraph.start();
  app = await startApp({ env: { APP_SECRET, WHATSAPP_API_BASE: graph.url } });
});

afterAll(async () => {
  await app.close();
  await graph.close();
});

beforeEach(async () => {
  number = graph.addNumber();
  tenant = await registerTenant(app, number);
});

function path(rest: string): string {
  return `/api/tenants/${tenant.id}/${rest}`;
}

const ORDER = [
  { type: 'header', text: 'Order {{order}}' },
  { type: 'body', text: 'Hello {{name}}, {{order}} is ready, {{name}}.' },
  {
    type: 'buttons',
    buttons: [
      { id: 'ok:{{order}}', text: 'Thanks' },
      { type: 'url', text: 'Track', url: 'https://a.example/track/{{order}}?by={{name}}' },
      { type: 'phone_number', text: 'Call', phone_number: '+15550001' },
      { type: 'copy_code', code: '{{code}}' },
    ],
  },
];
const VARIABLES = { name: 'Ann', order: 77, code: 'SAVE' };

/** A template of Meta's own name. */
async function make(fields: object = {}): Promise<{ key: string; name: string }> {
  const name = `order_${++names}`;
  const answer = await tenant.http.post(path('templates'), {
    key: name,
    language: 'en_US',
    components: ORDER,
    metaTemplateName: name,
    ...fields,
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return { key: name, name };
}

function send(body: object) {
  return tenant.http.post(path('send/template'), { to: CUSTOMER, variables: VARIABLES, ...body });
}

async function approvalOf(key: string) {
  return (await tenant.http.get(path(`templates/${key}`))).data.approval;
}

function tell(field: string, value: object, wabaId = tenant.wabaId): Promise<void> {
  return takeIn(app, envelope(wabaId, field, value));
}

describe('sending a template', () => {
  it('goes out as Meta’s own, to somebody who has never written', async () => {
    const { key, name } = await make();
    const before = graph.accepted.length;
    const answer = await send({ templateKey: key, idempotency_key: 'k1' });
    expect(answer).toMatchObject({ status: 202, data: { status: 'queued', idempotency_key: 'k1' } });
    const sent = (await graph.awaitAccepted(before + 1)).slice(before);
    expect(sent.map(({ body }) => body)).toMatchObject([
      {
        to: CUSTOMER,
        type: 'template',
        biz_opaque_callback_data: answer.data.messageId,
        template: {
          name,
          language: { code: 'en_US' },
          components: [
            { type: 'header', parameters: [{ type: 'text', text: '77' }] },
            {
              type: 'body',
              parameters: [
                { type: 'text', text: 'Ann' },
                { type: 'text', text: '77' },
              ],
            },
            {
              type: 'button',
              sub_type: 'quick_reply',
              index: '0',
              parameters: [{ type: 'payload', payload: 'ok:77' }],
            },
            {
              type: 'button',
              sub_type: 'url',
              index: '1',
              parameters: [{ type: 'text', text: '77?by=Ann' }],
            },
            {
              type: 'button',
              sub_type: 'copy_code',
              index: '3',
              parameters: [{ type: 'coupon_code', coupon_code: 'SAVE' }],
            },
          ],
        },
      },
    ]);
    const shown = (
      await app.sql('SELECT text, type FROM message WHERE chat_id = $1', [answer.data.chatId])
    )[0];
    expect(shown).toEqual({ type: 'INTERACTIVE', text: 'Order 77\n\nHello Ann, 77 is ready, Ann.' });
    expect(graph.violations).toEqual([]);
  });

  it('names the parameters where Meta’s template has names, and orders positions by number', async () => {
    const body = { type: 'body', text: 'Hello {{name}}, {{order}}' };
    const named = await make({ components: [body], parameterFormat: 'named', metaLanguage: 'en_GB' });
    expect(
      (await tenant.http.post(path(`templates/${named.key}/preview`), { variables: VARIABLES })).data.request,
    ).toEqual({
      type: 'template',
      template: {
        name: named.name,
        language: { code: 'en_GB' },
        components: [
          {
            type: 'body',
            parameters: [
              { type: 'text', parameter_name: 'name', text: 'Ann' },
              { type: 'text', parameter_name: 'order', text: '77' },
            ],
          },
        ],
      },
    });
    const { key } = await make({
      components: [{ type: 'body', text: '{{2}} {{10}} {{1}}' }],
      metadata: { metaTemplateName: 'x' },
    });
    const variables = { 1: 'one', 2: 'two', 10: 'ten' };
    const { request } = (await tenant.http.post(path(`templates/${key}/preview`), { variables })).data;
    expect(request.template.components[0].parameters.map(({ text }: { text: string }) => text)).toEqual([
      'one',
      'two',
      'ten',
    ]);
  });

  it('sends a picture above it by its address or Meta’s id', async () => {
    const header = { type: 'header', format: 'IMAGE', link: 'https://a.example/{{file}}' };
    const { key } = await make({ components: [header, { type: 'body', text: 'Hi' }] });
    const { request } = (
      await tenant.http.post(path(`templates/${key}/preview`), { variables: { file: 'a.png' } })
    ).data;
    expect(request.template.components).toEqual([
      { type: 'header', parameters: [{ type: 'image', image: { link: 'https://a.example/a.png' } }] },
    ]);
  });

  it('names each missing variable, and one that Meta would not take', async () => {
    const { key } = await make();
    const before = await app.sql('SELECT count(*)::int AS count FROM message');
    expect(await send({ templateKey: key, variables: { name: ' ', order: 1 } })).toMatchObject({
      status: 400,
      code: 'VALIDATION_FAILED',
      body: { details: [{ field: 'variables.name' }, { field: 'variables.code' }] },
    });
    expect(await send({ templateKey: 'nothing' })).toMatchObject({ status: 404, code: 'TEMPLATE_NOT_FOUND' });
    expect(await send({ templateKey: key, to: 'Ann' })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'to' }] },
    });
    expect(await send({ templateKey: key, text: 'x' })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'text' }] },
    });
    expect(await app.sql('SELECT count(*)::int AS count FROM message')).toEqual(before);
  });

  it('is accepted once under a key, however often and at once, and a refusal leaves the key free', async () => {
    const { key } = await make();
    expect((await send({ templateKey: key, variables: {}, idempotency_key: 'k' })).status).toBe(400);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => send({ templateKey: key, idempotency_key: 'k' })),
    );
    const [first] = answers.filter(({ status }) => status === 202);
    const others = answers.filter((answer) => answer !== first);
    for (const other of others) {
      expect(other).toMatchObject({
        status: 409,
        code: 'IDEMPOTENCY_CONFLICT',
        body: {
          message: 'Request with the given idempotency_key already processed',
          details: [{ field: 'messageId', message: first?.data.messageId }],
        },
      });
    }
    const rows = await app.sql(
      'SELECT count(*)::int AS count FROM whatsapp_message WHERE idempotency_key = $1',
      ['k'],
    );
    expect(rows[0]).toEqual({ count: 1 });
  });

  it('is a text or has buttons without Meta’s name, and then needs an open window', async () => {
    await tenant.http.post(path('templates'), {
      key: 'plain',
      components: [{ type: 'body', text: 'Hi {{name}}' }],
    });
    const closed = await send({ templateKey: 'plain' });
    expect(closed).toMatchObject({ status: 422, code: 'WINDOW_CLOSED' });
    await takeIn(
      app,
      inbound(tenant, CUSTOMER.slice(1), { timestamp: String(Math.floor(app.clock.nowMs() / 1000)) }),
    );
    const answer = await send({ templateKey: 'plain' });
    expect(answer.status).toBe(202);
    const [row] = await app.sql<{ payload: object }>(
      `SELECT w.payload FROM whatsapp_message w WHERE w.chat_id = $1 AND w.direction = 'OUT'`,
      [answer.data.chatId],
    );
    expect(JSON.stringify(row?.payload)).toContain('Hi Ann');
  });
});

describe('what Meta thinks of a template', () => {
  const status = (name: string, event: string, more: object = {}) => ({
    event,
    message_template_id: 1689556908129832,
    message_template_name: name,
    message_template_language: 'en_US',
    reason: 'NONE',
    ...more,
  });

  it('comes by webhooks, each word in its time', async () => {
    const { key, name } = await make();
    expect(await approvalOf(key)).toBeNull();
    await tell('message_template_status_update', status(name, 'PENDING'));
    expect(await approvalOf(key)).toMatchObject({ status: 'PENDING', reason: null, id: '1689556908129832' });
    expect(await send({ templateKey: key })).toMatchObject({
      status: 422,
      code: 'TEMPLATE_NOT_APPROVED',
      body: { details: [{ field: 'templateKey', message: 'is PENDING at Meta' }] },
    });
    await tell(
      'message_template_status_update',
      status(name, 'APPROVED', { message_template_category: 'UTILITY' }),
    );
    await tell('message_template_quality_update', { ...status(name, ''), new_quality_score: 'YELLOW' });
    expect(await approvalOf(key)).toMatchObject({
      status: 'APPROVED',
      category: 'UTILITY',
      quality: 'YELLOW',
    });
    expect((await send({ templateKey: key })).status).toBe(202);
    await tell('template_category_update', { ...status(name, ''), new_category: 'MARKETING' });
    await tell('message_template_status_update', status(name, 'REJECTED', { reason: 'INVALID_FORMAT' }));
    expect(await approvalOf(key)).toMatchObject({
      status: 'REJECTED',
      reason: 'INVALID_FORMAT',
      category: 'MARKETING',
    });
    const old = envelope(tenant.wabaId, 'message_template_status_update', status(name, 'APPROVED'));
    (old.entry as { time?: number }[])[0]!.time = Math.floor(app.clock.nowMs() / 1000) - 60;
    await takeIn(app, old);
    expect((await approvalOf(key)).status).toBe('REJECTED');
  });

  it('concerns the tenants of that business account alone', async () => {
    const { key, name } = await make();
    const sibling = await registerTenant(app, { wabaId: tenant.wabaId });
    const stranger = await registerTenant(app);
    for (const { id, http } of [sibling, stranger]) {
      await http.post(`/api/tenants/${id}/templates`, {
        key,
        language: 'en_US',
        components: ORDER,
        metaTemplateName: name,
      });
    }
    await tell('message_template_status_update', status(name, 'PAUSED'));
    expect((await approvalOf(key)).status).toBe('PAUSED');
    expect((await sibling.http.get(`/api/tenants/${sibling.id}/templates/${key}`)).data.approval.status).toBe(
      'PAUSED',
    );
    expect(
      (await stranger.http.get(`/api/tenants/${stranger.id}/templates/${key}`)).data.approval,
    ).toBeNull();
  });

  it('is asked for page by page', async () => {
    const { key, name } = await make();
    const gone = await make();
    await tell('message_template_status_update', status(gone.name, 'APPROVED'));
    const list: GraphTemplate[] = Array.from({ length: 230 }, (_none, index) => ({
      id: String(index),
      name: `other_${index}`,
      language: 'en_US',
      status: 'APPROVED',
      category: 'UTILITY',
    }));
    const rejected = {
      id: '9',
      name,
      language: 'en_US',
      status: 'REJECTED',
      category: 'MARKETING',
      rejected_reason: 'SCAM',
    };
    graph.templates.set(tenant.wabaId, [
      ...list,
      { ...rejected, parameter_format: 'NAMED' } as GraphTemplate,
    ]);
    app.clock.advance(1_000);
    expect(await tenant.http.post(path('templates/sync'))).toMatchObject({
      status: 200,
      data: { seen: 231, changed: 231, gone: 1 },
    });
    expect(await approvalOf(key)).toMatchObject({
      status: 'REJECTED',
      reason: 'SCAM',
      category: 'MARKETING',
      id: '9',
    });
    expect((await approvalOf(gone.key)).status).toBe('DELETED');
    expect((await tenant.http.post(path('templates/sync'))).data).toEqual({ seen: 231, changed: 0, gone: 0 });
    graph.templates.set(tenant.wabaId, [
      { ...rejected, status: 'APPROVED', parameter_format: 'NAMED' } as GraphTemplate,
    ]);
    await tenant.http.post(path('templates/sync'));
    const { request } = (await tenant.http.post(path(`templates/${key}/preview`), { variables: VARIABLES }))
      .data;
    expect(request.template.components[1].parameters[0]).toMatchObject({ parameter_name: 'name' });
  });

  it('is not asked for in vain', async () => {
    graph.plan('templates', { code: 10, httpStatus: 403 });
    expect(await tenant.http.post(path('templates/sync'))).toMatchObject({
      status: 422,
      code: 'META_REFUSED',
    });
    graph.plan('templates', 'error');
    expect(await tenant.http.post(path('templates/sync'))).toMatchObject({ status: 503, code: 'NOT_READY' });
    graph.plan('templates', 'cut');
    expect(await tenant.http.post(path('templates/sync'))).toMatchObject({ status: 503, code: 'NOT_READY' });
    const mock = await registerTenant(app);
    expect(await mock.http.post(`/api/tenants/${mock.id}/templates/sync`)).toMatchObject({
      status: 422,
      code: 'UNPROCESSABLE',
    });
  });
});
