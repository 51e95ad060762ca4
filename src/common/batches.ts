interface Pending<In, Out> {
  input: In;
  resolve: (out: Out) => void;
  reject: (error: unknown) => void;
}

export interface BatchOptions {
  /** Inputs of one call. */
  maxSize: number;
  /** Inputs that may wait; one more is refused by `onFull`. */
  maxWaiting: number;
  /** What a refused input's promise is rejected with. */
  onFull: () => Error;
  /** Whether there is no use in trying the inputs of a failed call one by one. */
  isHopeless: (error: unknown) => boolean;
  /**
   * Calls start at least so many milliseconds apart, so that under load each does more; the first one after a pause starts
   * at once. 0 if not given.
   */
  spacingMs?: number;
}

/**
 * Collects what comes while a call is under way, and does it all in the next one: larger calls cost less than more of
 * them. Inputs keep their order, and one call runs at a time. When a call fails, its inputs are tried one by one, so
 * that a bad one harms itself alone: `run` must bear being called again with what it has done already.
 */
export class Batches<In, Out> {
  private waiting: Pending<In, Out>[] = [];
  private running = false;
  private idle: (() => void)[] = [];
  private startedAt = -Infinity;

  /** @param run does its inputs and answers one output each, in their order */
  constructor(
    private readonly run: (inputs: readonly In[]) => Promise<readonly Out[]>,
    private readonly options: BatchOptions,
  ) {}

  /** How many inputs wait for a call. */
  get size(): number {
    return this.waiting.length;
  }

  async add(input: In): Promise<Out> {
    if (this.waiting.length >= this.options.maxWaiting) throw this.options.onFull();
    return new Promise((resolve, reject) => {
      this.waiting.push({ input, resolve, reject });
      // What comes in the same turn of the event loop shares the first call.
      if (!this.running) {
        this.running = true;
        setImmediate(() => void this.work());
      }
    });
  }

  /** Resolves once nothing waits and nothing runs. */
  async drained(): Promise<void> {
    if (this.running) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      await this.keepApart();
      this.startedAt = performance.now();
      await this.runBatch(this.waiting.splice(0, this.options.maxSize));
    }
    this.running = false;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  private async keepApart(): Promise<void> {
    const { spacingMs = 0, maxSize } = this.options;
    const tooEarlyMs = this.startedAt + spacingMs - performance.now();
    if (tooEarlyMs <= 0 || this.waiting.length >= maxSize) return;
    await new Promise((resolve) => setTimeout(resolve, tooEarlyMs));
  }

  private async runBatch(batch: readonly Pending<In, Out>[]): Promise<void> {
    try {
      await this.settle(batch);
    } catch (error) {
      let hopeless = this.options.isHopeless(error) ? error : undefined;
      for (const pending of batch) {
        if (hopeless !== undefined) {
          pending.reject(hopeless);
          continue;
        }
        try {
          await this.settle([pending]);
        } catch (ownError) {
          if (this.options.isHopeless(ownError)) hopeless = ownError;
          pending.reject(ownError);
        }
      }
    }
  }

  private async settle(batch: readonly Pending<In, Out>[]): Promise<void> {
    const outputs = await this.run(batch.map((pending) => pending.input));
    batch.forEach((pending, index) => {
      pending.resolve(outputs[index] as Out);
    });
  }
}
