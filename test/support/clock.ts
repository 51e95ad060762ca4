import { Clock } from '../../src/common/clock.js';

interface Timer {
  at: number;
  task: () => void;
}

/** Time that stands still until a test moves it. It starts at the real time of the moment it is made. */
export class TestClock extends Clock {
  private readonly timers = new Set<Timer>();
  private time = Date.now();

  override nowMs(): number {
    return this.time;
  }

  override after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.time + delayMs, task };
    this.timers.add(timer);
    return () => {
      this.timers.delete(timer);
    };
  }

  /**
   * Moves time by `ms` milliseconds and runs what is due on the way, in its order and each at its own time, timers
   * set meanwhile included. Work that a task only starts is not waited for: wait for its effect.
   */
  advance(ms: number): void {
    const target = this.time + ms;
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= target).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.task();
    }
    this.time = target;
  }
}
