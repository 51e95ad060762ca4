import { useApp, type TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { echo, inbound } from './support/bodies.js';
import { APP_SECRET, deliver, hire, operator, registerTenant, settled, takeIn } from './support/channel.js';
import { phoneNumberIdOf, readRecorded, wabaIdOf, type Recorded } from './support/recorded.js';
import { stateOf, type ChannelState } from './support/state.js';

/**
 * Every recorded body: what an agent reads afterwards, what the agent's device is told meanwhile, what is kept for
 * later or for inspection, and what becomes of the tenant. Bodies are sent byte for byte.
 */
const app = useApp({ env: { APP_SECRET } });
const recorded = new Map(readRecorded().map((one) => [one.name, one]));

interface Row {
  /** What happened before: `OUT wamid to` or `IN wamid from`, a text each. */
  before?: string;
  /** The conversation as an agent reads it: direction, type, status, text, and what else there is to see. */
  messages?: string[];
  /** What an agent's device is told. */
  events?: string[];
  /** Statuses and changes that wait for their message: its wamid and what they are. */
  pending?: string[];
  /** What is kept for inspection: the reason and the place. */
  kept?: string[];
  /** The tenant's status, when it is not active. */
  tenant?: string;
}

const NEW = ['new-chat', 'new-message'];
/** It leaves nothing unread. */
const NEW_AND_READ = [...NEW, 'chat-read'];
const STATUS = ['message-status-update'];
const J_TEXT = 'wamid.nBgN6TUyN2k5NzAzM5kzNhUCABI8FDNFQjAxQkE5REI4NEUzQ5Y5QTNgAA==';

/** One line a file. */
const PAYLOADS: Record<string, Row> = {
  'javaapi-account-banned': {},
  'javaapi-account-restricted': { tenant: 'restricted' },
  'javaapi-account-review': {},
  // The customer's number was made the business's when it was recorded, so it is an outgoing one.
  'javaapi-audio-message': { messages: ['OUT AUDIO SENT'], events: NEW_AND_READ },
  'javaapi-button-message': { messages: ['IN INTERACTIVE SENT SIM'], events: NEW },
  'javaapi-contact-message': { messages: ['IN CONTACTS SENT Person Ok'], events: NEW },
  'javaapi-document-message': { messages: ['OUT DOCUMENT SENT'], events: NEW_AND_READ },
  'javaapi-image-message': { messages: ['IN IMAGE SENT'], events: NEW },
  'javaapi-location-message': { messages: ['IN LOCATION SENT'], events: NEW },
  'javaapi-media-upload-error': {
    before: 'OUT wamid.HBgNNTUyNzk5NzAUZBQTI3MzRGRDA3MjgzMDkzNhUCABEYEjNCR2OQA= 1111111111111',
    messages: ['OUT TEXT FAILED before (131053)'],
    events: STATUS,
  },
  'javaapi-message-deleted': { messages: ['IN UNSUPPORTED SENT (131051)'], events: NEW },
  'javaapi-phone-number-name-update': {},
  'javaapi-quality-update': {},
  'javaapi-re-engagement-message-error': {
    before: 'OUT wamid.HBgNN5NzAzMDkTUyNzkzNhUEjA1MjUwNCAUIyNEYUQ0OTVGNTY0MwA= 5511111111111',
    messages: ['OUT TEXT FAILED before (131047)'],
    events: STATUS,
  },
  'javaapi-react-message': {
    before: `OUT ${J_TEXT} 1111111111111`,
    messages: ['OUT TEXT SENT before 👍'],
    events: ['message-reaction'],
  },
  'javaapi-rejected-template': {},
  'javaapi-sticker-message': { messages: ['IN STICKER SENT'], events: NEW },
  'javaapi-template-scheduling-for-disabling': {},
  'javaapi-text-message-status-delivered': {
    before: `OUT ${J_TEXT} 1111111111111`,
    messages: ['OUT TEXT DELIVERED before'],
    events: STATUS,
  },
  'javaapi-text-message-status-sent': { pending: [`${J_TEXT} sent`] },
  'javaapi-text-message': { messages: ['IN TEXT SENT hi everyone!'], events: NEW },
  'javaapi-text-message2': { messages: ['OUT TEXT SENT Good afternoon'], events: NEW_AND_READ },
  'javaapi-verified-account': {},
  'javaapi-video-message': { messages: ['IN VIDEO SENT hello world'], events: NEW },
  'pywa-account-update-account-disabled': {},
  'pywa-account-update-account-offboarded': { tenant: 'disconnected' },
  'pywa-account-update-account-restriction': { tenant: 'restricted' },
  'pywa-account-update-partner-removed': { tenant: 'disconnected' },
  'pywa-call-connect-user-initiated': {},
  'pywa-call-permission-update-accept': { messages: ['IN INTERACTIVE SENT'], events: NEW },
  'pywa-call-status-call-status': {},
  'pywa-call-terminate-call-terminate': {
    messages: ['OUT SYSTEM SENT Call of 2:00 minutes'],
    events: NEW_AND_READ,
  },
  'pywa-callback-button-button': { messages: ['IN INTERACTIVE SENT title'], events: NEW },
  'pywa-callback-button-quick-reply-without-context': {
    messages: ['IN INTERACTIVE SENT title'],
    events: NEW,
  },
  'pywa-callback-button-quick-reply': { messages: ['IN INTERACTIVE SENT title'], events: NEW },
  'pywa-callback-selection-callback': { messages: ['IN INTERACTIVE SENT title'], events: NEW },
  'pywa-callback-selection-description': { messages: ['IN INTERACTIVE SENT title'], events: NEW },
  'pywa-deleted-message-revoke': { pending: ['<ORIGINAL_WHATSAPP_MESSAGE_ID> REVOKE'] },
  'pywa-edited-message-image': {
    before: 'IN wamid.HBgLMTQxMjU1NTA4MjkVAgASGBQzQUNCNjk5RDUwNUZGMUZEM0VBRAA= 16505551234',
    messages: ['IN TEXT SENT Updated image caption edited'],
    events: ['message-edited'],
  },
  'pywa-flow-completion-completion': { messages: ['IN INTERACTIVE SENT Sent'], events: NEW },
  'pywa-flow-completion-without-flow-token': { messages: ['IN INTERACTIVE SENT Sent'], events: NEW },
  'pywa-message-animated-sticker': { messages: ['IN STICKER SENT'], events: NEW },
  'pywa-message-audio': { messages: ['IN AUDIO SENT forwarded'], events: NEW },
  'pywa-message-chosen-location': {
    messages: ['IN LOCATION SENT Facebook HQ, 1 Hacker Way, Menlo Park, CA 94025 forwarded'],
    events: NEW,
  },
  'pywa-message-contacts': {
    messages: ['IN CONTACTS SENT Chandler Bing, Monica, Rachel Green'],
    events: NEW,
  },
  'pywa-message-current-location': { messages: ['IN LOCATION SENT forwarded'], events: NEW },
  'pywa-message-document': { messages: ['IN DOCUMENT SENT caption forwarded'], events: NEW },
  'pywa-message-forwarded-many-times': {
    messages: ['IN TEXT SENT text forwarded many times forwarded'],
    events: NEW,
  },
  'pywa-message-forwarded': { messages: ['IN TEXT SENT forwarded text forwarded'], events: NEW },
  'pywa-message-image': { messages: ['IN IMAGE SENT'], events: NEW },
  'pywa-message-interactive-message-with-err': {
    messages: ['IN UNSUPPORTED SENT (131000)'],
    events: NEW,
  },
  'pywa-message-media-with-url': { messages: ['IN IMAGE SENT'], events: NEW },
  'pywa-message-order': { messages: ['IN INTERACTIVE SENT'], events: NEW },
  'pywa-message-reaction': {
    before: 'OUT wamid.yzxyzx= 972987654321',
    messages: ['OUT TEXT SENT before 😮'],
    events: ['message-reaction'],
  },
  'pywa-message-referral': { messages: ['IN TEXT SENT BODY'], events: NEW },
  'pywa-message-reply': {
    before: 'OUT wamid.xyzxyz== 972987654321',
    messages: ['OUT TEXT SENT before', 'IN TEXT SENT replied text reply'],
    // Their name is known now.
    events: ['chat-updated', 'new-message'],
  },
  'pywa-message-static-sticker': { messages: ['IN STICKER SENT'], events: NEW },
  'pywa-message-status-delivered': {
    before: 'OUT wamid.xyzxyz 972987654321',
    messages: ['OUT TEXT DELIVERED before'],
    events: STATUS,
  },
  'pywa-message-status-failed': {
    before: 'OUT wamid.xyzxyz 972987654321',
    messages: ['OUT TEXT FAILED before (130472)'],
    events: STATUS,
  },
  'pywa-message-status-group': { pending: ['<WHATSAPP_MESSAGE_ID> read'] },
  'pywa-message-status-played': {
    before: 'OUT wamid.xyzxyz 972987654321',
    messages: ['OUT TEXT READ before'],
    events: STATUS,
  },
  'pywa-message-status-read': {
    before: 'OUT wamid.xyzxyz 972987654321',
    messages: ['OUT TEXT READ before'],
    events: STATUS,
  },
  'pywa-message-status-sent': { pending: ['wamid.xyzxyz sent'] },
  'pywa-message-status-with-tracker': {
    before: 'OUT wamid.xyzxyz 972987654321',
    messages: ['OUT TEXT SENT before'],
  },
  'pywa-message-text': { messages: ['IN TEXT SENT Body Text'], events: NEW },
  'pywa-message-unreaction-empty': {
    before: 'OUT wamid.yzxyzx= 972987654321',
    messages: ['OUT TEXT SENT before'],
  },
  'pywa-message-unreaction-no-emoji': {
    before: 'OUT wamid.yzxyzx= 972987654321',
    messages: ['OUT TEXT SENT before'],
  },
  'pywa-message-unsupported-with-type': { messages: ['IN UNSUPPORTED SENT (131051)'], events: NEW },
  'pywa-message-unsupported': { messages: ['IN UNSUPPORTED SENT (131051)'], events: NEW },
  'pywa-message-video': { messages: ['IN VIDEO SENT caption forwarded'], events: NEW },
  'pywa-message-voice': { messages: ['IN AUDIO SENT'], events: NEW },
  'pywa-outgoing-message-delete': {
    before: 'OUT wamid.zzzzzz 972123456789',
    messages: ['OUT TEXT SENT deleted'],
    events: ['message-deleted'],
  },
  'pywa-outgoing-message-edit': {
    before: 'OUT wamid.zzzzzz 972123456789',
    messages: ['OUT TEXT SENT Text was edited edited'],
    events: ['message-edited'],
  },
  'pywa-outgoing-message-text': { messages: ['OUT TEXT SENT Test message'], events: NEW_AND_READ },
  'pywa-system-identity-change': { messages: ['IN SYSTEM SENT User identity changed'], events: NEW_AND_READ },
  'pywa-system-phone-number-change': {
    messages: ['IN SYSTEM SENT User A changed from 972987654321 to 972912345678'],
    events: [...NEW_AND_READ, 'chat-updated'],
  },
  'pywa-template-category-update-marketing': {},
  'pywa-template-components-update-element': {},
  'pywa-template-quality-update-yellow': {},
  'pywa-template-status-update-approved': {},
  'pywa-template-status-update-rejected': {},
  'pywa-user-marketing-preferences-resume': {},
};

const RAVI = 'wamid.HBgMOTE5OTY3NTc4NzIwFQIAEhggMTIzQURFRjEyMzQ1Njc4OTA=';
const NEHA = 'wamid.HBgMOTI5OTY3NjczODIwFQIAEhggQ0FBQkNERUYwMDFGRjEyMzQ1NkZGQTk5RTJCM0I2NzY=';
const TO_NEHA = 'wamid.HBgMOTI5OTY3NjczODIwFQIAEhggM0RFNDkxRjEwNDhDQzgwMzk3NzA1ODc1RkU3QzI0MzU=';
const RAVI_ASKS = 'Hi, I’d like to know more about your services.';
const RAVI_IS_TOLD =
  "Hi Ravi! Sure, I’d be happy to help you with that. Could you tell me what you're looking for?";
const NEHA_ASKS = 'Hi, I saw your ad. Can you share more details?';
const NEHA_IS_TOLD =
  'Hi Neha! Absolutely. We offer curated home decor pieces—are you looking for nameplates, wall art, or something else?';

const SAMPLES: Record<string, Row> = {
  conversation_1_message_1: { messages: [`IN TEXT SENT ${RAVI_ASKS}`], events: NEW },
  conversation_1_message_2: { messages: [`OUT TEXT SENT ${RAVI_IS_TOLD}`], events: NEW_AND_READ },
  conversation_1_status_1: {
    before: `IN ${RAVI} 919937320320`,
    messages: ['IN TEXT DELIVERED before'],
    events: STATUS,
  },
  conversation_1_status_2: {
    before: `IN ${RAVI} 919937320320`,
    messages: ['IN TEXT READ before'],
    events: STATUS,
  },
  conversation_2_message_1: { messages: [`IN TEXT SENT ${NEHA_ASKS}`], events: NEW },
  conversation_2_message_2: { messages: [`OUT TEXT SENT ${NEHA_IS_TOLD}`], events: NEW_AND_READ },
  conversation_2_status_1: { pending: [`${NEHA} sent`] },
  conversation_2_status_2: {
    before: `OUT ${TO_NEHA} 929967673820`,
    messages: ['OUT TEXT DELIVERED before'],
    events: STATUS,
  },
  conversation_2_status_delivered: {
    before: `IN ${NEHA} 929967673820`,
    messages: ['IN TEXT DELIVERED before'],
    events: STATUS,
  },
  conversation_2_status_read: {
    before: `OUT ${TO_NEHA} 929967673820`,
    messages: ['OUT TEXT READ before'],
    events: STATUS,
  },
};

const ROWS: readonly (readonly [string, Row])[] = [
  ...Object.entries(PAYLOADS).map(([name, row]) => [`payloads/${name}.json`, row] as const),
  ...Object.entries(SAMPLES).map(([name, row]) => [`samples/${name}.json`, row] as const),
];

let agent: TestPerson;

beforeAll(async () => {
  agent = await app.registerUser({ name: 'Agent' });
});

it('has a line for each of the 92 bodies', () => {
  expect(ROWS.map(([name]) => name).sort()).toEqual([...recorded.keys()].sort());
  expect(ROWS).toHaveLength(92);
});

/** A tenant with the number and the account of a body, even where the body holds placeholders. */
async function makeTenant({ body }: Recorded): Promise<{ id: string; displayPhoneNumber: string }> {
  const tenant = await registerTenant(app);
  const phoneNumberId = phoneNumberIdOf(body) ?? (isSample(body) ? SAMPLE_NUMBER : tenant.phoneNumberId);
  const displayPhoneNumber =
    /"display_phone_number":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? '15550001111';
  await app.sql(
    'UPDATE tenant SET phone_number_id = $2, waba_id = $3, display_phone_number = $4 WHERE id = $1',
    [tenant.id, phoneNumberId, wabaIdOf(body), displayPhoneNumber],
  );
  await hire(app, tenant, agent);
  return { id: tenant.id, displayPhoneNumber };
}

const SAMPLE_NUMBER = '629305560276479';
const isSample = (body: object): boolean => 'metaData' in body;

const TABLES = [
  'whatsapp_message',
  'pending_status',
  'channel_change',
  'webhook_dead_letter',
  'webhook_event',
];

/** The number is free again, and so are the wamids: the next body may use the same. */
async function forget(tenantId: string): Promise<void> {
  await operator(app).delete(`/api/tenants/${tenantId}`);
  for (const table of TABLES) await app.sql(`DELETE FROM ${table}`);
}

async function prepare(one: Recorded, row: Row): Promise<string> {
  const { id, displayPhoneNumber } = await makeTenant(one);
  const [direction, wamid = '', customer = ''] = row.before?.split(' ') ?? [];
  if (direction !== undefined) {
    const number = {
      phoneNumberId: phoneNumberIdOf(one.body) ?? SAMPLE_NUMBER,
      wabaId: wabaIdOf(one.body) ?? '1',
      displayPhoneNumber,
    };
    const text = { id: wamid, text: { body: 'before' } };
    await takeIn(app, direction === 'IN' ? inbound(number, customer, text) : echo(number, customer, text));
  }
  return id;
}

function expectedOf(row: Row): ChannelState {
  return {
    messages: row.messages ?? [],
    pending: row.pending ?? [],
    kept: row.kept ?? [],
    tenant: row.tenant ?? 'active',
  };
}

describe.each(ROWS)('%s', (name, row) => {
  let tenantId: string;

  afterEach(() => forget(tenantId));

  it('gives what it should, and nothing more when it comes again', async () => {
    const one = recorded.get(name);
    if (!one) throw new Error('no such body');
    tenantId = await prepare(one, row);
    const socket = await app.connect(agent);
    await socket.ok('app-opened', {});
    socket.forget();

    await takeIn(app, one.raw);
    await eventually(
      () => socket.barrier().then(() => socket.received.length),
      (count) => count >= (row.events ?? []).length,
    ).catch(() => undefined);
    expect(await stateOf(app, agent, tenantId)).toEqual(expectedOf(row));
    expect(socket.received.map(({ event }) => event).sort()).toEqual((row.events ?? []).toSorted());

    socket.forget();
    await deliver(app, one.raw);
    await deliver(app, one.raw);
    await settled(app);
    await socket.barrier();
    const again = await stateOf(app, agent, tenantId);
    expect({ ...again, kept: [...new Set(again.kept)] }).toEqual(expectedOf(row));
    expect(socket.received.map(({ event }) => event)).toEqual([]);
    socket.disconnect();
  });
});
