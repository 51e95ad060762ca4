const FEWEST_DIGITS = 3;
const MOST_DIGITS = 20;
const PHONE = /^\+?[\d\s().-]+$/;
/** Country code and up to 128 letters and digits, those of linked portfolios with `ENT.` between (Meta, 2026-05). */
const USER_ID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/;

/** The digits of a number as somebody wrote it, or null for what is none. */
export function phoneDigits(text: string): string | null {
  if (!PHONE.test(text)) return null;
  const digits = text.replace(/\D/g, '');
  return digits.length >= FEWEST_DIGITS && digits.length <= MOST_DIGITS ? digits : null;
}

/** Whether it has the form of a business-scoped user id. */
export function isUserId(text: string): boolean {
  return USER_ID.test(text);
}

/**
 * What numbers have in common that ring one phone although they are written differently: Brazil's ninth digit, Mexico's
 * 1 and Argentina's 9 of mobile numbers, which WhatsApp leaves out or puts in. Never a number to send to.
 *
 * @param digits with the country code, without a plus
 */
export function phoneKey(digits: string): string {
  if (/^55\d{2}9\d{8}$/.test(digits)) return `${digits.slice(0, 4)}${digits.slice(5)}`;
  if (/^521\d{10}$/.test(digits)) return `52${digits.slice(3)}`;
  if (/^549\d{10}$/.test(digits)) return `54${digits.slice(3)}`;
  return digits;
}

/** All ways to write the number that have the same key. */
export function phoneVariants(digits: string): string[] {
  const key = phoneKey(digits);
  if (/^55\d{10}$/.test(key)) return [key, `${key.slice(0, 4)}9${key.slice(4)}`];
  if (/^52\d{10}$/.test(key)) return [key, `521${key.slice(2)}`];
  if (/^54\d{10}$/.test(key)) return [key, `549${key.slice(2)}`];
  return [key];
}
