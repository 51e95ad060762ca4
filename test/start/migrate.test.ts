import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StartupError } from '../../src/common/startup-error.js';
import {
  type EmbeddedDatabase,
  startEmbeddedDatabase,
} from '../../src/infra/database/embedded/embedded-database.js';
import { migrate } from '../../src/infra/database/migrate.js';
import { diffSchemas } from '../../src/infra/database/schema-diff.js';
import { fixture, Folders, query, writeMigrations } from './start-support.js';

const run = promisify(execFile);
const folders = new Folders();
let server: EmbeddedDatabase;
let databases = 0;

async function makeDatabase(): Promise<string> {
  const name = `migrate_${(databases += 1)}`;
  await query(server.url, `CREATE DATABASE ${name}`);
  return at({ pathname: `/${name}` });
}

function at(change: { pathname?: string; password?: string; username?: string; host?: string }): string {
  return Object.assign(new URL(server.url), change).href;
}

async function refusal(url: string, folder: string): Promise<string> {
  const error: unknown = await migrate(url, () => undefined, folder).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StartupError);
  const { message } = error as StartupError;
  expect(message).not.toContain('\n');
  return message;
}

beforeAll(async () => {
  server = await startEmbeddedDatabase(folders.make(), () => undefined);
});

afterAll(async () => {
  await server.stop();
  folders.removeAll();
});

describe('migrate', () => {
  const first = {
    '20260101000000_note': `CREATE TABLE note (text text DEFAULT 'a;b'); -- ends; here
      CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END $$;`,
  };

  it('applies what is missing, in order, and nothing twice', async () => {
    const url = await makeDatabase();
    const folder = writeMigrations(folders.make(), first);
    expect(await migrate(url, () => undefined, folder)).toEqual(['20260101000000_note']);
    expect(await migrate(url, () => undefined, folder)).toEqual([]);
    writeMigrations(folder, {
      '20260103000000_index': 'CREATE INDEX CONCURRENTLY note_text ON note (text)',
      '20260102000000_fill': 'INSERT INTO note SELECT two()::text',
    });
    expect(await migrate(url, () => undefined, folder)).toEqual([
      '20260102000000_fill',
      '20260103000000_index',
    ]);
    expect(await query(url, 'SELECT text FROM note')).toEqual([{ text: '2' }]);
  });

  it('records them as Prisma does', async () => {
    const url = await makeDatabase();
    await migrate(url, () => undefined, writeMigrations(folders.make(), first));
    const rows = await query(
      url,
      `SELECT migration_name AS name, applied_steps_count AS steps, length(checksum) AS checksum,
              finished_at >= started_at - interval '1 second' AS finished, rolled_back_at, logs FROM _prisma_migrations`,
    );
    expect(rows).toEqual([
      {
        name: '20260101000000_note',
        steps: 1,
        checksum: 64,
        finished: true,
        rolled_back_at: null,
        logs: null,
      },
    ]);
  });

  it('applies each migration once when several processes start together', async () => {
    const url = await makeDatabase();
    const names = Array.from({ length: 8 }, (_, index) => `2026010100000${index}_step`);
    const folder = writeMigrations(
      folders.make(),
      Object.fromEntries(
        names.map((name, index) => [name, `CREATE TABLE t${index} (n int); SELECT pg_sleep(0.05)`]),
      ),
    );
    const outputs = await Promise.all(
      [1, 2, 3].map(() => run(process.execPath, [...fixture('apply-migrations.ts'), url, folder])),
    );
    const applied = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as string[]);
    expect(applied).toEqual(names);
  });

  it('names a migration that fails and why, leaves nothing of it, and tries it again', async () => {
    const url = await makeDatabase();
    const folder = writeMigrations(folders.make(), {
      ...first,
      '20260102000000_bad': 'CREATE TABLE half (n int); SELECT 1 / 0',
    });
    expect(await refusal(url, folder)).toBe(
      'Migration 20260102000000_bad failed: division by zero. Mend that and start again.',
    );
    expect(await query(url, "SELECT to_regclass('half') AS half, to_regclass('note')::text AS note")).toEqual(
      [{ half: null, note: 'note' }],
    );
    writeMigrations(folder, { '20260102000000_bad': 'CREATE TABLE half (n int)' });
    expect(await migrate(url, () => undefined, folder)).toEqual(['20260102000000_bad']);
  });

  it('applies again what a crash cut off', async () => {
    const url = await makeDatabase();
    const folder = writeMigrations(folders.make(), first);
    await migrate(url, () => undefined, folder);
    await query(url, 'UPDATE _prisma_migrations SET finished_at = NULL');
    await query(url, 'DROP TABLE note');
    await query(url, 'DROP FUNCTION two');
    const logged: string[] = [];
    expect(await migrate(url, (line) => logged.push(line), folder)).toEqual(['20260101000000_note']);
    expect(logged).toEqual(['Migration 20260101000000_note did not finish the last time: trying it again.']);
  });

  it("refuses a database with somebody else's tables, untouched", async () => {
    const url = await makeDatabase();
    await query(url, 'CREATE TABLE invoices (n int)');
    expect(await refusal(url, writeMigrations(folders.make(), first))).toMatch(
      /holds tables that are not Parley's/,
    );
    expect(await query(url, "SELECT to_regclass('note') AS note")).toEqual([{ note: null }]);
  });
});

describe('a DATABASE_URL that cannot be used', () => {
  const folder = writeMigrations(folders.make(), { '20260101000000_none': 'SELECT 1' });

  it.each<[string, () => string, RegExp]>([
    ['wrong password', () => at({ password: 'SECRET' }), /refuses the user "parley" with this password/],
    ['unknown user', () => at({ username: 'somebody', password: 'SECRET' }), /refuses the user "somebody"/],
    ['unknown database', () => at({ pathname: '/nowhere' }), /has no database "nowhere"/],
    [
      'unknown host',
      () => 'postgresql://a:SECRET@parley.invalid/b',
      /no host of the name in parley\.invalid:5432/,
    ],
    ['closed port', () => 'postgresql://a:SECRET@127.0.0.1:1/b', /nothing listens at 127\.0\.0\.1:1/],
    [
      'closed port, two addresses',
      () => 'postgresql://a:SECRET@localhost:1/b',
      /nothing listens at localhost:1/,
    ],
    ['unescaped password', () => 'postgresql://a:SEC#RET/@host/b', /not the URL of a PostgreSQL database/],
    ['another scheme', () => 'mysql://a:SECRET@host/b', /not the URL of a PostgreSQL database/],
  ])('is refused in one line without the password: %s', async (_name, url, expected) => {
    const message = await refusal(url(), folder);
    expect(message).toMatch(expected);
    expect(message).not.toContain('SEC');
    expect(message).not.toContain(new URL(server.url).password);
  });

  it('is refused when the user may not make tables', async () => {
    const url = new URL(await makeDatabase());
    await query(server.url, "CREATE ROLE reader LOGIN PASSWORD 'SECRET'");
    Object.assign(url, { username: 'reader', password: 'SECRET' });
    expect(await refusal(url.href, folder)).toMatch(/permission denied for schema public/);
  });

  it('is refused when the server is too old', async () => {
    const old = await startOldServer();
    const { port } = old.address() as { port: number };
    expect(await refusal(`postgresql://a@127.0.0.1:${port}/b`, folder)).toBe(
      'DATABASE_URL: PostgreSQL 14.9 is too old: use version 15 or newer.',
    );
    old.close();
  });
});

describe('diffSchemas', () => {
  const schema = (fields: string): string =>
    `datasource db {\n  provider = "postgresql"\n}\n\nmodel Note {\n  id Int @id\n  ${fields}\n}\n`;

  it('writes the SQL from one schema to another without a database', async () => {
    expect(await diffSchemas(schema(''), schema('text String?'))).toContain(
      'ALTER TABLE "Note" ADD COLUMN     "text" TEXT',
    );
    expect(await diffSchemas(undefined, schema(''))).toContain('CREATE TABLE "Note"');
    expect(await diffSchemas(schema(''), schema(''))).toContain('This is an empty migration.');
  });
});

/** As much of PostgreSQL's protocol as it takes to say which version it is. */
async function startOldServer(): Promise<Server> {
  const message = (type: string, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const text = (value: string): Buffer => Buffer.from(`${value}\0`);
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
  const int32 = (value: number): Buffer => Buffer.concat([int16(0), int16(value)]);
  const ready = message('Z', Buffer.from('I'));
  const column = Buffer.concat([
    text('server_version'),
    int32(0),
    int16(0),
    int32(25),
    int16(65_535),
    int32(0),
    int16(0),
  ]);
  const answer = Buffer.concat([
    message('T', int16(1), column),
    message('D', int16(1), int32(4), Buffer.from('14.9')),
    message('C', text('SHOW')),
    ready,
  ]);
  const old = createServer((socket) => {
    let greeted = false;
    socket.on('data', (chunk) => {
      if (!greeted) socket.write(Buffer.concat([message('R', int32(0)), ready]));
      else if (chunk.toString('latin1', 0, 1) === 'Q') socket.write(answer);
      greeted = true;
    });
  });
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  return old;
}
