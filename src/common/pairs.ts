/** Two people in the one order that makes their pair unique in the database. */
export interface Pair {
  userLo: string;
  userHi: string;
}

/** Ids are lower-case UUIDs, whose text order is PostgreSQL's order of the `uuid` type. */
export function pairOf(one: string, other: string): Pair {
  return one < other ? { userLo: one, userHi: other } : { userLo: other, userHi: one };
}
