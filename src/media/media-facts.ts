/** What a file of sound or moving pictures says about itself; null for what it does not say. */
export interface MediaFacts {
  /** Null when it names no track. */
  hasVideo: boolean | null;
  durationMs: number | null;
  width: number | null;
  height: number | null;
}

export const NO_FACTS: MediaFacts = { hasVideo: null, durationMs: null, width: null, height: null };

const MAX_INT = 2_147_483_647;

/** A figure as the database keeps it, or null for one that cannot be true. */
export function plausible(value: number): number | null {
  const rounded = Math.round(value);
  return Number.isFinite(rounded) && rounded > 0 && rounded <= MAX_INT ? rounded : null;
}
