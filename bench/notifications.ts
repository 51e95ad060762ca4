import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../src/common/clock.js';
import { newId } from '../src/common/ids.js';
import { loadConfig } from '../src/infra/config/config.js';
import { startEmbeddedDatabase } from '../src/infra/database/embedded/embedded-database.js';
import { migrate } from '../src/infra/database/migrate.js';
import { Log } from '../src/infra/observability/log.js';
import { openInfra } from '../src/infra/open-infra.js';
import { NotificationsRepository } from '../src/notifications/notifications.repository.js';
import { PushRepository } from '../src/notifications/push/push.repository.js';

/**
 * Measures whether counting notifications needs a cache: a person with 1,000 group chats, all unread, 10 messages and
 * a mention in each, among 20,000 chats. And what the sweep of pushes costs when 1,000 people have a push device and
 * 20 chats each, one in fifty of them with messages of the last hour. Prints medians, PostgreSQL included, one call at a time.
 */
const CHATS = 20_000;
const MINE = 1_000;
const MESSAGES = 10;
const PEOPLE = 1_000;
const CALLS = 200;
const HOUR_MS = 3_600_000;

const silent = (): void => undefined;
const dataDir = await mkdtemp(join(tmpdir(), 'parley-bench-notifications-'));
const database = await startEmbeddedDatabase(dataDir, silent);
await migrate(database.url, silent);
const config = loadConfig({ DATA_DIR: dataDir });
const infra = await openInfra(config, database.url, database.url, new SystemClock(), new Log('error'));
try {
  const { pool } = infra.parts.database;
  const me = newId();
  await pool.query(
    `INSERT INTO chat (id, type, name, last_seq, created_at, updated_at)
      SELECT md5('chat' || i)::uuid, 'GROUP', 'Chat', ${MESSAGES}, now(), now() - (i % 50) * interval '1 hour'
      FROM generate_series(1, ${CHATS}) i;
    INSERT INTO member (chat_id, user_id, joined_at)
      SELECT md5('chat' || i)::uuid, md5('person' || (i % ${PEOPLE}))::uuid, now() FROM generate_series(1, ${CHATS}) i;
    INSERT INTO app_user (id, name, name_key, email, email_key, password_hash, created_at, updated_at)
      SELECT md5('person' || i)::uuid, 'P', 'p', i::text, i::text, '-', now(), now() FROM generate_series(0, ${PEOPLE} - 1) i;
    INSERT INTO device (user_id, device_id, created_at, last_seen_at, push_provider, push_target, push_registered_at)
      SELECT md5('person' || i)::uuid, 'd', now(), now(), 'fcm', i::text, now() FROM generate_series(0, ${PEOPLE} - 1) i;
    INSERT INTO member (chat_id, user_id, joined_at)
      SELECT md5('chat' || i)::uuid, '${me}', now() FROM generate_series(1, ${MINE}) i;
    INSERT INTO message (chat_id, seq, sender_id, client_key, type, text, mentions, created_at)
      SELECT md5('chat' || i)::uuid, s, md5('person1')::uuid, 's:' || i || ' ' || s, 'TEXT', 'text', '{}', now()
      FROM generate_series(1, ${MINE}) i, generate_series(1, ${MESSAGES}) s;
    INSERT INTO mention (user_id, chat_id, seq)
      SELECT '${me}', md5('chat' || i)::uuid, ${MESSAGES} FROM generate_series(1, ${MINE}) i;`,
  );
  await pool.query('VACUUM ANALYZE');
  const notifications = new NotificationsRepository(infra.parts.database);
  const pushes = new PushRepository(infra.parts.database);
  await measure('GET /count', () => notifications.countUnread(me));
  await measure('GET /all-counts', () => notifications.listAllUnread(me));
  await measure('GET /notifications', () => notifications.listUnread(me, null, 31));
  await measure('a page of the sweep', () => pushes.listAllDue(new Date(Date.now() - HOUR_MS), null, 1_000));
  await pool.query('UPDATE member SET delivered_seq = 10');
  await pool.query('VACUUM ANALYZE member');
  await measure('a sweep that finds nothing', () =>
    pushes.listAllDue(new Date(Date.now() - HOUR_MS), null, 1_000),
  );
} finally {
  await infra.close();
  await database.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(name: string, call: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 10; i++) await call();
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(`${name.padEnd(28)} median ${(times[CALLS / 2] ?? 0).toFixed(2)} ms\n`);
}
