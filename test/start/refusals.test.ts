import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from '../../src/infra/database/embedded/database-file.js';
import { startEmbeddedDatabase } from '../../src/infra/database/embedded/embedded-database.js';
import { cloneTemplate } from '../support/app.js';
import { makeFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { buildProject, ROOT } from '../support/project.js';
import { Folders, isRoot, query } from './start-support.js';

const folders = new Folders();

beforeAll(buildProject, 120_000);
afterAll(() => folders.removeAll());

/** Starts the built server, which must refuse; returns the one line in which it says why. */
async function refusal(env: Record<string, string>): Promise<string> {
  const server = new Program(process.execPath, ['dist/main.js'], {
    cwd: ROOT,
    env: { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', ...env },
  });
  expect(await server.ended).toEqual({ code: 1, signal: null });
  expect(server.err).toMatch(/^[^\n]+\n$/);
  expect(server.out).not.toContain('Parley is ready');
  return server.err.trim();
}

/** Every file below a folder with what is in it. */
function contents(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isFile()
        ? `${path} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
        : path;
    })
    .sort();
}

async function newDataDir(): Promise<string> {
  return join(await makeFolder('refused'), 'data');
}

async function usedDataDir(): Promise<string> {
  const dataDir = await newDataDir();
  const database = await startEmbeddedDatabase(dataDir, () => undefined);
  await database.stop();
  return dataDir;
}

describe('a server that cannot start says why in one line, ends with 1 and touches nothing', () => {
  it('when another program has its port', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const dataDir = await usedDataDir();
    const before = contents(dataDir);
    expect(await refusal({ DATA_DIR: dataDir, PORT: String(port) })).toBe(
      `Port ${port} is in use by another program: stop it, or set PORT to a free one.`,
    );
    expect(contents(dataDir)).toEqual(before);
    other.close();
  });

  it('when HOST is not this machine', async () => {
    expect(await refusal({ DATA_DIR: await newDataDir(), HOST: '192.0.2.1' })).toMatch(
      /^HOST 192\.0\.2\.1 is not/,
    );
  });

  it('when DATA_DIR is read-only', async () => {
    const dataDir = folders.makeReadOnly();
    expect(await refusal({ DATA_DIR: dataDir })).toMatch(
      isRoot ? /is on a read-only file system: choose/ : /cannot be written by this user: give it/,
    );
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('when DATA_DIR is somebody else’s', async () => {
    const dataDir = folders.make();
    writeFileSync(join(dataDir, 'thesis.txt'), 'ten years of work');
    const before = contents(dataDir);
    expect(await refusal({ DATA_DIR: dataDir })).toMatch(/holds files that are not Parley's: choose/);
    expect(contents(dataDir)).toEqual(before);
  });

  it('when DATA_DIR holds the data of another major version of PostgreSQL', async () => {
    const dataDir = await usedDataDir();
    writeFileSync(join(dataDir, 'postgres/PG_VERSION'), '17\n');
    const before = contents(dataDir);
    expect(await refusal({ DATA_DIR: dataDir })).toMatch(/PostgreSQL 17/);
    expect(contents(dataDir)).toEqual(before);
  });

  it('when the configuration is wrong, naming every bad variable and no value', async () => {
    const dataDir = await newDataDir();
    const line = await refusal({
      DATA_DIR: dataDir,
      ROLE: 'boss-of-all',
      JWT_SECRET: 'too-short',
      PORT: 'http',
    });
    for (const name of ['ROLE', 'JWT_SECRET', 'PORT']) expect(line).toContain(`${name} must`);
    for (const value of ['boss-of-all', 'too-short', ' http']) expect(line).not.toContain(value);
    expect(readdirSync(join(dataDir, '..'))).toEqual([]);
  });
});

describe('a wrong DATABASE_URL is refused in one line that does not show the password', () => {
  const wrong: [string, (url: URL) => Promise<void> | void, RegExp][] = [
    ['nobody listens there', async (url) => void (url.port = String(await findFreePort())), /DATABASE_URL/],
    ['no such host', (url) => void (url.hostname = 'nowhere.invalid'), /DATABASE_URL/],
    ['wrong password', (url) => void (url.password = 'wrong-guess'), /DATABASE_URL/],
    ['no such database', (url) => void (url.pathname = '/not_there'), /DATABASE_URL/],
  ];

  it.each(wrong)('%s', async (_what, spoil, said) => {
    const url = new URL(await cloneTemplate());
    const { password } = url;
    await spoil(url);
    const line = await refusal({ DATA_DIR: await newDataDir(), DATABASE_URL: url.href });
    expect(line).toMatch(said);
    for (const secret of [password, 'wrong-guess']) expect(line).not.toContain(secret);
  });

  it('a database of somebody else, which stays as it was', async () => {
    const url = new URL(await cloneTemplate());
    const admin = url.href;
    url.pathname = '/somebody_elses';
    await query(admin, 'CREATE DATABASE somebody_elses');
    await query(url.href, 'CREATE TABLE thesis (text text)');
    const tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    const before = await query(url.href, tables);
    const line = await refusal({ DATA_DIR: await newDataDir(), DATABASE_URL: url.href });
    expect(line).toMatch(/DATABASE_URL|database/);
    expect(await query(url.href, tables)).toEqual(before);
  });
});
