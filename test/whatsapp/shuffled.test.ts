import { useApp, type TestPerson } from '../support/app.js';
import { statusesBody } from '../fakes/graph-webhooks.js';
import { echo, inbound } from './support/bodies.js';
import { APP_SECRET, deliver, hire, registerTenant, settled } from './support/channel.js';
import { mapStrings, phoneNumberIdOf, readRecorded, withOtherIds } from './support/recorded.js';
import { chatsOf, describeMessage, messagesOf } from './support/state.js';

/**
 * All recorded bodies, each with what it is about, in one order and in others, twice each and at the same time: the
 * end is the same. Files use the same numbers and ids for different things, so each is about a tenant of its own; the
 * samples, which belong together, share one.
 */
const app = useApp({ env: { APP_SECRET } });

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON
type Loose = any;

/** Bodies about one tenant. */
interface World {
  name: string;
  bodies: Loose[];
}

/** The message of a status, a reaction, an edit or a reply, where there is none in the file. */
function targetsOf(body: Loose, number: Parameters<typeof inbound>[0]): Loose[] {
  const targets: Loose[] = [];
  for (const entry of body.entry ?? []) {
    for (const { value } of entry.changes) {
      for (const status of value.statuses ?? [])
        targets.push(echo(number, '972987654321', { id: status.id, text: { body: 'target' } }));
      for (const message of value.messages ?? []) {
        const id = (message.reaction?.message_id ??
          message.edit?.original_message_id ??
          message.revoke?.original_message_id) as string | undefined;
        if (id === undefined || id === message.id) continue;
        targets.push(inbound(number, message.from as string, { id, text: { body: 'target' } }));
      }
      for (const message of value.message_echoes ?? []) {
        const id = (message.edit?.original_message_id ?? message.revoke?.original_message_id) as
          string | undefined;
        if (id !== undefined)
          targets.push(echo(number, message.to as string, { id, text: { body: 'target' } }));
      }
    }
  }
  return targets;
}

/** One conversation in which everything is changed by something later. */
function conversation(): World {
  const number = { phoneNumberId: '1000001', wabaId: '1', displayPhoneNumber: '15550001111' };
  const [customer, asked, answered, told, lost] = [
    '4915111111111',
    'wamid.A',
    'wamid.B',
    'wamid.C',
    'wamid.D',
  ];
  let time = 1_697_043_000;
  const says = (fields: Loose): Loose => inbound(number, customer, { timestamp: String(++time), ...fields });
  const app = (fields: Loose): Loose => echo(number, customer, { timestamp: String(++time), ...fields });
  const reacts = (emoji: string): Loose =>
    says({ id: `wamid.R${time}`, type: 'reaction', reaction: { message_id: asked, emoji } });
  const edits = (body: string): Loose =>
    says({
      id: `wamid.E${time}`,
      type: 'edit',
      edit: { original_message_id: asked, message: { type: 'text', text: { body } } },
    });
  const status = (id: string, name: string, more: Loose = {}): Loose =>
    statusesBody(number, [{ id, status: name, timestamp: String(++time), recipient_id: customer, ...more }]);
  const bodies = [
    says({ id: asked, text: { body: 'first' } }),
    says({ id: answered, text: { body: 'second' } }),
    reacts('👍'),
    reacts(''),
    reacts('🎉'),
    app({ id: told, text: { body: 'third' } }),
    app({ id: lost, text: { body: 'fourth' } }),
    edits('first, better'),
    edits('first, best'),
    says({ id: 'wamid.V', type: 'revoke', revoke: { original_message_id: answered } }),
    app({
      id: 'wamid.W',
      type: 'edit',
      edit: { original_message_id: told, message: { type: 'text', text: { body: 'edited' } } },
    }),
    status(told, 'sent'),
    status(told, 'delivered'),
    status(told, 'read'),
    status(asked, 'delivered'),
    status(lost, 'failed', { errors: [{ code: 131_026, title: 'Undeliverable' }] }),
    status('wamid.nobody', 'read'),
  ];
  return { name: 'a conversation', bodies };
}

function worldsOf(): World[] {
  const samples: World = { name: 'samples', bodies: [] };
  const worlds = readRecorded().flatMap(({ name, body }) => {
    if (name.startsWith('samples/')) {
      samples.bodies.push(body);
      return [];
    }
    const phoneNumberId = phoneNumberIdOf(body) ?? '1';
    const displayPhoneNumber =
      /"display_phone_number":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? '15550001111';
    const number = { phoneNumberId, wabaId: '1', displayPhoneNumber };
    return [{ name, bodies: [...targetsOf(body, number), body] }];
  });
  return [...worlds, samples, conversation()];
}

/** The same order every time for the same seed. */
function shuffle<T>(list: readonly T[], seed: number): T[] {
  let state = seed;
  const random = (): number => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

/** Gives every world a tenant, posts everything in the order of `seed`, and returns what there is to see then. */
async function run(seed: number | null): Promise<Record<string, string[]>> {
  const agent: TestPerson = await app.registerUser();
  const all: Loose[] = [];
  const names = new Map<string, string>();
  const numbers = new Map<string, string>();
  for (const { name, bodies } of worldsOf()) {
    const tenant = await registerTenant(app);
    await hire(app, tenant, agent);
    names.set(tenant.id, name);
    numbers.set(tenant.id, tenant.phoneNumberId);
    const old = new Set(bodies.map((body) => phoneNumberIdOf(body)).filter((number) => number !== null));
    for (const body of bodies) {
      const moved = mapStrings(body, (text) => (old.has(text) ? tenant.phoneNumberId : text));
      all.push(withOtherIds(moved, tenant.id));
    }
  }
  if (seed === null) {
    for (const body of all) {
      await deliver(app, body);
      await settled(app);
    }
  } else {
    const twice = shuffle([...all, ...all], seed);
    for (let i = 0; i < twice.length; i += 16)
      await Promise.all(twice.slice(i, i + 16).map((body) => deliver(app, body)));
    await settled(app, 30_000);
  }
  return seeWorlds(agent, names, numbers);
}

async function seeWorlds(
  agent: TestPerson,
  names: Map<string, string>,
  numbers: Map<string, string>,
): Promise<Record<string, string[]>> {
  const seen: Record<string, string[]> = {};
  for (const name of names.values()) seen[name] = [];
  for (const chat of await chatsOf(agent)) {
    const name = names.get(chat.whatsapp.tenantId as string)!;
    const messages = await messagesOf(agent, chat.id as string);
    const { waId, userId } = chat.whatsapp.customer;
    const lines = [`${chat.name} ${waId} ${userId}`, ...messages.map(describeMessage).sort()].join('\n');
    seen[name]!.push(lines.replaceAll(numbers.get(chat.whatsapp.tenantId as string)!, 'the number'));
  }
  for (const lines of Object.values(seen)) lines.sort();
  const open = await app.sql<{ tenant_id: string; line: string }>(
    `SELECT t.id AS tenant_id, p.status || ' of an unknown message' AS line FROM pending_status p
     JOIN tenant t ON p.wamid LIKE 'wamid.' || t.id || '%'
     UNION SELECT t.id, d.reason || ' ' || d.path FROM webhook_dead_letter d JOIN tenant t ON t.id = d.tenant_id
     ORDER BY 2`,
  );
  for (const { tenant_id, line } of open) {
    const name = names.get(tenant_id);
    if (name !== undefined) seen[name]!.push(line);
  }
  return seen;
}

let inOrder: Record<string, string[]>;

beforeAll(async () => {
  inOrder = await run(null);
}, 120_000);

it('ends in a certain way', () => {
  expect(inOrder['a conversation']).toEqual([
    [
      'Customer 4915111111111 4915111111111 null',
      'IN TEXT DELIVERED first, best edited 🎉',
      'IN TEXT SENT deleted',
      'OUT TEXT FAILED fourth (131026)',
      'OUT TEXT READ edited edited',
    ].join('\n'),
    'read of an unknown message',
  ]);
});

it('sees something of most bodies', () => {
  const empty = Object.entries(inOrder).filter(([, lines]) => lines.length === 0);
  expect(empty.length).toBeLessThan(Object.keys(inOrder).length / 3);
});

it.each([1, 2, 3])(
  'ends the same in the order of seed %i, everything twice and sixteen at a time',
  async (seed) => {
    expect(await run(seed)).toEqual(inOrder);
  },
  120_000,
);
