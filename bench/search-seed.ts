import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { searchTermsOf } from '../src/messages/search-terms.js';
import { makeCorpus, makeRandom } from './search-corpus.js';

export interface SeedSize {
  chats: number;
  messages: number;
}

export interface SeededChat {
  id: string;
  lastSeq: number;
}

const STEP = 20_000;
const FIRST_AT = Date.parse('2026-01-01T00:00:00Z');
const APART_MS = 20_000;

/**
 * Gives a person private chats with people made for it, and fills them as time would have: every message falls into
 * one of the chats, some of which are much busier than others. The index is built at the end.
 *
 * @returns the chats, the busiest first
 */
export async function seedMessages(client: pg.Client, userId: string, size: SeedSize): Promise<SeededChat[]> {
  const random = makeRandom(1);
  const corpus = makeCorpus(random);
  const pick = makePicker(size.chats, random);
  const chats = await seedChats(client, userId, size.chats);
  const lastAt = new Map<number, number>();
  await client.query('DROP INDEX message_search_idx');
  for (let done = 0; done < size.messages; done += STEP) {
    const rows = Array.from({ length: Math.min(STEP, size.messages - done) }, (_, i) => {
      const place = pick();
      const chat = chats[place];
      if (!chat) throw new Error('a chat that is not there was picked');
      chat.lastSeq++;
      const at = FIRST_AT + (done + i) * APART_MS;
      lastAt.set(place, at);
      const text = corpus.next();
      const sender = random() < 0.5 ? userId : chat.otherId;
      return [chat.id, chat.lastSeq, sender, text, searchTermsOf(text), new Date(at).toISOString()] as const;
    });
    await client.query(
      `INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, created_at, search)
        SELECT m.chat_id, m.seq, m.sender_id, 's:' || gen_random_uuid(), 'TEXT', m.text, m.at,
          search_vector(search_prefix(m.chat_id, m.seq), m.terms)
        FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
          AS m (chat_id, seq, sender_id, text, terms, at)`,
      [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column])),
    );
  }
  await client.query(
    `UPDATE chat c SET last_seq = s.last_seq, updated_at = s.at
      FROM unnest($1::uuid[], $2::int[], $3::timestamptz[]) AS s (id, last_seq, at) WHERE c.id = s.id`,
    [
      chats.map((chat) => chat.id),
      chats.map((chat) => chat.lastSeq),
      chats.map((_, place) => new Date(lastAt.get(place) ?? FIRST_AT).toISOString()),
    ],
  );
  await client.query('CREATE INDEX message_search_idx ON message USING GIN (search)');
  await client.query('VACUUM ANALYZE message, chat, member, app_user');
  return chats.map(({ id, lastSeq }) => ({ id, lastSeq }));
}

/** People with a name and no way to sign in. */
export async function seedPeople(client: pg.Client, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID() as string);
  await client.query(
    `INSERT INTO app_user (id, name, name_key, email, email_key, password_hash, created_at, updated_at)
      SELECT id, 'Person ' || n, 'person ' || n, id || '@example.com', id || '@example.com', '-', now(), now()
      FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, n)`,
    [ids],
  );
  return ids;
}

/** A private chat of `userId` with each of `otherIds`. */
export async function seedPrivateChats(
  client: pg.Client,
  userId: string,
  otherIds: readonly string[],
): Promise<string[]> {
  const ids = otherIds.map(() => randomUUID() as string);
  await client.query(
    `INSERT INTO chat (id, type, user_lo, user_hi, created_by_id, created_at, updated_at)
      SELECT id, 'PRIVATE', least($1::uuid, other), greatest($1::uuid, other), $1, $4, $4
      FROM unnest($2::uuid[], $3::uuid[]) AS c (id, other)`,
    [userId, ids, otherIds, new Date(FIRST_AT)],
  );
  await client.query(
    `INSERT INTO member (chat_id, user_id, joined_at)
      SELECT c.id, m.user_id, $4 FROM unnest($2::uuid[], $3::uuid[]) AS c (id, other)
      CROSS JOIN LATERAL (VALUES ($1::uuid), (c.other)) AS m (user_id)`,
    [userId, ids, otherIds, new Date(FIRST_AT)],
  );
  return ids;
}

async function seedChats(
  client: pg.Client,
  userId: string,
  count: number,
): Promise<{ id: string; otherId: string; lastSeq: number }[]> {
  const otherIds = await seedPeople(client, count);
  const ids = await seedPrivateChats(client, userId, otherIds);
  return ids.map((id, place) => ({ id, otherId: otherIds[place] ?? '', lastSeq: 0 }));
}

/** Places below `count`; a chat's share of the messages falls with its place, without any being empty for long. */
function makePicker(count: number, random: () => number): () => number {
  const bounds: number[] = [];
  let sum = 0;
  for (let place = 0; place < count; place++) {
    sum += 1 / (place + 20) ** 0.8;
    bounds.push(sum);
  }
  return () => {
    const at = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((bounds[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
