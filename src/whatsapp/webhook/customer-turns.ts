/** Lets work on one customer begin in the order of the calls, each when the one before has ended. */
export class CustomerTurns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Whether somebody's turn has not ended. */
  isBusy(key: string): boolean {
    return this.last.has(key);
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(key) === turn) this.last.delete(key);
    }
  }
}
