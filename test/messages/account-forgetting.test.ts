import { useApp, type TestPerson } from '../support/app.js';
import { SyncStore } from '../support/sync-store.js';
import { makeGroup, makePair, makePrivateChat } from '../support/people.js';

const app = useApp();
const leaveForGood = (person: TestPerson) =>
  person.http.delete('/api/auth/delete-profile', { password: person.password });
const messagesOf = async (person: TestPerson, chatId: string) =>
  (await person.http.get(`/api/chats/${chatId}/messages?afterSeq=0&limit=100`)).data;

it('leaves revisions without a name and without reactions, which sync hands out', async () => {
  const { ann, ben, chatId } = await makePair(app);
  const group = await makeGroup(ben, [await app.registerUser()]);
  await ben.http.post(`/api/chats/${group}/members`, { userIds: [ann.id] });
  const mine = await ann.http.post(`/api/chats/${chatId}/messages`, { text: 'from Ann' });
  await ben.http.post(`/api/chats/${chatId}/messages`, { text: 'to it', replyToId: mine.data.id });
  const groups = await ben.http.post(`/api/chats/${group}/messages`, { text: 'from Ben' });
  await ann.http.post(`/api/chats/messages/${groups.data.id}/reactions`, { emoji: '👍' });
  await ben.http.post(`/api/chats/messages/${groups.data.id}/reactions`, { emoji: '👍' });
  const device = new SyncStore(ben.http);
  await device.sync();

  expect((await leaveForGood(ann)).status).toBe(200);
  const history = await messagesOf(ben, chatId);
  expect(history).toMatchObject([
    { rev: 2, senderId: null, text: 'from Ann' },
    { rev: 1, senderId: ben.id, replyTo: { senderId: null, text: 'from Ann' } },
  ]);
  const inGroup = await messagesOf(ben, group);
  expect(inGroup.find(({ id }: { id: string }) => id === groups.data.id)).toMatchObject({
    rev: 4,
    reactions: [{ emoji: '👍', userIds: [ben.id] }],
  });
  await device.sync();
  const known = (chat: string) =>
    [...device.messages.values()].filter((message) => message.chatId === chat).sort((a, b) => a.seq - b.seq);
  expect(known(chatId)).toEqual(history);
  expect(known(group)).toEqual(inGroup);
});

it('forgets more than one step holds, in every chat, also in those that were left before', async () => {
  // All of the chats were made by the others, so that nothing else changes them with the account.
  const { ann: ben, ben: ann, chatId } = await makePair(app);
  const cid = await app.registerUser();
  const other = await makePrivateChat(cid, ann);
  const asked = { type: 'GROUP', name: 'Garden', participantIds: [ann.id] };
  const group = (await cid.http.post('/api/chats', asked)).data.id as string;
  await app.sql(
    `WITH written AS (
       INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, mentions, created_at)
       SELECT c.id, i, $1, 's:' || i, 'TEXT', 'text ' || i, '{}', now()
       FROM unnest($2::uuid[]) AS c (id) CROSS JOIN generate_series(1, 700) AS i
       RETURNING chat_id, seq
     ), reacted AS (
       INSERT INTO reaction (chat_id, seq, user_id, emoji, rev, reacted_at)
       SELECT w.chat_id, w.seq, $1, '👍', 1, now() FROM written w WHERE w.seq <= 400
     )
     UPDATE chat SET last_seq = 700 WHERE id = ANY ($2::uuid[])`,
    [ann.id, [chatId, other, group]],
  );
  expect((await ann.http.post(`/api/chats/${group}/leave`)).status).toBe(200);
  const [before] = await app.sql<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  expect((await leaveForGood(ann)).status).toBe(200);
  const [left] = await app.sql(
    `SELECT (SELECT count(*)::int FROM message WHERE sender_id = $1) AS messages,
       (SELECT count(*)::int FROM reaction WHERE user_id = $1) AS reactions,
       (SELECT count(*)::int FROM message m WHERE m.chat_id = ANY ($2) AND m.type = 'TEXT'
          AND (m.rev <> CASE WHEN m.seq <= 400 THEN 3 ELSE 2 END OR m.changed_tx <= $3::xid8)) AS unrevised,
       (SELECT count(*)::int FROM chat c WHERE c.id = ANY ($2) AND c.changed_tx <= $3::xid8) AS untold`,
    [ann.id, [chatId, other, group], before?.xid],
  );
  expect(left).toEqual({ messages: 0, reactions: 0, unrevised: 0, untold: 0 });
  expect((await messagesOf(ben, chatId))[0]).toMatchObject({ rev: 3, senderId: null, reactions: [] });
});

it('forgets all while the person goes on writing and reacting, and others edit and react', async () => {
  const { ann, ben, chatId } = await makePair(app);
  const ids: string[] = [];
  for (const person of [ann, ben, ann, ben]) {
    ids.push((await person.http.post(`/api/chats/${chatId}/messages`, { text: 'before' })).data.id);
  }
  const busy = (person: TestPerson, own: string[]) =>
    Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const answers = [
          await person.http.post(`/api/chats/${chatId}/messages`, { text: `while ${i}` }),
          await person.http.post(`/api/chats/messages/${ids[i % 4]}/reactions`, {
            emoji: i % 2 === 0 ? '👍' : '🎉',
          }),
          await person.http.patch(`/api/chats/messages/${own[i % 2]}`, { text: `edit ${i}` }),
        ];
        return answers.map(({ status }) => status);
      }),
    );
  const [gone, ...statuses] = await Promise.all([
    leaveForGood(ann),
    busy(ann, [ids[0]!, ids[2]!]),
    busy(ben, [ids[1]!, ids[3]!]),
  ]);
  expect(gone.status).toBe(200);
  expect(statuses.flat(2).filter((status) => status >= 500)).toEqual([]);
  expect(statuses[1].flat().every((status) => status < 300)).toBe(true);
  const messages = await messagesOf(ben, chatId);
  expect(messages.filter(({ senderId }: { senderId: string | null }) => senderId === ann.id)).toEqual([]);
  expect(JSON.stringify(messages.map(({ reactions }: { reactions: unknown }) => reactions))).not.toContain(
    ann.id,
  );
  const left = await app.sql('SELECT 1 FROM reaction WHERE user_id = $1', [ann.id]);
  expect(left).toEqual([]);
});
