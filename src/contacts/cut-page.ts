/**
 * A page out of rows that were fetched with one more than `limit`: the extra row only tells that there is a next
 * page, whose cursor `cursorAfter` makes from the last row of this one.
 */
export function cutPage<T>(
  rows: readonly T[],
  limit: number,
  cursorAfter: (last: T) => string,
): { items: T[]; nextCursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last ? cursorAfter(last) : null };
}
