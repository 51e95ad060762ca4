/**
 * Builds `dist/` when the sources are not those it was built from; `--force` builds in any case.
 * Prints nothing when there is nothing to do. A build that fails or is cut off leaves the old `dist/` as it was.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DIST = join(ROOT, 'dist');
const HASH_FILE = '.build-hash';
const GENERATED = 'src/infra/database/generated';
const SCHEMA = 'prisma/schema.prisma';
const TYPESCRIPT = join(ROOT, 'node_modules/typescript/bin/tsc');
const PRISMA = join(ROOT, 'node_modules/prisma/build/index.js');
const SWAP_ATTEMPTS = 10;

main();

function main() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Parley needs Node.js 20.19 or newer, and this is ${process.versions.node}: install a newer one.`);
  }
  // An image holds what was built and not its sources.
  if (!existsSync(join(ROOT, 'src')) && existsSync(DIST)) return;
  const hash = hashSources();
  if (!process.argv.includes('--force') && readText(join(DIST, HASH_FILE)) === hash) return;
  if (!existsSync(TYPESCRIPT) || !existsSync(PRISMA)) {
    fail('The dependencies are not installed: run "npm ci" first.');
  }
  say('Building Parley (once; about 10 seconds)…');
  build(hash);
}

function build(hash) {
  removeRemains();
  if (!isClientFresh()) run('The Prisma client could not be generated', PRISMA, ['generate']);
  const fresh = join(ROOT, `.dist-new-${process.pid}`);
  process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
  run('Parley does not compile', TYPESCRIPT, [
    '-p',
    'tsconfig.build.json',
    '--noEmitOnError',
    '--outDir',
    fresh,
  ]);
  writeFileSync(join(fresh, HASH_FILE), hash);
  putInPlace(fresh);
}

/** Two starts may build at once: whoever comes last wins, and both builds are the same. */
function putInPlace(fresh) {
  const old = join(ROOT, `.dist-old-${process.pid}`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (existsSync(DIST)) renameSync(DIST, old);
      renameSync(fresh, DIST);
      break;
    } catch (error) {
      if (attempt === SWAP_ATTEMPTS || !['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

function hashSources() {
  const hash = createHash('sha256');
  for (const path of [...listFiles('src'), ...listFiles('prisma'), ...listTopFiles()]) {
    const content = readFileSync(join(ROOT, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function listFiles(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (path === GENERATED || path.endsWith('.spec.ts')) return [];
      return entry.isDirectory() ? listFiles(path) : [path];
    });
}

function listTopFiles() {
  return readdirSync(ROOT).filter((name) => name === 'package-lock.json' || /^tsconfig.*\.json$/.test(name));
}

/** The generated client carries the schema it was made from. */
function isClientFresh() {
  const client = readText(join(ROOT, GENERATED, 'internal/class.ts'));
  return client?.includes(JSON.stringify(readText(join(ROOT, SCHEMA)))) === true;
}

function run(problem, script, args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 100_000_000,
    // Generating needs no schema engine, but Prisma would download one unless it is told where it is.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  });
  if (status !== 0) fail(`${stdout ?? ''}${stderr ?? ''}${problem}: see above.`);
}

/** What builds that were cut off left behind. */
function removeRemains() {
  for (const name of readdirSync(ROOT)) {
    const pid = /^\.dist-(?:new|old)-(\d+)$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(ROOT, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}
