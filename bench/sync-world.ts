import type pg from 'pg';

export const HEAVY_CHATS = 2_000;
export const ORDINARY_CHATS = 40;
const STRANGERS = 20_000;
const CHATS_OF_OTHERS = 40_000;

/**
 * Fills the database with people and private chats, those of the measured accounts scattered among the others as they
 * are where many people came and went: neighbours in the tables are strangers. Every chat has `messages` messages.
 */
export async function seedWorld(
  client: pg.Client,
  heavyId: string,
  ordinaryId: string,
  messages: number,
): Promise<void> {
  await client.query(
    `INSERT INTO app_user (id, name, name_key, email, email_key, password_hash, created_at, updated_at)
     SELECT gen_random_uuid(), 'Person ' || i, 'person ' || i, i || '@example.org', i || '@example.org', '-', now(), now()
     FROM generate_series(1, $1::int) i`,
    [STRANGERS],
  );
  await client.query(
    `CREATE TEMP TABLE pair AS
     WITH stranger AS (
       SELECT id, (row_number() OVER (ORDER BY id) - 1)::int AS n FROM app_user WHERE id NOT IN ($1, $2)
     ), wanted AS (
       SELECT $1::uuid AS one, s.id AS other FROM stranger s WHERE s.n < $3
       UNION ALL
       SELECT $2::uuid, s.id FROM stranger s WHERE s.n < $4
       UNION ALL
       SELECT a.id, b.id FROM generate_series(0, $5::int - 1) i
       JOIN stranger a ON a.n = i % $6
       JOIN stranger b ON b.n = (i * 7 + 1 + i / $6) % $6
       WHERE a.id <> b.id
     )
     SELECT DISTINCT ON (least(one, other), greatest(one, other)) gen_random_uuid() AS chat_id, one,
       least(one, other) AS lo, greatest(one, other) AS hi, random() AS place
     FROM wanted`,
    [heavyId, ordinaryId, HEAVY_CHATS, ORDINARY_CHATS, CHATS_OF_OTHERS, STRANGERS],
  );
  await client.query(
    `INSERT INTO contact (id, user_lo, user_hi, requester_id, addressee_id, status, created_at, updated_at)
     SELECT gen_random_uuid(), lo, hi, lo, hi, 'ACCEPTED', now(), now() FROM pair ORDER BY place`,
  );
  await client.query(
    `INSERT INTO chat (id, type, user_lo, user_hi, created_by_id, last_seq, created_at, updated_at)
     SELECT chat_id, 'PRIVATE', lo, hi, one, $1, now(), now() FROM pair ORDER BY place`,
    [messages],
  );
  await client.query(
    `INSERT INTO member (chat_id, user_id, joined_at, read_seq, delivered_seq)
     SELECT chat_id, unnest(ARRAY[lo, hi]), now(), $1 - 1, $1 FROM pair ORDER BY place`,
    [messages],
  );
  await client.query('INSERT INTO chat_marks (chat_id) SELECT chat_id FROM pair ORDER BY place');
  await addMessages(client, 1, messages, [heavyId, ordinaryId]);
}

/** Gives every chat of these people the messages from one seq to another. */
export async function addMessages(
  client: pg.Client,
  from: number,
  to: number,
  userIds: readonly string[],
): Promise<void> {
  await client.query(
    `INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, mentions, created_at)
     SELECT p.chat_id, s, CASE WHEN s % 2 = 0 THEN p.lo ELSE p.hi END, 's:' || s, 'TEXT',
       'A message of the usual length, number ' || s || '.', '{}', now()
     FROM pair p, generate_series($1::int, $2::int) s WHERE p.one = ANY ($3::uuid[])`,
    [from, to, userIds],
  );
  await client.query(
    'UPDATE chat SET last_seq = $1 WHERE id IN (SELECT chat_id FROM pair WHERE one = ANY ($2::uuid[]))',
    [to, userIds],
  );
  await client.query('VACUUM ANALYZE chat, member, chat_marks, contact, app_user, message');
}
