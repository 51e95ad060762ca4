import { parsePhoneNumberFromString } from 'libphonenumber-js';

/** The number in E.164, or null if `text` cannot be one with its country code. */
export function normalisePhone(text: string): string | null {
  const number = parsePhoneNumberFromString(text);
  return number?.isPossible() && number.ext === undefined ? number.number : null;
}
