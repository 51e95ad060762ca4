/**
 * What a message is found by: its words without case and accents, each once, separated by single spaces; null when it
 * has none.
 */
export function searchTermsOf(text: string): string | null {
  const folded = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
  const words = new Set(folded.match(/[\p{L}\p{N}]+/gu) ?? []);
  return words.size === 0 ? null : [...words].join(' ');
}
