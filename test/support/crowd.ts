import { randomUUID } from 'node:crypto';

/** Runs SQL. */
type Query = (text: string, values: unknown[]) => Promise<unknown>;

/** Somebody who was put into the database past the API: nobody knows their password, but they are signed in. */
export interface CrowdMember {
  id: string;
  sessionId: string;
}

/** Longer than any test or measurement takes, in milliseconds. */
const SESSION_MS = 30 * 24 * 3600 * 1000;

/** Inserts people with a session each, which costs as much as registering one. */
export async function insertCrowd(query: Query, count: number, at: Date): Promise<CrowdMember[]> {
  const crowd = Array.from({ length: count }, () => ({ id: randomUUID(), sessionId: randomUUID() }));
  const ids = crowd.map(({ id }) => id);
  await query(
    `INSERT INTO app_user (id, name, name_key, email, email_key, password_hash, created_at, updated_at)
    SELECT p.id, 'Person ' || p.place, 'person ' || p.place, p.id || '@example.com', p.id || '@example.com', '', $2, $2
    FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, place)`,
    [ids, at],
  );
  await query(
    `INSERT INTO session (id, user_id, rotated_at, created_at, last_used_at, expires_at)
    SELECT s.id, s.user_id, $3, $3, $3, $4 FROM unnest($1::uuid[], $2::uuid[]) AS s (id, user_id)`,
    [crowd.map(({ sessionId }) => sessionId), ids, at, new Date(at.getTime() + SESSION_MS)],
  );
  return crowd;
}

/** Inserts a group of these people, the first of them its owner, and returns its id. */
export async function insertGroup(query: Query, memberIds: readonly string[], at: Date): Promise<string> {
  const chatId = randomUUID();
  await query(
    `INSERT INTO chat (id, type, name, created_by_id, created_at, updated_at)
    VALUES ($1, 'GROUP', 'Crowd', $2, $3, $3)`,
    [chatId, memberIds[0], at],
  );
  await query(
    `INSERT INTO member (chat_id, user_id, role, joined_at)
    SELECT $1, p.id, (CASE p.place WHEN 1 THEN 'OWNER' ELSE 'MEMBER' END)::member_role, $3
    FROM unnest($2::uuid[]) WITH ORDINALITY AS p (id, place)`,
    [chatId, memberIds, at],
  );
  return chatId;
}
