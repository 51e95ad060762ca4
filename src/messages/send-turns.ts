/**
 * Lets a send wait for what has to be looked up first without being overtaken: sends of one person to one chat start in
 * the order in which they came. A send that waits for nothing, behind nobody, has no turn and pays nothing.
 */
export class SendTurns {
  private readonly last = new Map<string, Promise<void>>();

  /** Whether somebody of this key is still waiting. */
  isTaken(key: string): boolean {
    return this.last.size > 0 && this.last.has(key);
  }

  /**
   * Calls `start` with what `prepared` resolves to, once every earlier turn of this key has started or failed.
   *
   * @throws what `prepared` or `start` rejects with
   */
  async run<T, R>(key: string, prepared: Promise<T>, start: (prepared: T) => Promise<R>): Promise<R> {
    const before = this.last.get(key);
    let leave: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.last.set(key, turn);
    let started: Promise<R>;
    try {
      const [settled] = await Promise.allSettled([prepared, before]);
      if (settled.status === 'rejected') throw settled.reason;
      started = start(settled.value);
    } finally {
      leave();
      if (this.last.get(key) === turn) this.last.delete(key);
    }
    return started;
  }
}
