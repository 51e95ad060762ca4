/** Runs tasks with one key one after the other, so that what they look up and tell leaves in their order. */
export class Sequences {
  private readonly last = new Map<string, Promise<void>>();

  /** Runs `task` once those given before with this key have ended. Its error is the caller's alone. */
  async run(key: string, task: () => Promise<void> | void): Promise<void> {
    const before = this.last.get(key) ?? Promise.resolve();
    const run = before.then(task);
    const settled = run.catch(() => undefined);
    this.last.set(key, settled);
    try {
      await run;
    } finally {
      if (this.last.get(key) === settled) this.last.delete(key);
    }
  }
}
