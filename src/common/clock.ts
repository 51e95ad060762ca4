/**
 * The one source of time. Product code asks it instead of `Date`, and SQL gets it as a parameter,
 * so that tests can move time without waiting for it.
 */
export abstract class Clock {
  /** Milliseconds since the epoch. */
  abstract nowMs(): number;
  /** Runs `task` once after `delayMs` milliseconds; the returned function cancels it. */
  abstract after(delayMs: number, task: () => void): () => void;

  now(): Date {
    return new Date(this.nowMs());
  }

  /** Runs `task` every `periodMs` milliseconds until the returned function is called. */
  every(periodMs: number, task: () => void): () => void {
    let cancel: () => void;
    const schedule = (): void => {
      cancel = this.after(periodMs, () => {
        schedule();
        task();
      });
    };
    schedule();
    return () => {
      cancel();
    };
  }
}

export class SystemClock extends Clock {
  override nowMs(): number {
    return Date.now();
  }

  override after(delayMs: number, task: () => void): () => void {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  }
}
