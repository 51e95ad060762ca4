import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { StartupError } from '../../src/common/startup-error.js';
import { prepareDataDir } from '../../src/infra/database/embedded/data-dir.js';
import {
  type EmbeddedDatabase,
  shareEmbeddedDatabase,
  startEmbeddedDatabase,
} from '../../src/infra/database/embedded/embedded-database.js';
import { processBirth } from '../../src/infra/database/embedded/process-identity.js';
import { Folders, Holder, isRoot, query } from './start-support.js';

const TAKE_OVER_BUDGET_MS = 5_000;
const itAsRoot = isRoot ? it : it.skip;

const folders = new Folders();
const databases: EmbeddedDatabase[] = [];
const holders: Holder[] = [];
const postmasters: number[] = [];

async function start(
  dataDir: string,
  log: (line: string) => void = () => undefined,
): Promise<EmbeddedDatabase> {
  const database = await startEmbeddedDatabase(dataDir, log);
  databases.push(database);
  return database;
}

function hold(dataDir: string, env?: NodeJS.ProcessEnv): Holder {
  const holder = Holder.start(dataDir, env);
  holders.push(holder);
  return holder;
}

async function refusal(dataDir: string): Promise<string> {
  const error: unknown = await startEmbeddedDatabase(dataDir, () => undefined).then(
    (database) => databases.push(database),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartupError);
  const { message } = error as StartupError;
  expect(message).not.toContain('\n');
  return message;
}

function postmasterPid(dataDir: string): number {
  const pid = Number(readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
  postmasters.push(pid);
  return pid;
}

/** A process that has ended is gone, whether or not anybody has collected it. */
function isAlive(pid: number): boolean {
  return processBirth(pid) !== undefined;
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

async function storeNote(url: string, text: string): Promise<void> {
  await query(url, 'CREATE TABLE note (text text)');
  await query(url, 'INSERT INTO note VALUES ($1)', [text]);
}

async function readNotes(url: string): Promise<string[]> {
  return (await query<{ text: string }>(url, 'SELECT text FROM note')).map((row) => row.text);
}

afterEach(async () => {
  for (const holder of holders.splice(0)) await holder.end('SIGTERM');
  for (const database of databases.splice(0)) await database.stop();
});

afterAll(() => {
  folders.removeAll();
  expect(postmasters.filter(isAlive)).toEqual([]);
});

describe('the embedded database', () => {
  it('starts from nothing, durable, on loopback only, and leaves no process behind', async () => {
    const dataDir = join(folders.make(), 'a', 'data');
    const database = await start(dataDir);

    const [settings] = await query(
      database.url,
      `SELECT current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
              current_setting('synchronous_commit') AS commit, current_setting('listen_addresses') AS addresses,
              current_setting('unix_socket_directories') AS sockets,
              current_setting('idle_in_transaction_session_timeout') AS idle,
              (SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database()) AS locale`,
    );
    expect(settings).toEqual({
      encoding: 'UTF8',
      fsync: 'on',
      commit: 'on',
      addresses: '127.0.0.1',
      sockets: '',
      idle: '1min',
      locale: 'b C.UTF-8',
    });
    expect([
      modeOf(dataDir),
      modeOf(join(dataDir, 'database.json')),
      modeOf(join(dataDir, 'postgres.log')),
    ]).toEqual(['700', '600', '600']);
    expect(JSON.parse(readFileSync(join(dataDir, 'parley.json'), 'utf8'))).toEqual({ format: 1 });

    const pid = postmasterPid(dataDir);
    await database.stop();
    expect(isAlive(pid)).toBe(false);
    await expect(query(database.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  });

  it('knows the letters of all scripts for word search', async () => {
    const { url } = await start(folders.make());
    await query(url, 'CREATE EXTENSION pg_trgm');
    const rows = await query(url, "SELECT lower('ÀΩЖ') AS lower, cardinality(show_trgm('жук')) AS trigrams");
    expect(rows).toEqual([{ lower: 'àωж', trigrams: 4 }]);
  });

  it('refuses a wrong password', async () => {
    const { url } = await start(folders.make());
    const wrong = new URL(url);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });

  it('keeps data, port and password from start to start', async () => {
    const dataDir = folders.make();
    const first = await start(dataDir);
    await storeNote(first.url, 'still here');
    await first.stop();
    const second = await start(dataDir);
    expect(second.url).toBe(first.url);
    expect(await readNotes(second.url)).toEqual(['still here']);
  });

  it('moves to another port when somebody else has taken its own', async () => {
    const dataDir = folders.make();
    const first = await start(dataDir);
    await storeNote(first.url, 'moved');
    await first.stop();
    const other = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
    await once(other, 'listening');
    try {
      const second = await start(dataDir);
      expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
      expect(await readNotes(second.url)).toEqual(['moved']);
    } finally {
      other.close();
    }
  });

  it('stores an emoji from a folder that only its owner may enter, with LC_ALL=C', async () => {
    const dataDir = join(folders.make(), 'data');
    const url = await hold(dataDir, { PATH: process.env.PATH, LC_ALL: 'C', LANG: 'C' }).url();
    await storeNote(url, '👩‍👩‍👧‍👦 žlutý');
    expect(await readNotes(url)).toEqual(['👩‍👩‍👧‍👦 žlutý']);
    expect(await query(url, "SELECT char_length('😀') AS length")).toEqual([{ length: 1 }]);
  });

  it('writes neither statements nor what people wrote to its log', async () => {
    const dataDir = folders.make();
    const { url } = await start(dataDir);
    await query(url, 'CREATE TABLE secret (text text UNIQUE CHECK (length(text) < 20))');
    await query(url, "INSERT INTO secret VALUES ('tell-nobody')");
    await expect(query(url, "INSERT INTO secret VALUES ('tell-nobody')")).rejects.toThrow('duplicate key');
    await expect(query(url, "INSERT INTO secret VALUES ('tell-nobody-at-all-ever')")).rejects.toThrow(
      'check',
    );
    expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).not.toContain('tell-nobody');
  });

  it('says so when PostgreSQL ends by itself', async () => {
    const dataDir = folders.make();
    let tell: (line: string) => void;
    const said = new Promise<string>((resolve) => (tell = resolve));
    await start(dataDir, (line) => {
      if (line.includes('ended')) tell(line);
    });
    const pid = postmasterPid(dataDir);
    process.kill(pid, 'SIGKILL');
    expect(await said).toContain(`PostgreSQL (pid ${pid}) has ended by itself`);
  });
});

describe('after the server was killed', () => {
  it('takes over the PostgreSQL it left running, within the budget', async () => {
    const dataDir = folders.make();
    const killed = hold(dataDir);
    await storeNote(await killed.url(), 'survived');
    const pid = postmasterPid(dataDir);
    await killed.end('SIGKILL');
    expect(isAlive(pid)).toBe(true);

    const began = performance.now();
    const logged: string[] = [];
    const database = await start(dataDir, (line) => logged.push(line));
    expect(performance.now() - began).toBeLessThan(TAKE_OVER_BUDGET_MS);
    expect(logged).toEqual([`Took over the PostgreSQL (pid ${pid}) that an earlier server left running.`]);
    expect(postmasterPid(dataDir)).toBe(pid);
    expect(await readNotes(database.url)).toEqual(['survived']);
    await database.stop();
    expect(isAlive(pid)).toBe(false);
  });

  it('stops one that runs with other settings and starts it again, within the budget', async () => {
    const dataDir = folders.make();
    const killed = hold(dataDir);
    await storeNote(await killed.url(), 'restarted');
    const pid = postmasterPid(dataDir);
    await killed.end('SIGKILL');
    const file = join(dataDir, 'database.json');
    const content = JSON.parse(readFileSync(file, 'utf8')) as { port: number };
    writeFileSync(file, JSON.stringify({ ...content, port: content.port - 1 }));

    const began = performance.now();
    const database = await start(dataDir);
    expect(performance.now() - began).toBeLessThan(TAKE_OVER_BUDGET_MS);
    expect(isAlive(pid)).toBe(false);
    expect(await readNotes(database.url)).toEqual(['restarted']);
  });

  it('recovers when PostgreSQL was killed with it', async () => {
    const dataDir = folders.make();
    const killed = hold(dataDir);
    await storeNote(await killed.url(), 'replayed');
    process.kill(postmasterPid(dataDir), 'SIGKILL');
    await killed.end('SIGKILL');
    const began = performance.now();
    const database = await start(dataDir);
    expect(performance.now() - began).toBeLessThan(TAKE_OVER_BUDGET_MS);
    expect(await readNotes(database.url)).toEqual(['replayed']);
  });

  it('is not misled by a pid that another program has now', async () => {
    const dataDir = folders.make();
    const first = await start(dataDir);
    await storeNote(first.url, 'not misled');
    await first.stop();
    writeFileSync(join(dataDir, 'lock', `${process.pid}.another-life`), 'held');
    writeFileSync(
      join(dataDir, 'postgres/postmaster.pid'),
      `${process.pid}\n${dataDir}/postgres\n0\n1\n\n\n\nready\n`,
    );
    const second = await start(dataDir);
    expect(await readNotes(second.url)).toEqual(['not misled']);
  });

  it('begins anew when it was killed while the first database was made', async () => {
    const dataDir = folders.make();
    const begun = new Promise<void>((resolve) => {
      const watcher = watch(dataDir, (_event, name) => {
        if (name?.startsWith('postgres.new-') !== true) return;
        watcher.close();
        resolve();
      });
    });
    const killed = hold(dataDir);
    await begun;
    await killed.end('SIGKILL');
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);

    const { url } = await start(dataDir);
    await storeNote(url, 'whole');
    expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.new-'))).toEqual([]);
  });
});

describe('two servers on one data folder', () => {
  it('refuses the second and names the pid of the first, which goes on', async () => {
    const dataDir = folders.make();
    const first = hold(dataDir);
    const url = await first.url();
    await storeNote(url, 'mine');
    expect(await refusal(dataDir)).toContain(`(pid ${first.process.pid})`);
    const { refused } = await hold(dataDir).outcome;
    expect(refused).toContain(`(pid ${first.process.pid})`);
    expect(await readNotes(url)).toEqual(['mine']);
  });

  it('lets exactly one of several that start together have it', async () => {
    const dataDir = folders.make();
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => hold(dataDir).outcome));
    const winners = outcomes.filter((outcome) => outcome.url !== undefined);
    expect(winners).toHaveLength(1);
    for (const { refused } of outcomes.filter((outcome) => outcome.url === undefined)) {
      expect(refused).toMatch(/pid \d+/);
    }
  });

  it('lets a tool share the database of a running server, and starts it where there is none', async () => {
    const dataDir = folders.make();
    const url = await hold(dataDir).url();
    const shared = await shareEmbeddedDatabase(dataDir, () => undefined);
    expect(shared.url).toBe(url);
    await shared.stop();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);

    const alone = await shareEmbeddedDatabase(folders.make(), () => undefined);
    databases.push(alone);
    expect(await query(alone.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a data folder that cannot be used', () => {
  it('is refused untouched when it holds other files', async () => {
    const dataDir = folders.make();
    writeFileSync(join(dataDir, 'thesis.txt'), 'ten years of work');
    expect(await refusal(dataDir)).toContain(`${dataDir} holds files that are not Parley's`);
    expect(readdirSync(dataDir)).toEqual(['thesis.txt']);
  });

  it('is refused when a newer version wrote it', async () => {
    const dataDir = folders.make();
    writeFileSync(join(dataDir, 'parley.json'), '{"format":2}');
    expect(await refusal(dataDir)).toContain('newer Parley');
    expect(readdirSync(dataDir)).toEqual(['parley.json']);
  });

  it('is refused when it is read-only', async () => {
    const dataDir = folders.makeReadOnly();
    expect(await refusal(dataDir)).toMatch(/read-only file system|cannot be written/);
    expect(await refusal(join(dataDir, 'below'))).toMatch(/read-only file system|cannot be written/);
  });

  it('is refused when it, or a part of its path, is a file', async () => {
    const file = join(folders.make(), 'file');
    writeFileSync(file, 'content');
    expect(await refusal(file)).toContain('is not a folder');
    expect(await refusal(join(file, 'below'))).toContain('is not a folder');
    expect(readFileSync(file, 'utf8')).toBe('content');
    const dangling = join(dirname(file), 'dangling');
    symlinkSync(join(dirname(file), 'nowhere'), dangling);
    expect(await refusal(join(dangling, 'below'))).toContain('cannot be used');
  });

  it('is refused untouched when another major version made it', async () => {
    const dataDir = folders.make();
    await (await start(dataDir)).stop();
    const version = join(dataDir, 'postgres/PG_VERSION');
    writeFileSync(version, '17\n');
    const before = readdirSync(join(dataDir, 'postgres'));
    expect(await refusal(dataDir)).toMatch(/made by PostgreSQL 17 .* pg_dump 17/);
    expect(readFileSync(version, 'utf8')).toBe('17\n');
    expect(readdirSync(join(dataDir, 'postgres'))).toEqual(before);
  });

  it('is refused untouched when its password file is lost', async () => {
    const dataDir = folders.make();
    await (await start(dataDir)).stop();
    rmSync(join(dataDir, 'database.json'));
    expect(await refusal(dataDir)).toMatch(/database\.json.* is missing: restore it/);
    expect(existsSync(join(dataDir, 'database.json'))).toBe(false);
  });

  it('is refused when its database is not one', async () => {
    const dataDir = folders.make();
    await prepareDataDir(dataDir);
    mkdirSync(join(dataDir, 'postgres'));
    expect(await refusal(dataDir)).toContain('does not hold a PostgreSQL database');
    expect(readdirSync(join(dataDir, 'postgres'))).toEqual([]);
  });

  itAsRoot('is refused when its disk is full, with nothing left behind', async () => {
    const dataDir = folders.mount('size=16m');
    expect(await refusal(dataDir)).toMatch(/disk of .* is full/);
    expect(readdirSync(dataDir).sort()).toEqual(['database.json', 'lock', 'parley.json']);
  });

  it('may be prepared by several servers at once', async () => {
    const dataDir = join(folders.make(), 'shared');
    await Promise.all(Array.from({ length: 20 }, () => prepareDataDir(dataDir)));
    expect(readdirSync(dataDir)).toEqual(['parley.json']);
  });
});
