/**
 * Where a process may die while it sends: after the message was committed, before its job is added; after that; after the
 * message was claimed, before Meta is called; after Meta has answered, before that is recorded; and after that.
 */
export type SendPoint = 'committed' | 'enqueued' | 'claimed' | 'answered' | 'recorded';

/** Says that a send has come to a point. Nothing happens; a test puts something in this file's place. */
export function pass(_point: SendPoint): void {
  // Nothing to do.
}
