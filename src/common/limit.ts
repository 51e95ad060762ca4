/** Lets no more than `max` of some work run at a time; what waits begins in the order of the calls. */
export class Limit {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly max: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.max) this.running++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes straight to the next: nobody who comes later can take it.
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }
}
