import { useApp } from '../support/app.js';
import { createGroup, expectNoGaps, historyOf, makeFriends } from './group-support.js';

const app = useApp();

const SENDS = 1_000;
const SENDERS = 20;

/**
 * 1,000 sends race the removal of a member. Where the removal stands in the chat, its SYSTEM message says: what is
 * below it is the removed person's, what is above never reaches them, whichever way they look.
 */
it('gives who is removed during 1,000 sends nothing at or above the SYSTEM message of the removal', async () => {
  const [ann, ben, cid] = await makeFriends(app, ['Ann', 'Ben', 'Cid']);
  const chatId = await createGroup(ann, [ben.id, cid.id]);

  const seen = new Set<number>();
  let isRemoved = false;
  const poll = async (): Promise<void> => {
    for (let afterSeq = 0; ;) {
      const startedAfterRemoval = isRemoved;
      const page = await cid.http.get(`/api/chats/${chatId}/messages?afterSeq=${afterSeq}&limit=100`);
      if (page.status === 404) return;
      // Once the removal is answered, nothing is.
      expect(startedAfterRemoval).toBe(false);
      for (const { seq } of page.data) seen.add(seq);
      afterSeq = page.data.at(-1)?.seq ?? afterSeq;
      const chat = await cid.http.get(`/api/chats/${chatId}`);
      if (chat.status === 404) return;
      if (chat.data.lastMessage) seen.add(chat.data.lastMessage.seq);
    }
  };

  let sent = 0;
  const sendAll = async (sender: number): Promise<void> => {
    while (sent < SENDS) {
      const text = `text ${++sent} of sender ${sender}`;
      const answer = await (sender % 2 === 0 ? ann : ben).http.post(`/api/chats/${chatId}/messages`, {
        text,
      });
      expect(answer.status).toBe(201);
      if (sent === SENDS / 2) void removal();
    }
  };
  let removed: Promise<void> | undefined;
  const removal = (): Promise<void> =>
    (removed ??= ann.http.delete(`/api/chats/${chatId}/members/${cid.id}`).then(({ status }) => {
      expect(status).toBe(200);
      isRemoved = true;
    }));

  await Promise.all([poll(), poll(), ...Array.from({ length: SENDERS }, (_, sender) => sendAll(sender))]);
  await removal();

  expect(await expectNoGaps(app, chatId)).toBe(SENDS + 1);
  const history = (await historyOf(ann, chatId)) ?? [];
  const removalSeq = history.find((message) => message.type === 'SYSTEM')?.seq ?? 0;
  // It came in the middle, or this would prove nothing.
  expect(removalSeq).toBeGreaterThan(SENDS / 4);
  expect(removalSeq).toBeLessThan(SENDS);
  expect(seen.size).toBeGreaterThan(0);
  expect(Math.max(...seen)).toBeLessThan(removalSeq);
  const [row] = await app.sql('SELECT left_seq FROM member WHERE chat_id = $1 AND user_id = $2', [
    chatId,
    cid.id,
  ]);
  expect(row).toEqual({ left_seq: removalSeq - 1 });
  expect((await cid.http.get(`/api/chats/${chatId}/messages`)).status).toBe(404);
}, 60_000);
