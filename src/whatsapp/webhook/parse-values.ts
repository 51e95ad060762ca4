import { storableText } from '../../common/storable.js';
import type { WhatsappErrorBody } from '../../chats/message.dto.js';

/** What JSON of strangers holds, if it has the type that is expected, and storable; none of these throws. */

export type JsonObject = Readonly<Record<string, unknown>>;

const MAX_ID = 512;
const MAX_SECONDS = 253_402_300_799;
/** Above this, a number of seconds is one of milliseconds: the year 5138. */
const FIRST_MILLISECONDS = 1e11;

export function objectOf(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** Empty for what is no list. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? storableText(value) : null;
}

/** An id: a text, or a number where one was expected. */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  const text = textOf(value)?.trim() ?? '';
  return text === '' || text.length > MAX_ID ? null : text;
}

/** A time in seconds since 1970, as a number or as text. */
export function timeOf(value: unknown): Date | null {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) return null;
  const seconds = number >= FIRST_MILLISECONDS ? number / 1000 : number;
  return seconds > MAX_SECONDS ? null : new Date(Math.round(seconds * 1000));
}

/** The first of Meta's errors; older ones have their details beside the code. Null where there is none. */
export function errorOf(errors: unknown): WhatsappErrorBody | null {
  const first = listOf(errors)
    .map(objectOf)
    .find((error) => error !== null);
  if (!first) return null;
  const message = textOf(first.message) ?? textOf(first.title) ?? 'Meta gave no reason.';
  const details =
    textOf(objectOf(first.error_data)?.details) ?? textOf(first.error_data) ?? textOf(first.details);
  return { code: idOf(first.code) ?? 'UNKNOWN', message, ...(details !== null && { details }) };
}
