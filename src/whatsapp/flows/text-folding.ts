/**
 * A text in the one form in which texts are compared that differ in case alone: `STRASSE` and `straße`, `İ` and `i`,
 * full-width and narrow letters are the same, and so is any white space, none at the ends.
 */
export function foldText(text: string): string {
  return text
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .replaceAll('i\u0307', 'i')
    .normalize('NFKC')
    .replace(/\s+/gu, ' ')
    .trim();
}
