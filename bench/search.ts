import { parseArgs } from 'node:util';
import type pg from 'pg';
import { searchTermsOf } from '../src/messages/search-terms.js';
import { HEAD, line, measureReads } from './reading-measure.js';
import { withServer } from './reading-server.js';
import { seedMessages, type SeededChat } from './search-seed.js';

/**
 * Measures full-text search over HTTP: one person with many chats and messages in several languages, each kind of
 * query in all chats, in the busiest chat, and while messages wait to be put into the index.
 */
const BUDGET_P95_MS = 100;
/** A list of as much as may wait (256 kB), at about 20 terms each. */
const WAITING = 640;

const QUERIES: Record<string, string[]> = {
  'rare word': ['report', 'evening', 'treffen', 'réunion', 'спасибо'],
  'word that nobody wrote': ['xylophone', 'qwertz', 'щщщщ'],
  'very common word': ['the', 'ich', 'je', 'and'],
  'common word': ['lunch', 'später', 'demain', 'завтра', 'meeting'],
  'two words': ['the report', 'you meeting', 'heute zug', 'très bientôt'],
  'beginning of a word': ['t', 'ba', 'mee', 'dri'],
  'one Chinese or Japanese character': ['的', '東', '丣', '见', '家'],
  'two Chinese or Japanese characters': ['中国', '東京', '我们', '今日', '学家'],
  'three and more characters': ['东西南', '東京駅', '一是不了'],
  emoji: ['🌉', '👍'],
};

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    chats: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '60' },
  },
});

await withServer(async ({ client, me, database, print }) => {
  const size = { chats: Number(values.chats), messages: Number(values.messages) };
  print(`Seeding ${size.messages} messages in ${size.chats} chats…`);
  const chats = await seedMessages(database, me.id, size);
  const busiest = chats[0];
  if (!busiest) throw new Error('There are no chats.');
  print(await describeSizes(database));
  const kinds = new Map<string, (n: number) => string>();
  for (const [name, queries] of Object.entries(QUERIES)) {
    const pathOf = (n: number, more: string): string =>
      `/api/chats/messages/search?query=${encodeURIComponent(queries[n % queries.length] ?? '')}${more}`;
    kinds.set(name, (n) => pathOf(n, ''));
    kinds.set(`${name}, in one chat`, (n) => pathOf(n, `&chatId=${busiest.id}`));
  }
  print(`\n${HEAD}`);
  for (const [name, times] of await measureReads(client, me.token, kinds, Number(values.rounds)))
    print(line(name, times, times.p95 <= BUDGET_P95_MS ? 'PASS' : 'MISS'));

  print(`\nWith ${WAITING} new messages that wait to be put into the index before each:\n${HEAD}`);
  const waiting = await measureWaiting(
    (n) => `/api/chats/messages/search?query=${encodeURIComponent(['report', '東京'][n % 2] ?? '')}`,
  );
  print(line('rare word, two characters', waiting, waiting.p95 <= BUDGET_P95_MS ? 'PASS' : 'MISS'));

  async function measureWaiting(pathOf: (n: number) => string): Promise<{ p50: number; p95: number }> {
    const times: number[] = [];
    for (let n = 0; n < 20; n++) {
      await insertWaiting(database, chats, me.id);
      const startedAt = performance.now();
      await client.ask('GET', pathOf(n), me.token);
      times.push(performance.now() - startedAt);
    }
    times.sort((one, other) => one - other);
    return { p50: times[10] ?? NaN, p95: times[18] ?? NaN };
  }
});

/** Puts messages behind the last ones of chats as sending does, all of them into the list of what waits. */
async function insertWaiting(
  database: pg.Client,
  chats: readonly SeededChat[],
  senderId: string,
): Promise<void> {
  const text =
    'All of these words, one after the other, wait to be found in the index of what was said 明天见';
  await database.query(`SET gin_pending_list_limit = '64MB'`);
  await database.query(
    `WITH numbered AS (
        UPDATE chat SET last_seq = last_seq + 1 WHERE id = ANY ($1::uuid[]) RETURNING id, last_seq, updated_at)
      INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, created_at, search)
      SELECT id, last_seq, $2, 's:' || gen_random_uuid(), 'TEXT', $3, updated_at,
        search_vector(search_prefix(id, last_seq), $4)
      FROM numbered`,
    [chats.slice(0, WAITING).map((chat) => chat.id), senderId, text, searchTermsOf(text)],
  );
}

async function describeSizes(database: pg.Client): Promise<string> {
  const { rows } = await database.query<{ rows: string; index: string }>(
    `SELECT pg_size_pretty(pg_table_size('message')) AS rows,
      pg_size_pretty(pg_relation_size('message_search_idx')) AS index`,
  );
  return `The messages take ${rows[0]?.rows ?? ''}, their search index ${rows[0]?.index ?? ''}.`;
}
