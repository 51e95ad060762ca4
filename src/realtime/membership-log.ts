export type MembershipChange = 'joined' | 'left';

interface Entry {
  seq: number;
  change: MembershipChange;
  userIds: Set<string>;
  atMs: number;
}

/** Whom a packet of the past concerns, besides or instead of those who are in the chat now. */
export interface PastAudience {
  /** They were in the chat then. */
  gone: string[];
  /** They were not in the chat then. */
  notYet: string[];
}

/** Ids kept for one chat; a whole group may come and go a few times. */
const MAX_IDS = 8_192;

/**
 * Who joined and left one chat lately, by the `members_seq` of each change.
 *
 * Invariant: it holds every last change of everybody above `completeFrom`; below, some may be missing.
 */
export class MembershipLog {
  private entries: Entry[] = [];
  private size = 0;

  /** @param completeFrom the `members_seq` after which no change will be missing */
  constructor(private completeFrom: number) {}

  /** The newest change; 0 for none. */
  get newestSeq(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  /** Enters a change, which may be known in part or whole, and may be older than others. */
  note(seq: number, change: MembershipChange, userIds: Iterable<string>, nowMs: number): void {
    let index = this.entries.length;
    while (index > 0 && (this.entries[index - 1]?.seq ?? 0) > seq) index--;
    const before = this.entries[index - 1];
    const isKnown = before?.seq === seq && before.change === change;
    const entry = isKnown ? before : { seq, change, userIds: new Set<string>(), atMs: nowMs };
    if (!isKnown) this.entries.splice(index, 0, entry);
    this.size -= entry.userIds.size;
    for (const userId of userIds) entry.userIds.add(userId);
    this.size += entry.userIds.size;
    while (this.size > MAX_IDS && this.entries.length > 1) this.dropOldest();
  }

  /** Says that nothing after `seq` is missing, because it was looked up. */
  completeSince(seq: number): void {
    this.completeFrom = Math.min(this.completeFrom, seq);
  }

  /** Lets go of what was entered before. */
  forgetBefore(atMs: number): void {
    while (this.entries[0] && this.entries[0].atMs < atMs) this.dropOldest();
  }

  /** The last change of a person above `seq`. */
  lastChangeOf(userId: string, seq: number): MembershipChange | undefined {
    return this.entries.findLast((entry) => entry.seq > seq && entry.userIds.has(userId))?.change;
  }

  /** All changes above `seq`, the oldest first. */
  changesAfter(seq: number): { change: MembershipChange; userIds: ReadonlySet<string> }[] {
    return this.entries.filter((entry) => entry.seq > seq);
  }

  /**
   * How those who were in the chat at `membersSeq` differ from those who are now: a person's first change after it says
   * what they were before. Null when that is no longer known.
   */
  audienceAt(membersSeq: number): PastAudience | null {
    if (membersSeq < this.completeFrom) return null;
    const firstChange = new Map<string, MembershipChange>();
    for (const { change, userIds } of this.changesAfter(membersSeq)) {
      for (const userId of userIds) if (!firstChange.has(userId)) firstChange.set(userId, change);
    }
    const audience: PastAudience = { gone: [], notYet: [] };
    for (const [userId, change] of firstChange) {
      if (change === 'left') audience.gone.push(userId);
      else audience.notYet.push(userId);
    }
    return audience;
  }

  private dropOldest(): void {
    const oldest = this.entries.shift();
    if (!oldest) return;
    this.size -= oldest.userIds.size;
    this.completeFrom = Math.max(this.completeFrom, oldest.seq);
  }
}
