import type { Clock } from '../../common/clock.js';

/**
 * Work by key: one run at a time for each key, and no more than `max` runs in all. A key that is woken while it runs is
 * run once more.
 */
export class Lanes {
  /** With whether to run once more. */
  private readonly running = new Map<string, boolean>();
  private readonly waiting = new Set<string>();
  private readonly timers = new Map<string, { atMs: number; cancel: () => void }>();
  private idle: (() => void)[] = [];
  private stopped = false;

  /** @param run returns when to run the key again, in milliseconds since the epoch, or null; never rejects */
  constructor(
    private readonly run: (key: string) => Promise<number | null>,
    private readonly clock: Clock,
    private readonly max: number,
  ) {}

  get isStopped(): boolean {
    return this.stopped;
  }

  wake(key: string): void {
    if (this.stopped) return;
    if (this.running.has(key)) this.running.set(key, true);
    else this.waiting.add(key);
    this.start();
  }

  /** Resolves once nothing runs; nothing begins any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.waiting.clear();
    for (const { cancel } of this.timers.values()) cancel();
    this.timers.clear();
    if (this.running.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private start(): void {
    for (const key of this.waiting) {
      if (this.running.size >= this.max) return;
      this.waiting.delete(key);
      this.running.set(key, false);
      void this.finish(key, this.run(key));
    }
  }

  private async finish(key: string, run: Promise<number | null>): Promise<void> {
    const againAtMs = await run;
    const again = this.running.get(key) === true;
    this.running.delete(key);
    if (!this.stopped) {
      if (again || (againAtMs !== null && againAtMs <= this.clock.nowMs())) this.waiting.add(key);
      else if (againAtMs !== null) this.wakeAt(key, againAtMs);
      this.start();
    }
    if (this.running.size === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private wakeAt(key: string, atMs: number): void {
    const set = this.timers.get(key);
    if (set && set.atMs <= atMs) return;
    set?.cancel();
    const cancel = this.clock.after(atMs - this.clock.nowMs(), () => {
      this.timers.delete(key);
      this.wake(key);
    });
    this.timers.set(key, { atMs, cancel });
  }
}
