import { ColumnTypeEnum, type SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { createSchemaEngine } from './schema-engine.js';

/** The dialect that migrations are written for: the oldest PostgreSQL that is supported. */
const SERVER = { version: 'PostgreSQL 15.0', number: 150_000 };

/**
 * The SQL that leads from one `schema.prisma` (undefined: from nothing) to another, worked out without a database.
 * When nothing differs it is a comment that says so. Throws what the engine says about a schema that is not valid.
 */
export async function diffSchemas(from: string | undefined, to: string): Promise<string> {
  const engine = await createSchemaEngine(noDatabase);
  try {
    const { stdout } = await engine.diff({
      from: from === undefined ? { tag: 'empty' } : { tag: 'schemaDatamodel', files: [schemaFile(from)] },
      to: { tag: 'schemaDatamodel', files: [schemaFile(to)] },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    });
    return stdout ?? '';
  } finally {
    engine.free();
  }
}

function schemaFile(content: string): { path: string; content: string } {
  return { path: 'schema.prisma', content };
}

/** The engine asks whom it speaks to when it starts, and nothing else for a diff of two schemas. */
const noDatabase: SqlMigrationAwareDriverAdapterFactory = {
  provider: 'postgres',
  adapterName: 'none',
  connectToShadowDb: refuse,
  connect: () =>
    Promise.resolve({
      provider: 'postgres',
      adapterName: 'none',
      queryRaw: () =>
        Promise.resolve({
          columnNames: ['exists', 'version', 'numeric_version'],
          columnTypes: [ColumnTypeEnum.Boolean, ColumnTypeEnum.Text, ColumnTypeEnum.Int32],
          rows: [[true, SERVER.version, SERVER.number]],
        }),
      executeRaw: refuse,
      executeScript: refuse,
      startTransaction: refuse,
      getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
      dispose: () => Promise.resolve(),
    }),
};

function refuse(): Promise<never> {
  return Promise.reject(new Error('A diff of two schemas has no database.'));
}
