import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { diffSchemas } from '../../src/infra/database/schema-diff.js';
import { cloneTemplate } from '../support/app.js';
import { ROOT } from '../support/project.js';

interface Shape {
  columns: unknown[];
  indexes: unknown[];
  enums: unknown[];
}

const QUERIES: Record<keyof Shape, string> = {
  columns: `SELECT table_name, column_name, data_type, udt_name, datetime_precision, character_maximum_length,
      is_nullable, column_default
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1, 2`,
  indexes: `SELECT tablename, replace(indexdef, current_schema() || '.', '') AS definition
    FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2`,
  enums: `SELECT t.typname, e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
    WHERE t.typnamespace = current_schema()::regnamespace ORDER BY t.typname, e.enumsortorder`,
};

async function shapeOf(client: pg.Client): Promise<Shape> {
  const rows = async (name: keyof Shape): Promise<unknown[]> =>
    (await client.query<Record<string, unknown>>(QUERIES[name])).rows.filter(
      (row) => (row.table_name ?? row.tablename) !== '_prisma_migrations',
    );
  return { columns: await rows('columns'), indexes: await rows('indexes'), enums: await rows('enums') };
}

describe('the migrations', () => {
  it('make exactly the tables, columns, indexes and enums of schema.prisma', async () => {
    const schema = await readFile(join(ROOT, 'prisma/schema.prisma'), 'utf8');
    const client = new pg.Client({ connectionString: await cloneTemplate() });
    await client.connect();
    try {
      const migrated = await shapeOf(client);
      await client.query('CREATE SCHEMA described');
      await client.query('SET search_path TO described');
      const script = await diffSchemas(undefined, schema);
      await client.query(script.replaceAll('"public".', '').replace(/CREATE SCHEMA[^;]*;/, ''));
      const described = await shapeOf(client);
      expect(migrated.columns.length).toBeGreaterThan(50);
      expect(migrated).toEqual(described);
    } finally {
      await client.end();
    }
  });
});
