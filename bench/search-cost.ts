import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { searchTermsOf } from '../src/messages/search-terms.js';
import { readCpuTimes } from './proc.js';
import { withServer } from './reading-server.js';
import { makeCorpus, makeRandom } from './search-corpus.js';
import { seedPeople, seedPrivateChats } from './search-seed.js';

/**
 * Measures what search costs on sending: PostgreSQL's processor time for a message with its terms, what waits to be
 * put into the index included, and for one without any; and Node's for computing the terms. The two take turns.
 */
const CHATS = 20;
const BATCH = 160;

const { values } = parseArgs({
  options: { batches: { type: 'string', default: '100' }, rounds: { type: 'string', default: '6' } },
});

await withServer(async ({ me, database, postmasterPid, print }) => {
  const batches = Number(values.batches);
  const chatIds = await seedPrivateChats(database, me.id, await seedPeople(database, CHATS));
  const corpus = makeCorpus(makeRandom(2));
  const costs = { with: [] as number[], without: [] as number[] };
  await send(20, true);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of round % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const)) {
      const before = readCpuTimes(process.pid, postmasterPid).postgres;
      await send(batches, name === 'with');
      await database.query(`SELECT gin_clean_pending_list('message_search_idx')`);
      const used = readCpuTimes(process.pid, postmasterPid).postgres - before;
      costs[name].push((used * 1000) / (batches * BATCH));
    }
  }
  const [withTerms, without] = [median(costs.with), median(costs.without)];
  print('PostgreSQL, µs of processor time a message, in batches of 160 to 20 chats, medians:');
  print(`  with terms     ${withTerms.toFixed(1).padStart(6)}`);
  print(`  without        ${without.toFixed(1).padStart(6)}`);
  print(`  the index      ${(withTerms - without).toFixed(1).padStart(6)}`);
  print(`Node.js, µs for the terms of a message: ${measureTerms(corpus).toFixed(1)}`);

  async function send(count: number, hasTerms: boolean): Promise<void> {
    for (let i = 0; i < count; i++) {
      const rows = Array.from({ length: BATCH }, (_, place) => {
        const text = corpus.next();
        return {
          chat_id: chatIds[place % CHATS],
          sender_id: me.id,
          key: `c:${randomUUID()}`,
          type: 'TEXT',
          text,
          ...(hasTerms && { terms: searchTermsOf(text) }),
        };
      });
      await sendBatch(database, rows);
    }
  }
});

async function sendBatch(database: pg.Client, rows: readonly object[]): Promise<void> {
  await database.query({
    name: 'send-batch',
    text: 'SELECT * FROM send_messages($1::json, $2, NULL, false, false)',
    values: [JSON.stringify(rows), new Date()],
  });
}

function measureTerms(corpus: { next(): string }): number {
  const texts = Array.from({ length: 50_000 }, () => corpus.next());
  for (const text of texts) searchTermsOf(text);
  const startedAt = performance.now();
  for (const text of texts) searchTermsOf(text);
  return ((performance.now() - startedAt) * 1000) / texts.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
