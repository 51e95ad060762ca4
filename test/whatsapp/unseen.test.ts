import { useApp, type TestPerson } from '../support/app.js';
import { envelope, messagesBody, metadataOf, statusesBody } from '../fakes/graph-webhooks.js';
import { customerMessage, echo, inbound, newWamid } from './support/bodies.js';
import { APP_SECRET, hire, registerTenant, settled, takeIn, type TestTenant } from './support/channel.js';
import { stateOf } from './support/state.js';

/**
 * Bodies that nobody recorded, written from Meta's documentation: each comes between two ordinary messages of somebody
 * else in the same webhook, and leaves what it should; nothing is refused as a failure of ours.
 */
const app = useApp({ env: { APP_SECRET, LOG_LEVEL: 'info' } });

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON
type Loose = any;

const CUSTOMER = '4915111111111';
const USER_ID = 'US.13491208655302741918';
const NOW = '1697043223';

let agent: TestPerson;
let tenant: TestTenant;

beforeEach(async () => {
  agent = await app.registerUser();
  tenant = await registerTenant(app);
  await hire(app, tenant, agent);
  for (const table of ['pending_status', 'channel_change', 'webhook_dead_letter'])
    await app.sql(`DELETE FROM ${table}`);
});

const change = (field: string, value: Loose): Loose =>
  envelope(tenant.wabaId, field, { messaging_product: 'whatsapp', metadata: metadataOf(tenant), ...value });
const message = (fields: Loose): Loose => inbound(tenant, CUSTOMER, fields);
const unaddressed = (fields: Loose, contacts: Loose): Loose => {
  const { from: _from, ...rest } = customerMessage(CUSTOMER, fields);
  return messagesBody(tenant, [rest], contacts);
};

interface Case {
  body: () => Loose;
  /** What an agent reads afterwards, the neighbours' two messages left out. */
  messages?: string[];
  pending?: string[];
  kept?: string[];
}

const CASES: Record<string, Case> = {
  'a contact without a profile': {
    body: () => messagesBody(tenant, [customerMessage(CUSTOMER)], [{ wa_id: CUSTOMER }]),
    messages: ['IN TEXT SENT hello'],
  },
  'contacts that are missing': {
    body: () => messagesBody(tenant, [customerMessage(CUSTOMER)], null),
    messages: ['IN TEXT SENT hello'],
  },
  'contacts in another order': {
    body: () =>
      messagesBody(
        tenant,
        [customerMessage(CUSTOMER), customerMessage('4915122222222')],
        [
          { wa_id: '4915122222222', profile: { name: 'Second' } },
          { wa_id: CUSTOMER, profile: { name: 'First' } },
        ],
      ),
    messages: ['IN TEXT SENT hello', 'IN TEXT SENT hello'],
  },
  'a customer without a number': {
    body: () =>
      unaddressed({ from_user_id: USER_ID }, [
        { user_id: USER_ID, profile: { name: 'Ada', username: '@ada' } },
      ]),
    messages: ['IN TEXT SENT hello'],
  },
  'a business-scoped id in the place of a number': {
    body: () => messagesBody(tenant, [customerMessage(USER_ID)], [{ wa_id: USER_ID, user_id: USER_ID }]),
    messages: ['IN TEXT SENT hello'],
  },
  'a location without a type': {
    body: () =>
      messagesBody(tenant, [
        {
          from: CUSTOMER,
          id: newWamid(),
          timestamp: NOW,
          location: { latitude: 52.5, longitude: 13.4, name: 'Here' },
        },
      ]),
    messages: ['IN LOCATION SENT Here'],
  },
  'a type nobody knows': {
    body: () => message({ type: 'hologram', hologram: { id: '1' } }),
    messages: ['IN UNSUPPORTED SENT'],
  },
  'a type named like what every object has': {
    body: () => message({ type: 'constructor', constructor: { id: '1' } }),
    messages: ['IN UNSUPPORTED SENT'],
  },
  'the legacy types': {
    body: () =>
      messagesBody(
        tenant,
        ['ephemeral', 'unknown'].map((type) => customerMessage(CUSTOMER, { type })),
      ),
    messages: ['IN UNSUPPORTED SENT', 'IN UNSUPPORTED SENT'],
  },
  'a welcome': {
    body: () => message({ type: 'request_welcome' }),
    messages: ['IN SYSTEM SENT The customer has opened the chat.'],
  },
  'a flow that answers with a list': {
    body: () =>
      message({
        type: 'interactive',
        interactive: { type: 'nfm_reply', nfm_reply: { name: 'flow', body: 'Sent', response_json: '[1]' } },
      }),
    messages: ['IN INTERACTIVE SENT Sent'],
  },
  'a flow that answers with no JSON': {
    body: () =>
      message({
        type: 'interactive',
        interactive: { type: 'nfm_reply', nfm_reply: { name: 'flow', body: 'Sent', response_json: '{' } },
      }),
    messages: ['IN INTERACTIVE SENT Sent'],
  },
  'an order with fractions': {
    body: () =>
      message({
        type: 'order',
        order: {
          catalog_id: '1',
          text: 'please',
          product_items: [{ product_retailer_id: 'A', quantity: 2, item_price: 9.99, currency: 'EUR' }],
        },
      }),
    messages: ['IN INTERACTIVE SENT please'],
  },
  'a contact without a name': {
    body: () =>
      message({
        type: 'contacts',
        contacts: [{ phones: [{ phone: '+49 151' }], origin: 'contact_request', vcard: 'BEGIN:VCARD' }],
      }),
    messages: ['IN CONTACTS SENT'],
  },
  'a reply to a call': {
    body: () =>
      message({
        context: { id: 'wacid.1', from: '1' },
      }),
    messages: ['IN TEXT SENT hello'],
  },
  'a question about a product': {
    body: () =>
      message({
        context: { id: 'M0', referred_product: { catalog_id: '1', product_retailer_id: 'A' } },
      }),
    messages: ['IN TEXT SENT hello'],
  },
  'an ad without its click id': {
    body: () =>
      message({
        referral: { source_type: 'ad', welcome_message: { text: 'Hi' } },
      }),
    messages: ['IN TEXT SENT hello'],
  },
  'a time that is a number': {
    body: () => message({ timestamp: 1_697_043_223 }),
    messages: ['IN TEXT SENT hello'],
  },
  'errors in the older form': {
    body: () => message({ type: 'unsupported', errors: [{ code: 131_060, title: 'x', details: 'flat' }] }),
    messages: ['IN UNSUPPORTED SENT (131060)'],
  },
  'a status that nobody documents any more': {
    body: () => statusesBody(tenant, [{ id: 'wamid.1', status: 'deleted', timestamp: NOW }]),
  },
  'statuses of a group, one for each who is in it': {
    body: () =>
      statusesBody(
        tenant,
        ['1', '2'].map((participant) => ({
          id: 'wamid.group',
          status: 'delivered',
          timestamp: NOW,
          recipient_id: 'group',
          recipient_type: 'group',
          recipient_participant_id: participant,
        })),
      ),
    pending: ['wamid.group delivered', 'wamid.group delivered'],
  },
  'a status with numbers for texts, and its price inside': {
    body: () =>
      statusesBody(tenant, [
        {
          id: 'wamid.2',
          status: 'sent',
          timestamp: 1_697_043_223,
          conversation: { id: '1', expiration_timestamp: 1_697_043_223, pricing: { billable: true } },
        },
      ]),
    pending: ['wamid.2 sent'],
  },
  'history in two phases': {
    body: () =>
      change('history', {
        history: [
          {
            metadata: { phase: 0, chunk_order: 1, progress: 50 },
            threads: [
              {
                id: CUSTOMER,
                messages: [
                  { ...customerMessage(CUSTOMER), history_context: { status: 'READ' } },
                  {
                    ...customerMessage(tenant.displayPhoneNumber, { text: { body: 'ours' } }),
                    to: CUSTOMER,
                    history_context: { status: 'DELIVERED' },
                  },
                  { ...customerMessage(CUSTOMER, { type: 'media_placeholder' }) },
                ],
              },
            ],
          },
        ],
      }),
    messages: ['IN TEXT READ hello', 'OUT TEXT DELIVERED ours', 'IN UNSUPPORTED SENT'],
  },
  'history that nobody may have': {
    body: () => change('history', { history: [{ errors: [{ code: 2_593_109, title: 'declined' }] }] }),
  },
  'contacts of the app': {
    body: () =>
      change('smb_app_state_sync', {
        state_sync: [
          {
            type: 'contact',
            action: 'add',
            contact: { full_name: 'Ada', first_name: 'Ada', phone_number: CUSTOMER },
            metadata: { timestamp: NOW },
          },
        ],
      }),
  },
  'an echo of a sticker': {
    body: () =>
      echo(tenant, CUSTOMER, { type: 'sticker', sticker: { id: '1', mime_type: 'image/webp', sha256: 'x' } }),
    messages: ['OUT STICKER SENT'],
  },
  'preferences with a text for a time': {
    body: () =>
      change('user_preferences', {
        user_preferences: [
          { wa_id: CUSTOMER, category: 'marketing_messages', value: 'stop', detail: 'x', timestamp: NOW },
        ],
      }),
  },
  'a user id that was changed': {
    body: () =>
      change('user_id_update', {
        user_id_update: [
          { wa_id: CUSTOMER, detail: 'x', user_id: { previous: 'US.1', current: 'US.2' }, timestamp: NOW },
        ],
      }),
  },
  'a field nobody knows': {
    body: () => change('quantum_update', { event: 'X' }),
    kept: ['UNKNOWN_FIELD'],
  },
  'events of groups': {
    body: () => change('group_lifecycle_update', { groups: [{ group_id: '1', type: 'group_create' }] }),
  },
  'an error that is about nothing': {
    body: () => change('messages', { errors: [{ code: 130_429, title: 'x' }] }),
    kept: ['FAILED'],
  },
  'a partner that was added': {
    body: () => envelope('999', 'account_update', { event: 'PARTNER_ADDED', waba_info: { waba_id: '998' } }),
    kept: ['UNKNOWN_NUMBER'],
  },
  'a button of the business itself': {
    body: () =>
      messagesBody(
        tenant,
        [
          customerMessage(tenant.displayPhoneNumber, {
            type: 'button',
            button: { text: 'Yes', payload: 'y' },
          }),
        ],
        [{ wa_id: CUSTOMER }],
      ),
    messages: ['OUT INTERACTIVE SENT Yes'],
  },
};

describe.each(Object.keys(CASES))('%s', (name) => {
  it('leaves what it should, and its neighbours alone', async () => {
    const { body, messages = [], pending = [], kept = [] } = CASES[name]!;
    const [before, after] = [inbound(tenant, '4915199999999'), inbound(tenant, '4915199999999')];
    const entry = [before, body(), after].flatMap((one: Loose) => one.entry as Loose[]);
    const start = app.logs.length;
    await takeIn(app, { entry, object: 'whatsapp_business_account' });
    const state = await stateOf(app, agent, tenant.id);
    const neighbours = ['IN TEXT SENT hello', 'IN TEXT SENT hello'];
    expect({
      messages: state.messages.toSorted(),
      pending: state.pending,
      kept: state.kept.map((line) => line.split(' ')[0]),
    }).toEqual({ messages: [...messages, ...neighbours].sort(), pending, kept });
    expect(
      app.logs.slice(start).filter((line) => (JSON.parse(line) as { level: number }).level >= 50),
    ).toEqual([]);
  });
});

it('takes a thousand updates in one body, and one of 3 MB', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => customerMessage(CUSTOMER, { text: { body: `${i}` } }));
  await takeIn(app, messagesBody(tenant, many));
  const long = Array.from({ length: 40 }, (_, i) =>
    customerMessage(CUSTOMER, { text: { body: `${i} ${'x'.repeat(74_000)}` } }),
  );
  await takeIn(app, messagesBody(tenant, long));
  await settled(app);
  const rows = await app.sql<{ count: number }>(
    'SELECT count(*)::int FROM whatsapp_message WHERE tenant_id = $1',
    [tenant.id],
  );
  expect(rows[0]?.count).toBe(1040);
});
