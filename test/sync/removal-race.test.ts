import pg from 'pg';
import type { SyncBody } from '../../src/sync/sync.dto.js';
import { useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { makeContacts } from '../support/people.js';
import { SyncStore } from '../support/sync-store.js';

const app = useApp();
const SENDS = 1_000;
const SENDERS = 8;
const REMOVED_AFTER = 300;

it('gives a removed person nothing from their removal on, however many sends race it', async () => {
  const [ann, ben, cid] = await Promise.all([
    app.registerUser({ name: 'Ann' }),
    app.registerUser({ name: 'Ben' }),
    app.registerUser({ name: 'Cid' }),
  ]);
  await makeContacts(ann, ben);
  await makeContacts(ann, cid);
  const group = { type: 'GROUP', name: 'Race', participantIds: [ben.id, cid.id] };
  const chatId = (await ann.http.post('/api/chats', group)).data.id as string;
  const device = new SyncStore(ben.http);
  await device.sync();

  const pages: SyncBody[] = [];
  let isDone = false;
  const syncing = Promise.all(
    [50, 2_000].map(async (limit) => {
      const each = new SyncStore(ben.http);
      while (!isDone) pages.push(...(await each.sync(limit)));
      pages.push(...(await each.sync(limit)));
      return each;
    }),
  );

  let sent = 0;
  let removal: Promise<void> | undefined;
  const remove = async (): Promise<void> => {
    const answer = await ann.http.delete(`/api/chats/${chatId}/members/${ben.id}`);
    expect(answer.status).toBe(200);
    // What was said before becomes something that Ben is not to know.
    for (let seq = 1; seq <= 20; seq++) {
      const edit = { text: 'not for Ben' };
      for (const person of [ann, cid]) await person.http.patch(`/api/chats/messages/${chatId}.${seq}`, edit);
    }
  };
  const sockets = await Promise.all([ann, cid].map((person) => app.connect(person)));
  await Promise.all(
    Array.from({ length: SENDERS }, async (_, i) => {
      while (sent < SENDS) {
        if (++sent === REMOVED_AFTER) removal = remove();
        await sockets[i % 2]!.ok('send-message', { chatId, clientId: `send ${i} ${sent}`, text: 'text' });
      }
    }),
  );
  await removal;
  isDone = true;
  const devices = await syncing;
  const last = await device.sync();

  const { data: history } = await ann.http.get(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`);
  expect(history[0].text).toBe('not for Ben');
  const [removedBy] = await app.sql<{ seq: number }>(
    `SELECT seq FROM message WHERE chat_id = $1 AND type = 'SYSTEM'`,
    [chatId],
  );
  const removedAt = removedBy!.seq;
  expect(removedAt).toBeGreaterThan(1);
  expect(removedAt).toBeLessThan(SENDS);

  pages.push(...last);
  const messages = pages.flatMap((page) => [
    ...page.messages,
    ...page.chats.flatMap((chat) => chat.lastMessage ?? []),
  ]);
  expect(messages.length).toBeGreaterThan(0);
  expect(messages.filter(({ seq }) => seq >= removedAt)).toEqual([]);
  expect(messages.filter(({ text }) => text === 'not for Ben')).toEqual([]);
  expect(pages.flatMap((page) => page.chats).filter(({ lastSeq }) => lastSeq >= removedAt)).toEqual([]);
  for (const each of [...devices, device]) {
    expect(each.chats.has(chatId)).toBe(false);
    expect(each.messages.size).toBe(0);
  }
  expect(last.flatMap((page) => page.removed.chats)).toEqual([chatId]);
}, 120_000);

it('sends nothing of a chat that is lost between finding and reading', async () => {
  const [ann, ben] = await Promise.all([
    app.registerUser({ name: 'Ann' }),
    app.registerUser({ name: 'Ben' }),
  ]);
  await makeContacts(ann, ben);
  const group = { type: 'GROUP', name: 'Lost', participantIds: [ben.id] };
  const chatId = (await ann.http.post('/api/chats', group)).data.id as string;
  for (const text of ['first', 'last']) await ann.http.post(`/api/chats/${chatId}/messages`, { text });
  await ann.http.patch(`/api/chats/messages/${chatId}.2`, { text: 'last, edited' });

  // The last message has a revision, so the chat is shown only after its reactions were looked for.
  const holder = new pg.Client({ connectionString: app.databaseUrl });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE reaction IN ACCESS EXCLUSIVE MODE');
  const syncing = ben.http.post<SyncBody>('/api/sync', {});
  await eventually(
    () => app.sql(`SELECT FROM pg_locks WHERE relation = 'reaction'::regclass AND NOT granted`),
    (waiting) => waiting.length > 0,
  );
  expect((await ann.http.delete(`/api/chats/${chatId}/members/${ben.id}`)).status).toBe(200);
  const edit = await ann.http.patch(`/api/chats/messages/${chatId}.1`, { text: 'not for Ben' });
  expect(edit.status).toBe(200);
  await holder.query('COMMIT');
  await holder.end();

  const { data } = await syncing;
  expect([data.chats, data.messages]).toEqual([[], []]);
  const { data: next } = await ben.http.post<SyncBody>('/api/sync', { cursor: data.cursor });
  expect(next.removed.chats).toEqual([chatId]);
});
