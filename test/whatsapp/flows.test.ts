import { useApp } from '../support/app.js';
import { registerTenant, type TestTenant } from './support/channel.js';

const app = useApp();
let tenant: TestTenant;

beforeAll(async () => {
  tenant = await registerTenant(app, { name: 'Flowers' });
});

function path(of: TestTenant = tenant): string {
  return `/api/tenants/${of.id}/flows`;
}

async function set(flows: unknown, more: object = {}) {
  return tenant.http.post(path(), { flows, ...more });
}

/** What would happen, of the given message. */
async function tryOut(message: object) {
  const answer = await tenant.http.post(`${path()}/test`, message);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.data;
}

/** The rule of that match alone; whether it fires. */
async function fires(match: object, message: object): Promise<boolean> {
  const answer = await set([{ id: 'only', match, action: { type: 'send_text', text: 'yes' } }]);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  const { ruleId } = await tryOut(message);
  return ruleId === 'only';
}

const SAY = { type: 'send_text', text: 'x' };

describe('the rules', () => {
  it('are set all at once, and read as they were given', async () => {
    const shop = await registerTenant(app);
    expect((await shop.http.get(path(shop))).data).toEqual({
      flows: [],
      fallbackTemplateKey: null,
      version: 0,
      updatedAt: null,
    });
    const flows = [
      {
        id: 'a',
        match: { any: [{ contains: ['Hi'] }, { regex: '^hello' }], not: { state: null } },
        action: {
          type: 'send_template',
          templateKey: 'menu',
          variables: { name: 'x', count: 2 },
          setState: 'menu',
        },
      },
      { id: 'b', match: { buttonId: 'stop', all: [{ state: 'menu' }] }, action: { type: 'handoff' } },
      { id: 'c', match: {}, action: { type: 'send_text', text: 'Bye', setState: null } },
    ];
    const answer = await shop.http.post(path(shop), { flows, fallbackTemplateKey: 'menu' });
    expect(answer).toMatchObject({ status: 201, data: { flows, fallbackTemplateKey: 'menu', version: 1 } });
    expect((await shop.http.get(path(shop))).data).toEqual(answer.data);
    expect((await shop.http.post(path(shop), { flows: [] })).data).toMatchObject({
      flows: [],
      fallbackTemplateKey: null,
      version: 2,
    });
  });

  it('say at the tenant whether there are any', async () => {
    const shop = await registerTenant(app);
    const hasFlows = async () => (await app.sql('SELECT has_flows FROM tenant WHERE id = $1', [shop.id]))[0];
    await shop.http.post(path(shop), { flows: [{ id: 'a', match: {}, action: SAY }] });
    expect(await hasFlows()).toEqual({ has_flows: true });
    await shop.http.post(path(shop), { flows: [], fallbackTemplateKey: 'x' });
    expect(await hasFlows()).toEqual({ has_flows: true });
    await shop.http.post(path(shop), { flows: [] });
    expect(await hasFlows()).toEqual({ has_flows: false });
  });

  it('belong to their tenant alone', async () => {
    const other = await registerTenant(app);
    for (const answer of [
      await other.http.get(path()),
      await other.http.post(path(), { flows: [] }),
      await other.http.post(`${path()}/test`, { text: 'x' }),
    ]) {
      expect(answer).toMatchObject({ status: 404, code: 'TENANT_NOT_FOUND' });
    }
    const { http } = await app.registerUser();
    expect((await http.get(path())).status).toBe(401);
  });

  it('are at most 200', async () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_none, id) => ({
        id: `r${id}`,
        match: { contains: [`w${id}.`] },
        action: SAY,
      }));
    expect((await set(rules(201))).body.details[0].field).toBe('flows');
    expect((await set(rules(200))).status).toBe(201);
    expect((await tryOut({ text: 'W199.' })).ruleId).toBe('r199');
  });

  const rule = (fields: object) => [{ id: 'a', match: {}, action: SAY, ...fields }];
  const nest = (depth: number): object => (depth === 0 ? {} : { not: nest(depth - 1) });
  it.each<[string, unknown, string]>([
    ['no list', 'x', 'flows'],
    ['something that is no rule', [7], 'flows.0'],
    ['no id', rule({ id: undefined }), 'flows.0.id'],
    ['an id twice', [...rule({}), ...rule({})], 'flows.1.id'],
    ['no match', rule({ match: undefined }), 'flows.0.match'],
    ['a match that is unknown', rule({ match: { startsWith: 'x' } }), 'flows.0.match.startsWith'],
    ['words that are no list', rule({ match: { contains: 'x' } }), 'flows.0.match.contains'],
    ['an empty list', rule({ match: { equals: [] } }), 'flows.0.match.equals'],
    ['an empty word', rule({ match: { contains: ['a', ' '] } }), 'flows.0.match.contains.1'],
    ['any of nothing', rule({ match: { any: [] } }), 'flows.0.match.any'],
    [
      'a bad match inside',
      rule({ match: { all: [{}, { not: { state: 7 } }] } }),
      'flows.0.match.all.1.not.state',
    ],
    ['matches too deep', rule({ match: nest(5) }), 'flows.0.match.not.not.not.not.not'],
    ['a regex that is none', rule({ match: { regex: '(' } }), 'flows.0.match.regex'],
    ['a regex that looks back', rule({ match: { regex: '(a)\\1' } }), 'flows.0.match.regex'],
    ['a regex that looks around', rule({ match: { regex: 'a(?=b)' } }), 'flows.0.match.regex'],
    ['a regex that explodes', rule({ match: { regex: '((a{100}){100}){100}' } }), 'flows.0.match.regex'],
    ['a regex that is large', rule({ match: { regex: '(\\pL{1,50} ){20}' } }), 'flows.0.match.regex'],
    ['a regex that is long', rule({ match: { regex: 'a'.repeat(501) } }), 'flows.0.match.regex'],
    ['no action', rule({ action: undefined }), 'flows.0.action'],
    ['an action that is unknown', rule({ action: { type: 'dance' } }), 'flows.0.action.type'],
    ['no text', rule({ action: { type: 'send_text' } }), 'flows.0.action.text'],
    ['no template', rule({ action: { type: 'send_template' } }), 'flows.0.action.templateKey'],
    [
      'variables that are none',
      rule({ action: { type: 'send_template', templateKey: 'a', variables: { a: {} } } }),
      'flows.0.action.variables.a',
    ],
    ['a state that is none', rule({ action: { ...SAY, setState: 7 } }), 'flows.0.action.setState'],
    ['more than handing off', rule({ action: { type: 'handoff', text: 'x' } }), 'flows.0.action.text'],
  ])('refuse %s', async (_what, flows, field) => {
    const answer = await set(flows);
    expect(answer).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(answer.body.details.map((detail: { field: string }) => detail.field)).toContain(field);
  });

  it('may have regexes up to a size together', async () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_none, id) => ({
        id: `r${id}`,
        match: { regex: 'a{400}' },
        action: SAY,
      }));
    expect((await set(rules(13))).body.details[0]).toMatchObject({ field: 'flows' });
    expect((await set(rules(12))).status).toBe(201);
  });
});

describe('a match', () => {
  it.each<[string, object, object, boolean]>([
    ['a part of the text', { contains: ['open'] }, { text: 'Are you OPEN?' }, true],
    ['none of the parts', { contains: ['shut', 'late'] }, { text: 'Are you open?' }, false],
    ['one of the parts', { contains: ['shut', 'open'] }, { text: 'Are you open?' }, true],
    ['the text', { equals: ['Yes'] }, { text: ' yes\n' }, true],
    ['only a part of the text', { equals: ['yes'] }, { text: 'yes please' }, false],
    ['ß as SS', { equals: ['STRASSE'] }, { text: 'straße' }, true],
    ['a Greek ending', { contains: ['ΟΔΟΣ'] }, { text: 'οδος' }, true],
    ['a Turkish I', { contains: ['istanbul'] }, { text: 'İSTANBUL' }, true],
    ['Cyrillic', { equals: ['ПРИВЕТ'] }, { text: 'привет' }, true],
    ['letters with their accents apart', { equals: ['caf\u00e9'] }, { text: 'CAFE\u0301' }, true],
    ['full-width letters', { equals: ['hello'] }, { text: 'ＨＥＬＬＯ' }, true],
    ['other white space', { equals: ['good morning'] }, { text: 'Good\u00a0  morning' }, true],
    ['a regex somewhere', { regex: 'order\\s+#?\\d+' }, { text: 'My ORDER  #77!' }, true],
    ['a regex at the ends', { regex: '^\\d+$' }, { text: '77 ' }, false],
    ['a regex beyond ASCII', { regex: '^привет' }, { text: 'ПРИВЕТ!' }, true],
    ['any text', { regex: '(?s)^.*$' }, { text: 'a\nb' }, true],
    ['the state', { state: 'menu' }, { text: 'x', state: 'menu' }, true],
    ['another state', { state: 'menu' }, { text: 'x', state: 'Menu' }, false],
    ['no state, wanting one', { state: 'menu' }, { text: 'x' }, false],
    ['no state', { state: null }, { text: 'x' }, true],
    ['a state, wanting none', { state: null }, { text: 'x', state: 'menu' }, false],
    ['any state', { contains: ['x'] }, { text: 'x', state: 'menu' }, true],
    ['a button', { buttonId: 'Yes_1' }, { text: 'Yes', buttonId: 'yes_1' }, true],
    ['another button', { buttonId: 'yes' }, { text: 'yes', buttonId: 'no' }, false],
    ['no button', { buttonId: 'yes' }, { text: 'yes' }, false],
    ['what stands on the button', { equals: ['yes'] }, { text: 'Yes', buttonId: '7' }, true],
    [
      'all of it',
      { contains: ['a'], state: 's', buttonId: 'b' },
      { text: 'a', state: 's', buttonId: 'b' },
      true,
    ],
    ['all but one', { contains: ['a'], state: 's', buttonId: 'b' }, { text: 'a', state: 's' }, false],
    ['all, nested', { all: [{ contains: ['a'] }, { contains: ['b'] }] }, { text: 'b a' }, true],
    ['all, nested, but one', { all: [{ contains: ['a'] }, { contains: ['b'] }] }, { text: 'a' }, false],
    ['any, nested', { any: [{ equals: ['a'] }, { regex: '^b' }] }, { text: 'bc' }, true],
    ['not', { not: { any: [{ contains: ['a'] }, { contains: ['b'] }] } }, { text: 'c' }, true],
    ['not, but it is', { not: { contains: ['a'] } }, { text: 'a' }, false],
    ['anything', {}, { text: 'x' }, true],
    ['a message without text', { contains: ['a'] }, {}, false],
    ['anything without text', {}, { text: null }, true],
  ])('knows %s', async (_what, match, message, expected) => {
    expect(await fires(match, message)).toBe(expected);
  });

  it('takes time in proportion to the text, whatever the regex', async () => {
    const text = `${'a'.repeat(4000)}!`;
    const began = performance.now();
    expect(await fires({ regex: '^(a+)+$' }, { text })).toBe(false);
    expect(await fires({ regex: '(a|a)*(a|a)*b' }, { text })).toBe(false);
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});

describe('the dry run', () => {
  const TEMPLATE = {
    key: 'menu',
    components: [
      { type: 'body', text: 'Hello {{name}}' },
      { type: 'buttons', buttons: [{ id: 'yes', text: 'Yes' }] },
    ],
  };

  beforeAll(async () => {
    await tenant.http.post(`/api/tenants/${tenant.id}/templates`, TEMPLATE);
    await tenant.http.post(`/api/tenants/${tenant.id}/templates`, {
      key: 'sorry',
      components: [{ type: 'body', text: 'Sorry?' }],
    });
  });

  it('says which rule would fire first, and what it would send', async () => {
    const template = {
      type: 'send_template',
      templateKey: 'menu',
      variables: { name: 'Ann' },
      setState: 'menu',
    };
    await set([
      { id: 'menu', match: { equals: ['menu'] }, action: template },
      {
        id: 'yes',
        match: { state: 'menu', buttonId: 'yes' },
        action: { type: 'send_text', text: 'Fine', setState: null },
      },
      { id: 'human', match: { contains: ['human'] }, action: { type: 'handoff' } },
      { id: 'never', match: { contains: ['menu'] }, action: SAY },
    ]);
    expect(await tryOut({ text: 'MENU' })).toEqual({
      ruleId: 'menu',
      action: template,
      source: 'rule',
      answer: {
        type: 'INTERACTIVE',
        text: 'Hello Ann',
        request: {
          type: 'interactive',
          interactive: {
            type: 'button',
            body: { text: 'Hello Ann' },
            action: { buttons: [{ type: 'reply', reply: { id: 'yes', title: 'Yes' } }] },
          },
        },
      },
      state: 'menu',
      handsOff: false,
      problems: [],
    });
    expect(await tryOut({ text: 'Yes', buttonId: 'yes', state: 'menu' })).toMatchObject({
      ruleId: 'yes',
      answer: { type: 'TEXT', text: 'Fine', request: { type: 'text', text: { body: 'Fine' } } },
      state: null,
    });
    expect(await tryOut({ text: 'A human, please', state: 'menu' })).toMatchObject({
      ruleId: 'human',
      source: 'rule',
      answer: null,
      state: 'menu',
      handsOff: true,
    });
    expect((await app.sql('SELECT count(*)::int AS count FROM message'))[0]).toEqual({ count: 0 });
  });

  it('comes to the fallback, and then to the thanks if they are on', async () => {
    await set([], { fallbackTemplateKey: 'sorry' });
    expect(await tryOut({ text: 'x', state: 's' })).toMatchObject({
      ruleId: null,
      action: null,
      source: 'fallback',
      answer: { text: 'Sorry?' },
      state: 's',
    });
    await set([]);
    expect(await tryOut({ text: 'x' })).toMatchObject({ source: 'none', answer: null });
    await tenant.http.patch(`/api/tenants/${tenant.id}`, { autoReply: true });
    expect(await tryOut({ text: 'x' })).toMatchObject({
      source: 'auto_reply',
      answer: { type: 'TEXT', text: 'thanks for reaching us\n- team Flowers' },
    });
  });

  it('says why a rule cannot do what it says, and who answers instead', async () => {
    const template = { type: 'send_template', templateKey: 'menu', setState: 'menu' };
    await set([{ id: 'menu', match: {}, action: template }], { fallbackTemplateKey: 'nowhere' });
    expect(await tryOut({ text: 'x' })).toMatchObject({
      ruleId: 'menu',
      source: 'auto_reply',
      state: null,
      problems: [
        expect.stringMatching(/menu.*variables\.name is missing/),
        expect.stringContaining('nowhere'),
      ],
    });
  });

  it('refuses what is no message', async () => {
    for (const [body, field] of [
      [{ text: 7 }, 'text'],
      [{ state: '' }, 'state'],
      [{ words: 'x' }, 'words'],
    ] as const) {
      expect(await tenant.http.post(`${path()}/test`, body)).toMatchObject({
        status: 400,
        body: { details: [{ field }] },
      });
    }
  });
});
