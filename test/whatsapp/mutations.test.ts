import { useApp, type TestPerson } from '../support/app.js';
import { postWebhook } from '../fakes/graph-webhooks.js';
import { customerMessage, inbound } from './support/bodies.js';
import { APP_SECRET, hire, registerTenant, settled, type TestTenant } from './support/channel.js';
import { mutationsOf, valueAt, type JsonPath, type Mutation } from './support/mutations.js';
import {
  envelopeOf,
  mapStrings,
  phoneNumberIdOf,
  readRecorded,
  withOtherIds,
  type Recorded,
} from './support/recorded.js';

/**
 * Every path of every recorded body, removed or given what has no place there: the webhook answers 200 (400 only for
 * what is no JSON object), nothing is logged as a fault, and the neighbours of what is broken, in other entries, in
 * other changes and in the same list, are stored as if nothing were.
 */
const app = useApp({ env: { APP_SECRET, LOG_LEVEL: 'info' } });

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON
type Loose = any;

/** Broken entries in one webhook, each between two neighbours. */
const PER_WEBHOOK = 40;

let tenant: TestTenant;
let agent: TestPerson;
let count = 0;
/** Wamids of neighbours, and what they stand beside. */
const neighbours = new Map<string, string>();

beforeAll(async () => {
  agent = await app.registerUser();
  tenant = await registerTenant(app, { phoneNumberId: '109876543210987' });
  await hire(app, tenant, agent);
});

/** A good message of a customer, remembered under what it stands beside. */
function neighbour(beside: string): Loose {
  const id = `wamid.neighbour.${++count}`;
  neighbours.set(id, beside);
  return customerMessage('4915112345678', { id, text: { body: 'still there' } });
}

/** The body as one about our tenant and about messages of its own. */
function ours(body: Loose, tag: string): Loose {
  const number = phoneNumberIdOf(body);
  return withOtherIds(
    mapStrings(body, (text) => (text === number ? tenant.phoneNumberId : text)),
    tag,
  );
}

const LISTS = ['messages', 'statuses', 'message_echoes', 'history', 'user_preferences'];

/**
 * Puts a good message before and after the broken item, in its own list, where the path breaks only the item or the
 * contacts; returns whether it did.
 */
function surround(mutation: Mutation, envelope: Loose, offset: number): void {
  const path = mutation.path.slice(offset);
  const [entry, i, changes, j, value, list, item] = path;
  if (entry !== 'entry' || changes !== 'changes' || value !== 'value' || typeof item !== 'number') return;
  if (!LISTS.includes(String(list)) && list !== 'contacts') return;
  const { field, value: there }: Loose = valueAt(envelope, ['entry', i!, 'changes', j!]);
  if (field !== 'messages' || there.metadata === undefined) return;
  there.messages ??= [];
  if (!Array.isArray(there.messages)) return;
  const beside = nameOf(mutation);
  there.messages.unshift(neighbour(beside));
  there.messages.push(neighbour(beside));
}

function nameOf({ path, how }: Mutation): string {
  return `${path.join('.')} ${how}`;
}

interface Broken {
  name: string;
  envelope: Loose;
}

/** All mutations of one file: those that leave its entries in place, and those that need a webhook of their own. */
function breakUp(name: string, body: Loose): { inBatch: Broken[]; alone: Mutation[] } {
  const inBatch: Broken[] = [];
  const alone: Mutation[] = [];
  const offset = 'metaData' in body ? 1 : 0;
  for (const mutation of mutationsOf(body)) {
    const [first, second] = mutation.path.slice(offset);
    if (mutation.path.length <= offset || first !== 'entry' || second === undefined) {
      alone.push(mutation);
      continue;
    }
    const tagged = { ...mutation, body: ours(mutation.body, `m${++count}`) };
    const envelope = envelopeOf(tagged.body);
    surround(tagged, envelope, offset);
    inBatch.push({ name: `${name}: ${nameOf(mutation)}`, envelope });
  }
  return { inBatch, alone };
}

async function post(body: unknown): Promise<number> {
  return (await postWebhook(`${app.url}/whatsapp/webhook`, JSON.stringify(body), APP_SECRET)).status;
}

async function missingNeighbours(): Promise<string[]> {
  const rows = await app.sql<{ wamid: string }>(
    `SELECT wamid FROM whatsapp_message WHERE wamid LIKE 'wamid.neighbour.%'`,
  );
  const stored = new Set(rows.map(({ wamid }) => wamid));
  return [...neighbours].filter(([id]) => !stored.has(id)).map(([, beside]) => beside);
}

function faults(): string[] {
  return app.logs.filter((line) => (JSON.parse(line) as { level: number }).level >= 50);
}

it('breaks every path of every file, and puts neighbours everywhere', () => {
  const broken = readRecorded().map(({ name, body }) => breakUp(name, body));
  expect(broken.reduce((sum, { inBatch, alone }) => sum + inBatch.length + alone.length, 0)).toBeGreaterThan(
    25_000,
  );
  expect(neighbours.size).toBeGreaterThan(15_000);
});

/** Some of the recorded files at a time, so that what fails is easier to find. */
const groups = new Map<string, Recorded[]>();
for (const one of readRecorded()) {
  const group = one.name.split('-').slice(0, 3).join('-');
  groups.set(group, [...(groups.get(group) ?? []), one]);
}

it.each([...groups.keys()])(
  'loses no neighbour to a broken %s',
  async (group) => {
    const problems: string[] = [];
    neighbours.clear();
    for (const { name, body } of groups.get(group) ?? []) {
      const { inBatch, alone } = breakUp(name, body);
      for (let i = 0; i < inBatch.length; i += PER_WEBHOOK) {
        const some = inBatch.slice(i, i + PER_WEBHOOK);
        const entry = some.flatMap(({ name: beside, envelope }) => [
          ...(inbound(tenant, '4915112345678', neighbour(beside)).entry as unknown[]),
          ...(Array.isArray(envelope.entry) ? (envelope.entry as unknown[]) : [envelope.entry]),
        ]);
        const status = await post({ object: 'whatsapp_business_account', entry });
        if (status !== 200) problems.push(`${status} for ${some.map((one) => one.name).join('; ')}`);
      }
      for (const mutation of alone) {
        const status = await post(ours(mutation.body, `m${++count}`));
        if (status !== 200) problems.push(`${status} for ${name}: ${nameOf(mutation)}`);
      }
    }
    await settled(app, 60_000);
    expect([...problems, ...(await missingNeighbours())]).toEqual([]);
    expect(faults().slice(0, 3)).toEqual([]);
  },
  120_000,
);

it.each([
  ['nothing', ''],
  ['half of an object', '{"object":"whatsapp_business_account","entry":['],
  ['null', 'null'],
  ['a number', '5'],
  ['a text', '"x"'],
  ['a list', '[]'],
  ['a list of envelopes', '[{"object":"whatsapp_business_account","entry":[]}]'],
])('answers %s with 400', async (_name, raw) => {
  expect((await postWebhook(`${app.url}/whatsapp/webhook`, raw, APP_SECRET)).status).toBe(400);
});

it.each([
  ['an empty object', {}],
  ['an object of somebody else', { object: 'page', entry: [{ id: '1', messaging: [] }] }],
  ['entries that are none', { object: 'whatsapp_business_account', entry: [null, 5, 'x', [], {}] }],
  ['changes that are none', { entry: [{ id: '1', changes: [null, 5, 'x', [], {}, { field: 7 }] }] }],
  ['an empty metaData', { metaData: {} }],
  ['metaData that is none', { metaData: 'x' }],
  ['a metaData in a metaData', { metaData: { metaData: { entry: [] } } }],
  ['10,000 levels', `${'{"entry":['.repeat(10_000)}${']}'.repeat(10_000)}`],
  [
    'keys that are no fields',
    JSON.parse('{"__proto__":{"entry":1},"constructor":[],"entry":{"length":1e9}}'),
  ],
])('answers %s with 200, and goes on', async (_name, body: unknown) => {
  const raw = typeof body === 'string' ? body : JSON.stringify(body);
  expect((await postWebhook(`${app.url}/whatsapp/webhook`, raw, APP_SECRET)).status).toBe(200);
  neighbours.clear();
  expect(await post(inbound(tenant, '4915112345678', neighbour('it')))).toBe(200);
  await settled(app);
  expect(await missingNeighbours()).toEqual([]);
  expect(faults().slice(0, 3)).toEqual([]);
});

it('keeps what is broken where an operator finds it, and no more than that', async () => {
  const path: JsonPath = ['entry', 0, 'changes', 0, 'value', 'messages', 0, 'id'];
  const [text] = readRecorded().filter(({ name }) => name === 'payloads/pywa-message-text.json');
  const { body } = [...mutationsOf(text?.body)].find(
    (mutation) => mutation.path.join() === path.join() && mutation.how === 'removed',
  )!;
  const before = await app.sql('SELECT id FROM webhook_dead_letter');
  await post(ours(body, 'kept'));
  await settled(app);
  const after = await app.sql<{ path: string }>(
    'SELECT path, created_at FROM webhook_dead_letter ORDER BY created_at',
  );
  expect(after.length - before.length).toBe(1);
  expect(after.map((row) => row.path)).toContain('entry[0].changes[0].value.messages[0]');
});

it('would notice a neighbour that was lost', async () => {
  neighbours.clear();
  neighbour('what cost it');
  expect(await missingNeighbours()).toEqual(['what cost it']);
});
