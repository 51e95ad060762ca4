import type { TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { PNG } from '../support/pictures.js';
import { TYPING_EVERY_MS } from '../../src/whatsapp/outbound/read-receipts.js';
import { SEND_SWEEP_MS } from '../../src/whatsapp/outbound/dispatcher.js';
import { APP_SECRET, hire } from './support/channel.js';
import {
  awaitSettled,
  awaitStored,
  connectTenant,
  makeCustomer,
  useStage,
  writes,
  type ConnectedTenant,
} from './support/sending.js';

const stage = useStage();
let ann: TestPerson;
let ben: TestPerson;
let tenant: ConnectedTenant;
let waId: string;
let chatId: string;

beforeAll(async () => {
  [ann, ben] = await Promise.all([
    stage.app.registerUser({ name: 'Ann' }),
    stage.app.registerUser({ name: 'Ben' }),
  ]);
});

beforeEach(async () => {
  tenant = await connectTenant(stage);
  for (const agent of [ann, ben]) await hire(stage.app, tenant, agent);
  waId = await makeCustomer(stage.app, tenant);
  chatId = await chatOf(waId);
});

async function chatOf(customer: string): Promise<string> {
  const rows = await stage.app.sql<{ chat_id: string }>(
    'SELECT k.chat_id FROM conversation k JOIN customer c ON c.id = k.customer_id WHERE c.wa_id = $1 AND k.tenant_id = $2',
    [customer, tenant.id],
  );
  return rows[0]?.chat_id ?? '';
}

/** What Meta was told of the tenant's number, once there are so many. */
function receipts(count: number): Promise<{ wamid: string; typing: boolean }[]> {
  return eventually(
    async () => {
      await stage.app.sql('SELECT 1');
      return stage.graph.receipts
        .filter(({ phoneNumberId }) => phoneNumberId === tenant.phoneNumberId)
        .map(({ wamid, typing }) => ({ wamid, typing }));
    },
    (told) => told.length >= count,
  );
}

describe('an agent', () => {
  it('sends by socket and by REST; both agents see it queued, sent and read', async () => {
    const { app, graph } = stage;
    const [anns, bens] = [await app.connect(ann), await app.connect(ben)];
    const message = await anns.ok('send-message', { chatId, clientId: 'one', text: 'hello' });
    expect(message).toMatchObject({
      status: 'QUEUED',
      senderId: ann.id,
      whatsapp: { direction: 'OUT', to: waId },
    });
    expect(await bens.next('new-message')).toMatchObject({ message: { id: message.id } });
    expect(await anns.next('message-status-update')).toMatchObject({ status: 'SENT', messageId: message.id });
    expect(await anns.ok('send-message', { chatId, clientId: 'one', text: 'hello' })).toMatchObject({
      id: message.id,
    });
    const [accepted] = graph.sentTo(waId);
    if (!accepted) throw new Error('it was not sent');
    await graph.tellStatus(`${app.url}/whatsapp/webhook`, APP_SECRET, accepted, 'read');
    expect(await bens.next('message-status-update', ({ status }) => status === 'READ')).toMatchObject({
      messageId: message.id,
    });

    const answer = await ben.http.post(`/api/chats/${chatId}/messages`, {
      text: 'by REST',
      replyToId: message.id,
    });
    expect([answer.status, answer.data]).toMatchObject([
      201,
      { senderId: ben.id, replyTo: { id: message.id } },
    ]);
    await awaitSettled(app, answer.data.id as string);
    expect(graph.sentTo(waId)[1]?.body).toMatchObject({
      text: { body: 'by REST' },
      context: { message_id: accepted.wamid },
    });
    const pages = await ann.http.get(`/api/chats/${chatId}/messages`);
    expect(pages.data).toMatchObject([
      { text: 'by REST', status: 'SENT' },
      { text: 'hello', status: 'READ' },
      {},
    ]);
  });

  it('sends a file, as a document where WhatsApp takes no such picture', async () => {
    const { app, graph } = stage;
    const answer = await ann.http.multipart('POST', `/api/chats/${chatId}/messages`, { text: 'look' }, [
      { name: 'media', fileName: 'dot.png', content: PNG },
    ]);
    expect(answer.status).toBe(201);
    await awaitSettled(app, answer.data.id as string);
    expect(graph.sentTo(waId)[0]?.body).toMatchObject({ type: 'image', image: { caption: 'look' } });
  });

  it('is refused when the window is closed, and what is too long for a caption', async () => {
    const { app, clock } = stage;
    const long = await ann.http.multipart(
      'POST',
      `/api/chats/${chatId}/messages`,
      { text: 'x'.repeat(1025) },
      [{ name: 'media', fileName: 'dot.png', content: PNG }],
    );
    expect([long.status, long.code]).toEqual([422, 'NOT_IN_WHATSAPP']);
    await app.sql('UPDATE conversation SET window_expires_at = $2 WHERE chat_id = $1', [chatId, clock.now()]);
    const socket = await app.connect(ann);
    expect(await socket.emit('send-message', { chatId, clientId: 'late', text: 'late' })).toMatchObject({
      code: 'WINDOW_CLOSED',
    });
    const rest = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'late' });
    expect([rest.status, rest.code]).toEqual([422, 'WINDOW_CLOSED']);
  });

  it('reacts for the business, which has one reaction', async () => {
    const { app, graph } = stage;
    const bens = await app.connect(ben);
    const react = (person: TestPerson, emoji: string): Promise<{ status: number }> =>
      person.http.post(`/api/chats/messages/${chatId}.1/reactions`, { emoji });
    expect((await react(ann, '👍')).status).toBe(200);
    expect(await bens.next('message-reaction')).toMatchObject({
      userId: ann.id,
      emoji: '👍',
      action: 'added',
    });
    expect((await react(ben, '🎉')).status).toBe(200);
    const shown = await ann.http.get(`/api/chats/${chatId}/messages`);
    expect(shown.data[0].reactions).toEqual([{ emoji: '🎉', userIds: [ben.id] }]);
    await eventually(
      async () => {
        await app.sql('SELECT 1');
        return graph.sentTo(waId).length;
      },
      (count) => count === 2,
    );
    expect(graph.sentTo(waId).map(({ body }) => (body.reaction as { emoji: string }).emoji)).toEqual([
      '👍',
      '🎉',
    ]);
  });
});

describe('Meta is told', () => {
  it('of the last message that the team has read, once', async () => {
    const { app, clock } = stage;
    const wamid = await writes(app, tenant, waId);
    const anns = await app.connect(ann);
    await anns.ok('mark-read', { chatId, upToSeq: 2 });
    expect(await receipts(1)).toEqual([{ wamid, typing: false }]);
    await ben.http.post(`/api/chats/${chatId}/messages/read`, {});
    clock.advance(SEND_SWEEP_MS);
    await awaitSettled(
      app,
      (await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'x' })).data.id as string,
    );
    expect(await receipts(1)).toHaveLength(1);
  });

  it('when an agent answers what was unread', async () => {
    const { app } = stage;
    const wamid = await writes(app, tenant, waId);
    await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'answer' });
    expect(await receipts(1)).toEqual([{ wamid, typing: false }]);
  });

  it('not by the tenant’s own systems, which read nothing', async () => {
    const { app, clock } = stage;
    await writes(app, tenant, waId);
    const sent = await tenant.http.post(`/api/tenants/${tenant.id}/send`, { to: `+${waId}`, text: 'x' });
    await awaitSettled(app, sent.data.messageId as string);
    clock.advance(SEND_SWEEP_MS);
    await app.sql('SELECT 1');
    expect(await receipts(0)).toEqual([]);
  });

  it('later, when it could not be reached', async () => {
    const { app, graph, clock } = stage;
    const wamid = await writes(app, tenant, waId);
    graph.plan('read', { code: 4, httpStatus: 429 });
    await ann.http.post(`/api/chats/${chatId}/messages/read`, {});
    await eventually(
      async () => {
        await app.sql('SELECT 1');
        return graph.log.filter((line) => line === 'read 429').length;
      },
      (count) => count >= 1,
    );
    expect(await receipts(0)).toEqual([]);
    clock.advance(SEND_SWEEP_MS);
    expect(await receipts(1)).toEqual([{ wamid, typing: false }]);
  });

  it('that somebody is typing, at most every 20 seconds', async () => {
    const { app, clock } = stage;
    const wamid = await writes(app, tenant, waId);
    const anns = await app.connect(ann);
    await anns.ok('join-chat', { chatId });
    await anns.ok('typing', { chatId, isTyping: true });
    expect(await receipts(1)).toEqual([{ wamid, typing: true }]);
    await anns.ok('typing', { chatId, isTyping: false });
    await anns.ok('typing', { chatId, isTyping: true });
    clock.advance(TYPING_EVERY_MS - 1);
    await anns.ok('typing', { chatId, isTyping: true });
    await awaitStored(app, `${chatId}.1`, () => true);
    expect(await receipts(1)).toHaveLength(1);
    clock.advance(1);
    await anns.ok('typing', { chatId, isTyping: true });
    expect(await receipts(2)).toHaveLength(2);
  });
});
