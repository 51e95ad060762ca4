import { useApp, type TestPerson } from '../support/app.js';
import { makeGroup } from '../support/people.js';

const app = useApp();

/** What a member can do to messages; each makes something of it visible in the database. */
const DEEDS: [string, (person: TestPerson, own: string, i: number) => Promise<{ status: number }>][] = [
  ['edit', (person, own, i) => person.http.patch(`/api/chats/messages/${own}`, { text: `text ${i}` })],
  [
    'react',
    (person, own, i) =>
      person.http.post(`/api/chats/messages/${own}/reactions`, { emoji: i % 2 === 0 ? '👍' : '🎉' }),
  ],
  [
    'star',
    (person, own, i) =>
      i % 2 === 0
        ? person.http.put(`/api/chats/messages/${own}/star`)
        : person.http.delete(`/api/chats/messages/${own}/star`),
  ],
  [
    'forward',
    (person, own) => person.http.post(`/api/chats/messages/${own}/forward`, { chatIds: [own.split('.')[0]] }),
  ],
];

it.each(DEEDS)('nothing of a removed member commits after the removal: %s', async (_name, deed) => {
  const [owner, member] = await Promise.all([app.registerUser(), app.registerUser()]);
  const group = await makeGroup(owner, [member]);
  const own = (await member.http.post(`/api/chats/${group}/messages`, { text: 'mine' })).data.id as string;
  let removed = false;
  const state = () =>
    app.sql(
      `SELECT m.seq, m.rev, m.text, f.starred_at IS NOT NULL AS starred, f.changed_tx::text
       FROM message m LEFT JOIN message_flag f ON f.chat_id = m.chat_id AND f.seq = m.seq
       WHERE m.chat_id = $1 ORDER BY m.seq`,
      [group],
    );
  const statuses: number[] = [];
  const busy = Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let i = 0; !removed || i < 10; i++) statuses.push((await deed(member, own, i)).status);
    }),
  );
  // Some of it has happened before the removal begins.
  while (statuses.length < 12) await new Promise((resolve) => setImmediate(resolve));
  const answer = await owner.http.delete(`/api/chats/${group}/members/${member.id}`);
  const stateAtRemoval = await state();
  removed = true;
  await busy;
  expect(answer.status).toBe(200);
  expect(statuses.filter((status) => status < 300).length).toBeGreaterThan(0);
  expect(new Set(statuses.slice(-6))).toEqual(new Set([404]));
  expect(await state()).toEqual(stateAtRemoval);
});
