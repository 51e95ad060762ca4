const LANGUAGE = /^([A-Za-z]{2,3})(?:[_-]([A-Za-z]{2,4}|\d{3}))?$/;

/** A language as Meta writes it (`en`, `pt_BR`), or null for what is none. */
export function normaliseLanguage(text: string): string | null {
  const match = LANGUAGE.exec(text);
  if (!match?.[1]) return null;
  const [, language, region] = match;
  if (region === undefined) return language.toLowerCase();
  // A script is four letters (`zh_Hant`), a region two letters or three digits.
  const place =
    region.length === 4
      ? `${region[0]?.toUpperCase()}${region.slice(1).toLowerCase()}`
      : region.toUpperCase();
  return `${language.toLowerCase()}_${place}`;
}

const DEFAULT_LANGUAGE = 'en';

/**
 * Which of the languages there are serves best: the one that is asked for, the same without or with another region,
 * English, and else the one that was there first.
 *
 * @param languages at least one, the oldest first
 */
export function bestLanguage(languages: readonly string[], wanted: string | null): string | undefined {
  for (const language of [wanted, DEFAULT_LANGUAGE]) {
    if (language === null) continue;
    const base = language.split('_', 1)[0] ?? language;
    const best =
      languages.find((there) => there === language) ??
      languages.find((there) => there === base) ??
      languages.find((there) => there.startsWith(`${base}_`));
    if (best !== undefined) return best;
  }
  return languages[0];
}
