/** Runs tasks with one key one after the other, so that what they do happens in their order. */
export class Sequences {
  private readonly last = new Map<string, Promise<void>>();

  /** Runs `task` once those given before with this key have ended. Its error is the caller's alone. */
  async run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const before = this.last.get(key) ?? Promise.resolve();
    const run = before.then(task);
    const settled = run.then(
      () => undefined,
      () => undefined,
    );
    this.last.set(key, settled);
    try {
      return await run;
    } finally {
      if (this.last.get(key) === settled) this.last.delete(key);
    }
  }
}
