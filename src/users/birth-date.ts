const MIN_AGE = 13;
const EARLIEST = '1900-01-01';

/**
 * Why `text` cannot be the date of birth of someone who may have an account, or null if it can.
 *
 * @param today `YYYY-MM-DD`
 */
export function problemWithBirthDate(text: string, today: string): string | null {
  if (!isRealDate(text) || text < EARLIEST) return 'must be a real date, YYYY-MM-DD';
  if (text > today) return 'must not be in the future';
  const birthday = `${Number(text.slice(0, 4)) + MIN_AGE}${text.slice(4)}`;
  return birthday <= today ? null : `must be at least ${MIN_AGE} years ago`;
}

function isRealDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
