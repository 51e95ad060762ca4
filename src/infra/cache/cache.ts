import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisDriver } from 'bentocache/drivers/redis';
import type { Redis } from 'ioredis';
import { BoundedMap } from '../../common/bounded-map.js';
import { signalOnCommit, type PgSignalListener } from '../events/pg-signals.js';
import type { PrismaTransaction } from '../database/prisma.service.js';

/** Every kind of entry there is, with its lifetime in milliseconds. */
export const CACHE_LIFETIMES = {
  /** A person's profile by id: what others see of it, signed addresses and presence excepted. */
  profiles: 3_600_000,
} as const;

export type CacheKind = keyof typeof CACHE_LIFETIMES;

/** A cached row says which version of the row it is; values must survive JSON (no `Date`). */
export interface Versioned {
  version: number;
}

const MEMORY_ENTRIES = 20_000;
/** How many changed rows are remembered, so that a fill that began before the change is not kept. */
const REMEMBERED_CHANGES = 20_000;

/**
 * Rows kept in memory, and in Redis behind it when there is one. Never what authorises.
 *
 * Whoever changes a row calls `staleOnCommit` in the transaction. The signal goes through PostgreSQL, so it reaches
 * every instance also while Redis is down, and carries the row's new version: an instance drops its entry and keeps
 * none that is older, which a fill that was under way might bring.
 */
export class Cache {
  private readonly bento;
  private readonly newest = new BoundedMap<string, number>(REMEMBERED_CHANGES);

  constructor(
    redis: Redis | null,
    private readonly signals: PgSignalListener,
  ) {
    // Above Redis it must hold text: bentocache 1.6 puts what it finds there into memory as text in any case.
    const memory = bentostore().useL1Layer(
      memoryDriver({ maxItems: MEMORY_ENTRIES, serialize: redis !== null }),
    );
    this.bento = new BentoCache({
      default: 'rows',
      prefix: 'parley:cache',
      suppressL2Errors: true,
      l2CircuitBreakerDuration: '2s',
      stores: { rows: redis ? memory.useL2Layer(redisDriver({ connection: redis })) : memory },
    });
    signals.on('cache-stale', ({ kind, key, version }) => {
      void this.rememberChange(cacheKey(kind, key), version);
    });
    const forgetAll = (): void => {
      void this.bento.clear();
    };
    signals.onDrop(forgetAll);
    signals.onReconnect(forgetAll);
  }

  /**
   * The entries of `keys`; what is not cached is loaded with one call and kept. Keys that `load` does not return
   * are absent from the answer.
   */
  async getMany<T extends Versioned>(
    kind: CacheKind,
    keys: readonly string[],
    load: (missing: string[]) => Promise<Map<string, T>>,
  ): Promise<Map<string, T>> {
    if (!this.signals.connected) return load([...keys]);
    const found = new Map<string, T>();
    const missing: string[] = [];
    await Promise.all(
      keys.map(async (key) => {
        const value: T | undefined = await this.bento.get<T | undefined>({ key: cacheKey(kind, key) });
        if (value === undefined) missing.push(key);
        else found.set(key, value);
      }),
    );
    if (missing.length > 0) {
      for (const [key, value] of await load(missing)) {
        found.set(key, value);
        await this.keep(kind, key, value);
      }
    }
    return found;
  }

  /** For who changed the row and has committed: this instance has forgotten its entry when it resolves. */
  async forget(kind: CacheKind, key: string, version: number): Promise<void> {
    await this.rememberChange(cacheKey(kind, key), version);
  }

  /**
   * For who has seen newer rows than the signals may have told of: what is older than these versions is forgotten when
   * it resolves.
   */
  async forgetOlder(kind: CacheKind, versions: ReadonlyMap<string, number>): Promise<void> {
    for (const [key, version] of versions) {
      const fullKey = cacheKey(kind, key);
      if (version > (this.newest.get(fullKey) ?? 0)) await this.rememberChange(fullKey, version);
    }
  }

  private async keep(kind: CacheKind, key: string, value: Versioned): Promise<void> {
    const fullKey = cacheKey(kind, key);
    if (value.version < (this.newest.get(fullKey) ?? 0)) return;
    await this.bento.set({ key: fullKey, value, ttl: CACHE_LIFETIMES[kind] });
    // The row may have changed while the entry was written.
    if (value.version < (this.newest.get(fullKey) ?? 0)) await this.bento.delete({ key: fullKey });
  }

  private async rememberChange(fullKey: string, version: number): Promise<void> {
    this.newest.set(fullKey, Math.max(version, this.newest.get(fullKey) ?? 0));
    await this.bento.delete({ key: fullKey });
  }
}

/** Makes every instance forget its entry when `tx` commits. */
export async function staleOnCommit(
  tx: Pick<PrismaTransaction, '$executeRaw'>,
  kind: CacheKind,
  key: string,
  version: number,
): Promise<void> {
  await signalOnCommit(tx, 'cache-stale', { kind, key, version });
}

function cacheKey(kind: string, key: string): string {
  return `${kind}:${key}`;
}
