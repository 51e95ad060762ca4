/** How long somebody without any connection still counts as online, in milliseconds (contract §4). */
export const GRACE_MS = 5_000;

export interface WentOffline {
  userId: string;
  /** When they were last known to be there; null if that is written down already. */
  lastSeenAtMs: number | null;
}

export interface PresenceChanges {
  online: string[];
  offline: WentOffline[];
}

/**
 * Who is online on which instance. Users come and go here once each, however many connections they have.
 * Nothing in it throws: what cannot be asked of the other instances is answered from this one.
 */
export abstract class PresenceStore {
  /**
   * Starts to take part. `onChanges` is told what this instance finds out on behalf of all: those whom an instance
   * took with it when it died, and those it could not announce while the others could not be reached.
   */
  abstract start(onChanges: (changes: PresenceChanges) => void): void;

  /**
   * Records who came to this instance and who left it. Calls take effect in their order.
   *
   * @returns for whom this made a difference: `online` were nowhere before, `offline` are nowhere now
   */
  abstract move(
    arrived: readonly string[],
    departed: readonly string[],
  ): Promise<{ online: string[]; offline: string[] }>;

  /** Those among `userIds` who are on any instance. */
  abstract onlineAmong(userIds: readonly string[]): Promise<Set<string>>;

  /**
   * Ends this instance's part. Its users have the usual grace to come back elsewhere; another instance then
   * announces who did not.
   *
   * @returns its users who are on no other instance
   */
  abstract leave(): Promise<string[]>;
}
