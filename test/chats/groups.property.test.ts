import fc from 'fast-check';
import { useApp, type TestPerson } from '../support/app.js';
import { createGroup, expectNoGaps, historyOf, makeFriends } from './group-support.js';

const app = useApp();
const NAMES = ['Ann', 'Ben', 'Cid', 'Dan', 'Eve'] as const;
type Name = (typeof NAMES)[number];
type Role = 'OWNER' | 'ADMIN' | 'MEMBER';

/** One thing a person tries; whether they may, the server knows. */
type Action =
  | { kind: 'add' | 'remove'; who: Name; whom: Name }
  | { kind: 'role'; who: Name; whom: Name; role: Role }
  | { kind: 'leave' | 'send' | 'read' | 'rename'; who: Name };

const who = fc.constantFrom(...NAMES);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), who, whom: who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), who, whom: who }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('role' as const),
      who,
      whom: who,
      role: fc.constantFrom<Role>('OWNER', 'ADMIN', 'MEMBER'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'leave' as const,
        'send' as const,
        'send' as const,
        'read' as const,
        'rename' as const,
      ),
      who,
    }),
  },
);
/** Actions of one round are done at the same time, rounds one after the other. */
const schedule = fc.array(fc.array(action, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 10 });

let people: Record<Name, TestPerson>;

beforeAll(async () => {
  const friends = await makeFriends(app, NAMES);
  people = Object.fromEntries(NAMES.map((name, place) => [name, friends[place]])) as typeof people;
});

async function perform(chatId: string, doing: Action): Promise<void> {
  const { http } = people[doing.who];
  const chat = `/api/chats/${chatId}`;
  const call = () => {
    switch (doing.kind) {
      case 'add':
        return http.post(`${chat}/members`, { userIds: [people[doing.whom].id] });
      case 'remove':
        return http.delete(`${chat}/members/${people[doing.whom].id}`);
      case 'role':
        return http.patch(`${chat}/members/${people[doing.whom].id}`, { role: doing.role });
      case 'leave':
        return http.post(`${chat}/leave`);
      case 'send':
        return http.post(`${chat}/messages`, { text: `${doing.who} writes.` });
      case 'read':
        return http.post(`${chat}/messages/read`, {});
      case 'rename':
        return http.patch(chat, { name: `Name ${Math.random()}` });
    }
  };
  // Refused or done: never an error of the server's.
  expect([200, 201, 403, 404, 422]).toContain((await call()).status);
}

interface State {
  role: Role;
  /** The first message they see. */
  firstSeq: number;
  joinedAt: number;
  id: string;
}

interface Line {
  seq: number;
  text: string;
  created_at: Date;
}

/**
 * Who is in the group, and as what, by what its messages say. @throws where one of them could not have been: somebody
 * who may not, somebody who is not there, the wrong successor.
 */
function replay(start: Map<Name, State>, lines: readonly Line[]): Map<Name, State> {
  const members = start;
  const present = (name: Name): State => {
    const state = members.get(name);
    if (!state) throw new Error(`${name} is not in it`);
    return state;
  };
  for (const { seq, text, created_at } of lines) {
    const [, by, verb, rest] = /^(\w+) (\w+)(.*)$/.exec(text) as unknown as [string, Name, string, string];
    const whom = (/(Ann|Ben|Cid|Dan|Eve)/.exec(rest)?.[0] ?? by) as Name;
    const actor = present(by);
    switch (verb) {
      case 'writes':
        break;
      case 'named':
        expect(actor.role).not.toBe('MEMBER');
        break;
      case 'added':
        expect(actor.role).not.toBe('MEMBER');
        expect(members.has(whom)).toBe(false);
        members.set(whom, {
          role: 'MEMBER',
          firstSeq: seq,
          joinedAt: created_at.getTime(),
          id: people[whom].id,
        });
        break;
      case 'removed':
        expect(actor.role).not.toBe('MEMBER');
        expect(present(whom).role).not.toBe('OWNER');
        members.delete(whom);
        break;
      case 'made':
      case 'took':
        expect(actor.role).toBe('OWNER');
        if (verb === 'took') present(whom).role = 'MEMBER';
        else if (rest.endsWith('an admin.')) present(whom).role = 'ADMIN';
        else [actor.role, present(whom).role] = ['ADMIN', 'OWNER'];
        break;
      case 'left': {
        members.delete(by);
        const [heir] = [...members].sort(
          ([, a], [, b]) =>
            Number(b.role === 'ADMIN') - Number(a.role === 'ADMIN') ||
            a.joinedAt - b.joinedAt ||
            (a.id < b.id ? -1 : 1),
        );
        if (actor.role === 'OWNER' && heir) {
          expect(text).toBe(`${by} left. ${heir[0]} is the owner now.`);
          heir[1].role = 'OWNER';
        } else {
          expect(text).toBe(`${by} left.`);
        }
        break;
      }
      default:
        throw new Error(`what is that: ${text}`);
    }
    const owners = [...members.values()].filter(({ role }) => role === 'OWNER');
    expect(owners).toHaveLength(members.size === 0 ? 0 : 1);
  }
  return members;
}

it('holds for any interleaving of joining, leaving, roles and messages', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (rounds) => {
      const starters: Name[] = ['Ann', 'Ben', 'Cid'];
      const chatId = await createGroup(people.Ann, [people.Ben.id, people.Cid.id]);
      const joinedAt = app.clock.nowMs();
      const start = new Map<Name, State>(
        starters.map((name) => [
          name,
          { role: name === 'Ann' ? 'OWNER' : 'MEMBER', firstSeq: 1, joinedAt, id: people[name].id },
        ]),
      );
      for (const round of rounds) {
        app.clock.advance(1000);
        await Promise.all(round.map((doing) => perform(chatId, doing)));
      }

      const last = await expectNoGaps(app, chatId);
      const lines = await app.sql<Line & Record<string, unknown>>(
        'SELECT seq, text, created_at FROM message WHERE chat_id = $1 ORDER BY seq',
        [chatId],
      );
      const members = replay(start, lines);
      const expectedMembers = [...members].map(([, { id, role }]) => ({ id, role }));
      for (const name of NAMES) {
        const state = members.get(name);
        const { http } = people[name];
        const { status, data: chat } = await http.get(`/api/chats/${chatId}`);
        if (!state) {
          expect(status).toBe(404);
          expect(await historyOf(people[name], chatId)).toBeNull();
          continue;
        }
        expect(chat).toMatchObject({
          lastSeq: last,
          memberCount: members.size,
          my: { role: state.role, firstSeq: state.firstSeq },
        });
        const shown = chat.members.map((member: { user: { id: string }; role: Role }) => ({
          id: member.user.id,
          role: member.role,
        }));
        expect(shown[0]).toEqual({ id: state.id, role: state.role });
        expect(shown).toHaveLength(members.size);
        expect(shown).toEqual(expect.arrayContaining(expectedMembers));
        expect(chat.unreadCount).toBe(last - Math.max(chat.my.readSeq, state.firstSeq - 1));
        const history = (await historyOf(people[name], chatId)) ?? [];
        expect(history.map(({ seq, text }) => ({ seq, text }))).toEqual(
          lines.filter(({ seq }) => seq >= state.firstSeq).map(({ seq, text }) => ({ seq, text })),
        );
        expect(chat.lastMessage?.seq ?? null).toBe(history.at(-1)?.seq ?? null);
      }
    }),
    { numRuns: 30 },
  );
}, 120_000);
