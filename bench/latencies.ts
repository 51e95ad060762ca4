export interface Percentiles {
  p50: number;
  p99: number;
}

/** Collects durations in milliseconds. */
export class Latencies {
  private readonly values: number[] = [];

  get count(): number {
    return this.values.length;
  }

  add(value: number): void {
    this.values.push(value);
  }

  percentiles(): Percentiles {
    const sorted = Float64Array.from(this.values).sort();
    const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? NaN;
    return { p50: at(0.5), p99: at(0.99) };
  }
}
