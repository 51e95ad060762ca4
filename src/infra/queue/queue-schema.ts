import type pg from 'pg';

/** BullMQ's tables stand here, outside of Prisma's. */
export const QUEUE_SCHEMA = 'bullmq';
/** What the installed BullMQ works on, so that an ordinary start need not load it; a test compares the two. */
export const QUEUE_SCHEMA_VERSION = 11;

export async function isQueueSchemaUpToDate(pool: pg.Pool): Promise<boolean> {
  const { rows: tables } = await pool.query<{ there: boolean }>(
    `SELECT to_regclass('${QUEUE_SCHEMA}.migration') IS NOT NULL AS there`,
  );
  if (tables[0]?.there !== true) return false;
  const { rows } = await pool.query<{ version: number | null }>(
    `SELECT max(version)::int AS version FROM ${QUEUE_SCHEMA}.migration`,
  );
  return (rows[0]?.version ?? 0) >= QUEUE_SCHEMA_VERSION;
}

/** Creates or updates BullMQ's tables in one transaction. The caller holds the lock of migrations. */
export async function migrateQueueSchema(pool: pg.Pool): Promise<void> {
  const { runMigrations } = await import('bullmq');
  const client = await pool.connect();
  try {
    await runMigrations(client, QUEUE_SCHEMA);
  } finally {
    client.release();
  }
}
