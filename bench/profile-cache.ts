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
import { UsersRepository } from '../src/users/users.repository.js';

/**
 * Measures what the cache of profiles is for: reading the 31 people of a page of chats from PostgreSQL, and from the
 * cache in memory. Prints the median time and the processor time of this process for one such read.
 */
const PEOPLE = 1_000;
const A_PAGE = 31;
const READS = 3_000;

const silent = (): void => undefined;
const dataDir = await mkdtemp(join(tmpdir(), 'parley-bench-cache-'));
const database = await startEmbeddedDatabase(dataDir, silent);
await migrate(database.url, silent);
const config = loadConfig({ DATA_DIR: dataDir });
const infra = await openInfra(config, database.url, database.url, new SystemClock(), new Log('error'));
try {
  const { prisma, cache, database: pool } = infra.parts;
  const repository = new UsersRepository(prisma, pool);
  const ids = Array.from({ length: PEOPLE }, newId);
  const at = new Date();
  await prisma.user.createMany({
    data: ids.map((id, i) => ({
      id,
      name: `Person ${i}`,
      nameKey: `person ${i}`,
      email: `${i}@example.com`,
      emailKey: `${i}@example.com`,
      passwordHash: '-',
      createdAt: at,
      updatedAt: at,
    })),
  });
  const load = async (missing: readonly string[]) =>
    new Map((await repository.listProfiles(missing)).map((profile) => [profile.id, profile]));
  await measure('PostgreSQL', ids, load);
  await measure('cache', ids, (page) => cache.getMany('profiles', page, load));
} finally {
  await infra.close();
  await database.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function measure(
  name: string,
  ids: readonly string[],
  read: (page: string[]) => Promise<Map<string, unknown>>,
): Promise<void> {
  const pageAt = (i: number): string[] =>
    Array.from({ length: A_PAGE }, (_, k) => ids[(i * 7 + k) % ids.length] ?? '');
  for (let i = 0; i < READS; i++) await read(pageAt(i));
  const times: number[] = [];
  const cpuBefore = process.cpuUsage();
  for (let i = 0; i < READS; i++) {
    const startedAt = performance.now();
    await read(pageAt(i));
    times.push(performance.now() - startedAt);
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  times.sort((a, b) => a - b);
  const median = times[READS / 2] ?? 0;
  process.stdout.write(
    `${name.padEnd(12)} median ${median.toFixed(3)} ms, own CPU ${((user + system) / 1000 / READS).toFixed(3)} ms for ${A_PAGE} profiles\n`,
  );
}
