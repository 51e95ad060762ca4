import type { JsonClient } from './json-client.js';

export interface Times {
  p50: number;
  p95: number;
}

/**
 * Asks for paths in turn, one at a time, and returns how long each kind took, in milliseconds. Taking turns, all kinds
 * meet the same machine.
 *
 * @param kinds by name, the path of the n-th request
 */
export async function measureReads(
  client: JsonClient,
  token: string,
  kinds: ReadonlyMap<string, (n: number) => string>,
  rounds: number,
): Promise<Map<string, Times>> {
  const times = new Map([...kinds.keys()].map((name) => [name, [] as number[]]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const [name, pathOf] of kinds) {
      const startedAt = performance.now();
      await client.ask('GET', pathOf(Math.abs(round)), token);
      if (round >= 0) times.get(name)?.push(performance.now() - startedAt);
    }
  }
  return new Map([...times].map(([name, values]) => [name, toTimes(values)]));
}

const WARM_UP_ROUNDS = 5;

export function toTimes(values: readonly number[]): Times {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? NaN;
  return { p50: at(0.5), p95: at(0.95) };
}

/** One line of a table of results. */
export function line(name: string, times: Times, verdict = ''): string {
  const [p50, p95] = [times.p50, times.p95].map((value) => value.toFixed(1).padStart(8));
  return `${name.padEnd(48)} ${p50} ${p95}  ${verdict}`.trimEnd();
}

export const HEAD = `${'ms'.padEnd(48)} ${'p50'.padStart(8)} ${'p95'.padStart(8)}`;
