import type { Principal } from '../infra/http/request-context.js';

/**
 * Sessions that were found valid, the most recently used ones.
 *
 * Invariant: an entry is kept only if no revocation was heard between the start of the look-up that found it and its
 * keeping. A look-up that read the session before it was revoked may end after the revocation was heard; it then
 * carries an older `epoch` and is not kept.
 */
export class SessionMemory {
  private readonly entries = new Map<string, Principal>();
  private epoch = 0;

  constructor(private readonly capacity: number) {}

  get(sessionId: string): Principal | undefined {
    const principal = this.entries.get(sessionId);
    if (principal) {
      // Put last again: the first of the map is then the one that was used longest ago.
      this.entries.delete(sessionId);
      this.entries.set(sessionId, principal);
    }
    return principal;
  }

  /** To be called before the session is looked up; what it returns goes to `keep`. */
  startLookUp(): number {
    return this.epoch;
  }

  keep(principal: Principal, lookUp: number): void {
    if (lookUp !== this.epoch) return;
    this.entries.set(principal.sessionId, principal);
    if (this.entries.size <= this.capacity) return;
    const oldest = this.entries.keys().next();
    if (!oldest.done) this.entries.delete(oldest.value);
  }

  forget(sessionIds: readonly string[]): void {
    this.epoch++;
    for (const sessionId of sessionIds) this.entries.delete(sessionId);
  }

  forgetAll(): void {
    this.epoch++;
    this.entries.clear();
  }
}
