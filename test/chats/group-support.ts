import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { TestApp, TestPerson } from '../support/app.js';
import { eventually } from '../support/eventually.js';

/** Makes people accepted contacts of one person, past the API: tests of groups need many. */
export async function befriend(
  app: TestApp,
  person: { id: string },
  otherIds: readonly string[],
): Promise<void> {
  await app.sql(
    `INSERT INTO contact (id, user_lo, user_hi, requester_id, addressee_id, status, created_at, updated_at)
     SELECT gen_random_uuid(), least($1, o.id), greatest($1, o.id), $1, o.id, 'ACCEPTED', now(), now()
     FROM unnest($2::uuid[]) AS o (id) ON CONFLICT DO NOTHING`,
    [person.id, otherIds],
  );
}

/** Makes accounts that nobody signs in to, contacts of one person. Returns their ids. */
export async function makeCrowd(
  app: TestApp,
  person: { id: string },
  size: number,
  name = 'Somebody',
): Promise<string[]> {
  const ids = Array.from({ length: size }, () => randomUUID());
  await app.sql(
    `INSERT INTO app_user (id, name, name_key, email, email_key, password_hash, created_at, updated_at)
     SELECT p.id, $2 || ' ' || p.place, lower($2 || ' ' || p.place), p.id || '@example.com', p.id || '@example.com', '-',
       now(), now()
     FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, place)`,
    [ids, name],
  );
  await befriend(app, person, ids);
  return ids;
}

/** People who are all contacts of each other. */
export async function makeFriends<const Names extends readonly string[]>(
  app: TestApp,
  names: Names,
): Promise<{ [Place in keyof Names]: TestPerson }> {
  const people = await Promise.all(names.map((name) => app.registerUser({ name })));
  for (const [place, person] of people.entries()) {
    await befriend(
      app,
      person,
      people.slice(place + 1).map(({ id }) => id),
    );
  }
  return people as { [Place in keyof Names]: TestPerson };
}

export async function createGroup(
  owner: TestPerson,
  memberIds: readonly string[],
  name = 'Garden',
): Promise<string> {
  const answer = await owner.http.post('/api/chats', { type: 'GROUP', name, participantIds: memberIds });
  expect(answer.status).toBe(201);
  return answer.data.id as string;
}

/** Everything that a person sees of a chat, oldest first; null when they are not in it. */
export async function historyOf(
  person: TestPerson,
  chatId: string,
): Promise<{ seq: number; type: string; text: string; senderId: string | null }[] | null> {
  const messages = [];
  for (let afterSeq = 0; ;) {
    const answer = await person.http.get(`/api/chats/${chatId}/messages?afterSeq=${afterSeq}&limit=100`);
    if (answer.status === 404) return null;
    messages.push(...answer.data);
    if (answer.page.nextCursor === null) return messages;
    afterSeq = messages.at(-1).seq as number;
  }
}

export async function textsOf(person: TestPerson, chatId: string): Promise<string[]> {
  return ((await historyOf(person, chatId)) ?? []).map((message) => message.text);
}

interface MemberState {
  userId: string;
  role: string;
}

/** Who is in a group by the database, in the order of ids. */
export async function membersOf(app: TestApp, chatId: string): Promise<MemberState[]> {
  return app.sql<MemberState & Record<string, unknown>>(
    `SELECT user_id AS "userId", role FROM member WHERE chat_id = $1 AND left_at IS NULL ORDER BY user_id`,
    [chatId],
  );
}

/** @throws unless the messages of a chat have the seqs 1, 2, 3 … up to its last one */
export async function expectNoGaps(app: TestApp, chatId: string): Promise<number> {
  const [row] = await app.sql<{ last: number; highest: number; messages: number }>(
    `SELECT c.last_seq AS last, coalesce(max(m.seq), 0) AS highest, count(m.seq)::int AS messages
     FROM chat c LEFT JOIN message m ON m.chat_id = c.id WHERE c.id = $1 GROUP BY c.id`,
    [chatId],
  );
  expect(row).toEqual({ last: row!.last, highest: row!.last, messages: row!.last });
  return row!.last;
}

/** How many connections to the app's database wait for a lock. */
export async function lockWaiters(app: TestApp): Promise<number> {
  const rows = await app.sql(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.length;
}

/**
 * Holds a chat's lock as another change of it would, starts `act`, and makes `change` (SQL on the same transaction)
 * once `waiters` connections wait for a lock: what `act` has seen before is not true any more when it goes on.
 */
export async function changeWhileWaiting<T>(
  app: TestApp,
  chatId: string,
  act: () => Promise<T>,
  change: string,
  values: readonly unknown[],
  waiters = 1,
): Promise<T> {
  const other = new pg.Client({ connectionString: app.databaseUrl });
  await other.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM chat WHERE id = $1 FOR UPDATE', [chatId]);
    const done = act();
    await eventually(
      () => lockWaiters(app),
      (waiting) => waiting === waiters,
    );
    await other.query(change, [...values]);
    await other.query('COMMIT');
    return await done;
  } finally {
    await other.end();
  }
}
