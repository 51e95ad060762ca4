import { parseArgs } from 'node:util';
import type pg from 'pg';
import { HEAD, line, measureReads, type Times } from './reading-measure.js';
import { withServer } from './reading-server.js';
import { seedPeople, seedPrivateChats } from './search-seed.js';

/**
 * Measures reading over HTTP: pages of history in a chat of 1,000,000 messages against the same in one of 1,000, and
 * the first page of a list of 1,000 chats.
 */
const LONG = 1_000_000;
const SHORT = 1_000;
const RATIO = 1.3;
const CHATS = 1_000;
/** Every so many-th chat of the list is a group. */
const A_GROUP_IN = 8;
const GROUP_MEMBERS = 200;
const CHATS_BUDGET_MS = 10;
const CHATS_LINE = 'first page of 1,000 chats';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, long: { type: 'string', default: String(LONG) } },
});

await withServer(async ({ client, me, database, print }) => {
  const long = Number(values.long);
  print(
    `Seeding a chat of ${long} messages, one of ${SHORT}, and ${CHATS} chats in all, one in ${A_GROUP_IN} a group…`,
  );
  const { longId, shortId } = await seedChats(database, me.id, long);
  const kinds = new Map<string, (n: number) => string>();
  const places: Record<string, (last: number, n: number) => string> = {
    'first page': () => '',
    'deep page': (last, n) => `?aroundSeq=${Math.floor(last / 10) + n}&limit=30`,
    'after a seq': (last, n) => `?afterSeq=${Math.floor(last / 2) + n}`,
    'around a seq': (last, n) => `?aroundSeq=${Math.floor((last * 2) / 3) + n}`,
  };
  for (const [name, place] of Object.entries(places)) {
    kinds.set(`${name}, ${SHORT} messages`, (n) => `/api/chats/${shortId}/messages${place(SHORT, n % 90)}`);
    kinds.set(`${name}, ${long} messages`, (n) => `/api/chats/${longId}/messages${place(long, n * 997)}`);
  }
  const [shortDeep, longDeep] = await Promise.all([shortId, longId].map((id) => deepCursor(id)));
  kinds.set(`page by cursor, ${SHORT} messages`, () => `/api/chats/${shortId}/messages?cursor=${shortDeep}`);
  kinds.set(`page by cursor, ${long} messages`, () => `/api/chats/${longId}/messages?cursor=${longDeep}`);
  kinds.set(CHATS_LINE, () => '/api/chats');
  const times = await measureReads(client, me.token, kinds, Number(values.rounds));
  print(HEAD);
  for (const [name, each] of times) {
    const short = times.get(name.replace(/, \d+ messages$/, `, ${SHORT} messages`));
    print(line(name, each, verdictOn(name, each, short)));
  }

  /** A page far from the newest messages. */
  async function deepCursor(chatId: string): Promise<string> {
    const answer = await client.send('GET', `/api/chats/${chatId}/messages?aroundSeq=300`, me.token);
    const { page } = answer.body as { page?: { nextCursor: string | null } };
    if (!page?.nextCursor) throw new Error('The page has no next one.');
    return page.nextCursor;
  }
});

function verdictOn(name: string, times: Times, short: Times | undefined): string {
  if (name === CHATS_LINE) return times.p50 <= CHATS_BUDGET_MS ? `≤ ${CHATS_BUDGET_MS} ms: PASS` : 'MISS';
  if (!short || short === times) return '';
  const ratio = times.p50 / short.p50;
  return `${ratio.toFixed(2)} times: ${ratio <= RATIO ? 'PASS' : 'MISS'}`;
}

/** `meId`'s chats: private ones, two of them with a history, and groups, each with a few messages. */
async function seedChats(
  database: pg.Client,
  meId: string,
  long: number,
): Promise<{ longId: string; shortId: string }> {
  const people = await seedPeople(database, CHATS);
  const ids = await seedPrivateChats(database, meId, people);
  const [longId = '', shortId = ''] = ids;
  const groupIds = ids.filter((_, place) => place % A_GROUP_IN === A_GROUP_IN - 1);
  await database.query(
    `UPDATE chat SET type = 'GROUP', name = 'A group', user_lo = NULL, user_hi = NULL WHERE id = ANY ($1::uuid[])`,
    [groupIds],
  );
  // Groups of 3 to 200 members.
  await database.query(
    `INSERT INTO member (chat_id, user_id, joined_at)
      SELECT g.id, p.id, now() - p.n * interval '1 minute'
      FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, n)
      JOIN unnest($2::uuid[]) WITH ORDINALITY AS p (id, n) ON p.n < 2 + g.n * 50 % $3::int
      ON CONFLICT DO NOTHING`,
    [groupIds, people, GROUP_MEMBERS - 2],
  );
  for (const [id, count] of [
    [longId, long],
    [shortId, SHORT],
  ] as const) {
    await database.query(
      `INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, created_at)
        SELECT $1, n, $2, 's:' || n, 'TEXT', 'A message as long as most of them are, number ' || n,
          now() - ($3::int - n) * interval '1 second'
        FROM generate_series(1, $3::int) AS n`,
      [id, meId, count],
    );
    await database.query('UPDATE chat SET last_seq = $2 WHERE id = $1', [id, count]);
  }
  await database.query(
    `INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, created_at)
      SELECT c.id, n, $2, 's:' || n, 'TEXT', 'Hello ' || n, now() FROM unnest($1::uuid[]) AS c (id), generate_series(1, 5) n`,
    [ids.slice(2), meId],
  );
  await database.query(
    `UPDATE chat c SET last_seq = greatest(last_seq, 5), updated_at = now() - p.n * interval '1 minute'
      FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, n) WHERE c.id = p.id`,
    [ids],
  );
  await database.query('VACUUM ANALYZE message, chat, member, app_user');
  return { longId, shortId };
}
