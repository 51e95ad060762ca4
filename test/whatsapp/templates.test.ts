import { useApp } from '../support/app.js';
import type { TestHttp } from '../support/http.js';
import { registerTenant, type TestTenant } from './support/channel.js';

const app = useApp();
const BODY = { type: 'body', text: 'Hello {{name}}, your order {{order}} is ready.' };
let tenant: TestTenant;
let keys = 0;

beforeAll(async () => {
  tenant = await registerTenant(app);
});

function path(key = '', of: TestTenant = tenant): string {
  return `/api/tenants/${of.id}/templates${key === '' ? '' : `/${key}`}`;
}

async function make(fields: object = {}, http: TestHttp = tenant.http) {
  const key = `template_${++keys}`;
  const answer = await http.post(path(), { key, language: 'en', components: [BODY], ...fields });
  return { key, answer };
}

async function preview(key: string, body: object) {
  return tenant.http.post(`${path(key)}/preview`, body);
}

describe('a template', () => {
  it('is made, read, changed with a new version each time, and deleted', async () => {
    const components = [
      { type: 'HEADER', format: 'TEXT', text: 'Order {{order}}' },
      BODY,
      { type: 'footer', text: 'Bye' },
      { type: 'buttons', buttons: [{ type: 'QUICK_REPLY', text: 'Thanks', payload: 'thanks' }] },
    ];
    const { key, answer } = await make({ components, metadata: { team: 'sales' } });
    expect(answer.status).toBe(201);
    expect(answer.data).toMatchObject({
      key,
      language: 'en',
      version: 1,
      components,
      metadata: { team: 'sales' },
      metaTemplateName: null,
      variables: ['order', 'name'],
      approval: null,
    });
    expect((await tenant.http.get(path(key))).data).toEqual(answer.data);
    app.clock.advance(1_000);
    const changed = await tenant.http.put(path(key), { components: [{ type: 'body', text: 'Hi' }] });
    expect(changed.data).toMatchObject({ version: 2, variables: [], metadata: { team: 'sales' } });
    expect(changed.data.updatedAt).toBe(app.clock.now().toISOString());
    expect(
      (await tenant.http.put(path(key), { components: [{ type: 'body', text: 'Hi' }] })).data.version,
    ).toBe(2);
    expect((await tenant.http.put(path(key), { key, metadata: null })).data).toMatchObject({
      version: 3,
      metadata: null,
    });
    const first = await tenant.http.get(`${path(key)}/versions?limit=2`);
    expect(first.data.map((version: { version: number }) => version.version)).toEqual([3, 2]);
    const rest = await tenant.http.get(`${path(key)}/versions?limit=2&cursor=${first.page.nextCursor}`);
    expect(rest.data).toMatchObject([{ version: 1, components, metadata: { team: 'sales' } }]);
    expect(rest.page.nextCursor).toBeNull();
    expect((await tenant.http.delete(path(key))).status).toBe(200);
    for (const gone of [
      await tenant.http.get(path(key)),
      await tenant.http.put(path(key), { metadata: null }),
      await tenant.http.delete(path(key)),
      await tenant.http.get(`${path(key)}/versions`),
      await preview(key, {}),
    ]) {
      expect(gone).toMatchObject({ status: 404, code: 'TEMPLATE_NOT_FOUND' });
    }
  });

  it('gets each change a version of its own, however many come at once', async () => {
    const { key } = await make();
    const texts = Array.from({ length: 10 }, (_none, index) => `text ${index}`);
    await Promise.all(
      texts.map((text) => tenant.http.put(path(key), { components: [{ type: 'body', text }] })),
    );
    expect((await tenant.http.get(path(key))).data.version).toBe(11);
    const { data } = await tenant.http.get(`${path(key)}/versions`);
    expect(new Set(data.map(({ version }: { version: number }) => version)).size).toBe(11);
  });

  it('is one a tenant, key and language', async () => {
    const { key } = await make();
    expect((await make({ key, language: 'pt-br' })).answer).toMatchObject({
      status: 201,
      data: { language: 'pt_BR' },
    });
    expect((await make({ key, language: 'pt_BR' })).answer).toMatchObject({
      status: 409,
      code: 'TEMPLATE_EXISTS',
    });
    const other = await registerTenant(app);
    expect((await other.http.post(path('', other), { key, components: [BODY] })).status).toBe(201);
    expect((await other.http.get(path(key, other))).data).toMatchObject({ language: 'en', version: 1 });
  });

  it('is changed and deleted in one language', async () => {
    const { key } = await make();
    await make({ key, language: 'de' });
    expect(await tenant.http.put(path(key), { metadata: {} })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'language', message: expect.stringContaining('several') }] },
    });
    expect((await tenant.http.put(path(key), { language: 'de', metadata: {} })).data).toMatchObject({
      language: 'de',
      version: 2,
    });
    expect((await tenant.http.put(`${path(key)}?language=fr`, { metadata: {} })).status).toBe(404);
    expect((await tenant.http.delete(`${path(key)}?language=de`)).status).toBe(200);
    expect((await tenant.http.get(`${path(key)}?language=de`)).status).toBe(404);
    expect((await tenant.http.get(path(key))).data.language).toBe('en');
  });

  it('is listed by key and language, page by page', async () => {
    const shop = await registerTenant(app);
    for (const [key, language] of [
      ['b', 'en'],
      ['a', 'en'],
      ['a', 'de'],
      ['c', 'en'],
    ]) {
      await shop.http.post(path('', shop), { key, language, components: [BODY] });
    }
    const first = await shop.http.get(`${path('', shop)}?limit=3`);
    const second = await shop.http.get(`${path('', shop)}?limit=3&cursor=${first.page.nextCursor}`);
    expect(
      [...first.data, ...second.data].map(
        (one: { key: string; language: string }) => `${one.key} ${one.language}`,
      ),
    ).toEqual(['a de', 'a en', 'b en', 'c en']);
    expect(second.page.nextCursor).toBeNull();
    expect((await tenant.http.get(`${path()}?cursor=${first.page.nextCursor}`)).code).toBe('INVALID_CURSOR');
  });

  it('belongs to its tenant alone', async () => {
    const { key } = await make();
    const other = await registerTenant(app);
    for (const answer of [
      await other.http.get(path(key)),
      await other.http.post(path(), { key: 'x', components: [BODY] }),
      await other.http.put(path(key), { metadata: {} }),
      await other.http.delete(path(key)),
      await other.http.post(`${path()}/sync`),
    ]) {
      expect(answer).toMatchObject({ status: 404, code: 'TENANT_NOT_FOUND' });
    }
    expect((await app.http().get(path(key))).status).toBe(401);
    expect((await other.http.get(path(key, other))).code).toBe('TEMPLATE_NOT_FOUND');
    expect(
      (await tenant.http.get(`/tenants/${tenant.id}/templates/${key}`, { undocumented: true })).status,
    ).toBe(200);
  });
});

describe('what a template may be', () => {
  const buttons = (...list: unknown[]) => [BODY, { type: 'buttons', buttons: list }];
  const reply = (id: number) => ({ id: `id ${id}`, text: `Reply ${id}` });
  it.each<[string, object, string[]]>([
    ['no key', { key: undefined }, ['key']],
    ['names that no database can hold', { metadata: { 'a\0b': 1 } }, ['metadata']],
    ['a key with a space', { key: 'a b' }, ['key']],
    ['a language that is none', { language: 'English please' }, ['language']],
    ['no components', { components: [] }, ['components']],
    ['no body', { components: [{ type: 'footer', text: 'x' }] }, ['components']],
    [
      'components that are none',
      { components: [7, { type: 'body', text: '' }, { type: 'rhyme' }] },
      ['components.0', 'components.1.text', 'components.2.type'],
    ],
    ['two bodies', { components: [BODY, BODY] }, ['components.1.type']],
    [
      'a body that is too long',
      { components: [{ type: 'body', text: 'x'.repeat(4097) }] },
      ['components.0.text'],
    ],
    [
      'a long header and footer',
      {
        components: [
          { type: 'header', text: 'x'.repeat(61) },
          BODY,
          { type: 'footer', text: 'x'.repeat(61) },
        ],
      },
      ['components.0.text', 'components.2.text'],
    ],
    [
      'a header of two lines',
      { components: [{ type: 'header', text: 'a\nb' }, BODY] },
      ['components.0.text'],
    ],
    [
      'a header of a file that is nowhere',
      { components: [{ type: 'header', format: 'image' }, BODY] },
      ['components.0.link'],
    ],
    [
      'a placeholder that is none',
      { components: [{ type: 'body', text: 'Hi {{first name}}' }] },
      ['components.0.text'],
    ],
    ['an open placeholder', { components: [{ type: 'body', text: 'Hi {{name' }] }, ['components.0.text']],
    ['no buttons', { components: buttons() }, ['components.1.buttons']],
    [
      'eleven buttons',
      { components: buttons(...Array.from({ length: 11 }, (_none, id) => reply(id))) },
      ['components.1.buttons'],
    ],
    [
      'a button that says too much',
      { components: buttons({ id: 'a', text: 'x'.repeat(21) }) },
      ['components.1.buttons.0.text'],
    ],
    ['two buttons of one id', { components: buttons(reply(1), reply(1)) }, ['components.1.buttons']],
    [
      'an address that is none',
      { components: buttons({ type: 'url', text: 'Go', url: 'javascript:x' }) },
      ['components.1.buttons.0.url'],
    ],
    [
      'a reply beside an address',
      { components: buttons(reply(1), { type: 'url', text: 'Go', url: 'https://a.example' }) },
      ['components.1.buttons'],
    ],
    [
      'a button to call',
      { components: buttons({ type: 'phone_number', text: 'Call', phone_number: '+15550001' }) },
      ['components.1.buttons.0.type'],
    ],
    [
      'a button of no kind',
      { components: buttons({ type: 'magic', text: 'Go' }) },
      ['components.1.buttons.0.type'],
    ],
    [
      'a body that fills a message, with buttons',
      { components: [{ type: 'body', text: 'x'.repeat(1025) }, ...buttons(reply(1)).slice(1)] },
      ['components'],
    ],
    ['metadata that are none', { metadata: 'none' }, ['metadata']],
    ['a name that Meta has not', { metaTemplateName: 'Not One' }, ['metaTemplateName']],
    ['something unknown', { colour: 'red' }, ['colour']],
  ])('refuses %s', async (_what, fields, named) => {
    const { answer } = await make(fields);
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(answer.body.details.map(({ field }: { field: string }) => field)).toEqual(
      expect.arrayContaining(named),
    );
  });

  it('is checked in changes too', async () => {
    const { key } = await make();
    expect(await tenant.http.put(path(key), { components: [{ type: 'body' }] })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'components.0.text' }] },
    });
    expect(await tenant.http.put(path(key), { key: 'other', metadata: {} })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'key' }] },
    });
  });

  it('lets Meta’s own templates have what messages have not', async () => {
    const components = buttons(
      reply(1),
      { type: 'phone_number', text: 'Call', phone_number: '+15550001' },
      { type: 'copy_code', code: '{{code}}' },
    );
    const { answer } = await make({ components, metaTemplateName: 'order_ready' });
    expect(answer).toMatchObject({
      status: 201,
      data: { metaTemplateName: 'order_ready', variables: ['name', 'order', 'code'] },
    });
  });
});

describe('the preview', () => {
  it('is refused before it is filled when that would make it too long', async () => {
    const { key } = await make({ components: [{ type: 'body', text: '{{a}}'.repeat(100) }] });
    expect(await preview(key, { variables: { a: 'x'.repeat(4_000) } })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'variables' }] },
    });
  });

  it('fills in the variables, and names each that is missing', async () => {
    const { key } = await make();
    expect((await preview(key, { variables: { name: 'Ann {{order}} $&', order: 7 } })).data).toEqual({
      key,
      language: 'en',
      version: 1,
      type: 'TEXT',
      text: 'Hello Ann {{order}} $&, your order 7 is ready.',
      request: { type: 'text', text: { body: 'Hello Ann {{order}} $&, your order 7 is ready.' } },
    });
    expect(await preview(key, {})).toMatchObject({
      status: 400,
      body: {
        details: [
          { field: 'variables.name', message: 'is missing' },
          { field: 'variables.order', message: 'is missing' },
        ],
      },
    });
    expect((await preview(key, { variables: { name: null, order: 'x' } })).body.details).toHaveLength(1);
    for (const variables of ['x', { name: {} }, { name: 'x'.repeat(4097) }]) {
      expect((await preview(key, { variables })).body.details[0].field).toBe('variables');
    }
  });

  it('fills in positions from a list', async () => {
    const { key } = await make({ components: [{ type: 'body', text: '{{2}} after {{ 1 }}' }] });
    expect((await preview(key, { variables: ['a', 'b'] })).data.text).toBe('b after a');
  });

  it('puts header, body and footer together', async () => {
    const { key } = await make({
      components: [
        { type: 'footer', text: 'Bye' },
        { type: 'body', text: 'Hi' },
        { type: 'header', text: 'News' },
      ],
    });
    expect((await preview(key, {})).data.request).toEqual({
      type: 'text',
      text: { body: 'News\n\nHi\n\nBye' },
    });
  });

  it.each<[string, object[], object]>([
    [
      'three replies as buttons',
      [
        { id: 'a', title: 'A' },
        { type: 'reply', reply: { id: 'b', title: 'B' } },
        { type: 'quick_reply', text: 'C' },
      ],
      {
        type: 'button',
        body: { text: 'Hi' },
        footer: { text: 'Bye' },
        action: {
          buttons: [
            { type: 'reply', reply: { id: 'a', title: 'A' } },
            { type: 'reply', reply: { id: 'b', title: 'B' } },
            { type: 'reply', reply: { id: 'C', title: 'C' } },
          ],
        },
      },
    ],
    [
      'four replies as a list',
      ['a', 'b', 'c', 'd'].map((text) => ({ text })),
      {
        type: 'list',
        body: { text: 'Hi' },
        footer: { text: 'Bye' },
        action: {
          button: 'Options',
          sections: [{ title: 'Options', rows: ['a', 'b', 'c', 'd'].map((id) => ({ id, title: id })) }],
        },
      },
    ],
    [
      'an address as a button',
      [{ type: 'url', text: 'Track', url: 'https://a.example/{{code}}' }],
      {
        type: 'cta_url',
        body: { text: 'Hi' },
        footer: { text: 'Bye' },
        action: { name: 'cta_url', parameters: { display_text: 'Track', url: 'https://a.example/7' } },
      },
    ],
  ])('shows %s', async (_what, list, interactive) => {
    const components = [
      { type: 'body', text: 'Hi' },
      { type: 'footer', text: 'Bye' },
      { type: 'buttons', buttons: list },
    ];
    const { key } = await make({ components });
    const { data } = await preview(key, { variables: { code: 7 } });
    expect(data).toMatchObject({ type: 'INTERACTIVE', text: 'Hi\n\nBye' });
    expect(data.request).toEqual({ type: 'interactive', interactive });
  });

  it('shows a file with its text as caption, or above the buttons', async () => {
    const header = { type: 'header', format: 'image', link: 'https://a.example/{{file}}.png' };
    const { key } = await make({ components: [header, { type: 'body', text: 'Hi' }] });
    expect((await preview(key, { variables: { file: 'b' } })).data.request).toEqual({
      type: 'image',
      image: { link: 'https://a.example/b.png', caption: 'Hi' },
    });
    const buttons = { type: 'buttons', buttons: [{ text: 'Ok' }] };
    const withButtons = await make({
      components: [{ ...header, id: '77' }, { type: 'body', text: 'Hi' }, buttons],
    });
    expect((await preview(withButtons.key, {})).data.request.interactive).toMatchObject({
      type: 'button',
      header: { type: 'image', image: { id: '77' } },
    });
  });

  it('refuses what the variables make too long, or empty', async () => {
    const { key } = await make({ components: [{ type: 'body', text: '{{a}}{{b}}' }] });
    const long = 'x'.repeat(4000);
    expect(await preview(key, { variables: { a: long, b: long } })).toMatchObject({
      status: 400,
      body: { details: [{ field: 'variables', message: expect.stringContaining('4096') }] },
    });
    expect((await preview(key, { variables: { a: ' ', b: '' } })).status).toBe(400);
    expect((await preview(key, { variables: { a: 'x', b: '' } })).data.text).toBe('x');
  });

  it('speaks the language that is asked for, or the nearest', async () => {
    const key = 'greeting';
    for (const language of ['fr', 'en_US', 'pt_BR', 'es', 'es_AR']) {
      await make({ key, language, components: [{ type: 'body', text: language }] });
      app.clock.advance(1);
    }
    const rows: [string | undefined, string][] = [
      ['pt_BR', 'pt_BR'],
      ['pt-br', 'pt_BR'],
      ['pt_PT', 'pt_BR'],
      ['pt', 'pt_BR'],
      ['es_MX', 'es'],
      ['es_AR', 'es_AR'],
      ['de', 'en_US'],
      [undefined, 'en_US'],
    ];
    for (const [language, chosen] of rows) {
      expect((await preview(key, { language })).data).toMatchObject({ language: chosen, text: chosen });
    }
    await tenant.http.delete(`${path(key)}?language=en_US`);
    expect((await preview(key, { language: 'de' })).data.language).toBe('fr');
  });
});
