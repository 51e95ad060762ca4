import { BoundedMap } from '../common/bounded-map.js';
import type { Principal } from '../infra/http/request-context.js';

/**
 * Sessions that were found valid, the most recently used ones.
 *
 * Invariant: an entry is kept only if no revocation was heard between the start of the look-up that found it and its
 * keeping. A look-up that read the session before it was revoked may end after the revocation was heard; it then
 * carries an older `epoch` and is not kept.
 */
export class SessionMemory {
  private readonly entries: BoundedMap<string, Principal>;
  private epoch = 0;

  constructor(capacity: number) {
    this.entries = new BoundedMap(capacity);
  }

  get(sessionId: string): Principal | undefined {
    const principal = this.entries.get(sessionId);
    // Set again on every use: the one that gives way is then the one that was used longest ago.
    if (principal) this.entries.set(sessionId, principal);
    return principal;
  }

  /** To be called before the session is looked up; what it returns goes to `keep`. */
  startLookUp(): number {
    return this.epoch;
  }

  keep(principal: Principal, lookUp: number): void {
    if (lookUp !== this.epoch) return;
    this.entries.set(principal.sessionId, principal);
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
