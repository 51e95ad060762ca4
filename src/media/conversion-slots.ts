/** As many at once: each may hold 200 MB of pixels, and libuv's four threads also compare passwords. */
const SLOTS = 2;

/** Lets a few conversions run at once; the others wait in their order. */
export class ConversionSlots {
  private free = SLOTS;
  private readonly waiting: (() => void)[] = [];

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The slot goes straight to the next: nobody who comes later can take it.
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}
