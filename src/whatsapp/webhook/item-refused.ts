export type RefusalReason = 'UNKNOWN_NUMBER' | 'UNKNOWN_FIELD' | 'BAD_ITEM' | 'FAILED';

/** An item that is not applied, now or later, but kept for inspection. */
export class ItemRefused extends Error {
  constructor(
    readonly reason: RefusalReason,
    readonly detail: string,
  ) {
    super(`${reason}: ${detail}`);
  }
}
