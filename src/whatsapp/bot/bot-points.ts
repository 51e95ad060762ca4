/**
 * Where a process may die while the bot answers: before it looks at messages; after its decisions were committed, before
 * the answers are handed over; and after an answer was accepted, before it is no longer kept.
 */
export type BotPoint = 'woken' | 'decided' | 'accepted';

/** Says that the bot has come to a point. Nothing happens; a test puts something in this file's place. */
export function pass(_point: BotPoint): void {
  // Nothing to do.
}
