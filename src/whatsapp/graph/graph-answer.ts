import { storableText } from '../../common/storable.js';
import type { GraphErrorFacts } from './graph.errors.js';

const MAX_TEXT = 1_000;
const MAX_WAIT_MS = 3_600_000;
/** What looks like a token, in whatever Meta may quote. */
const TOKENS = /EA[A-Za-z0-9]{20,}|(?:Bearer\s+|access_token=)[^\s&"']+/g;

type Json = Record<string, unknown>;

/** Headers by lower-case name, as undici gives them. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The value if it is a JSON object, else an empty one. */
export function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** The value if it is a text with something in it, else null. */
export function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/**
 * What an answer that is no success says, in whichever of Meta's shapes: `error` an object or a text, its `error_data`
 * an object or a text, `errors` as statuses have them, or no JSON at all.
 *
 * @param text the body of the answer
 * @param token what must not appear in what is told
 */
export function readGraphError(
  httpStatus: number,
  headers: AnswerHeaders,
  text: string,
  token: string,
  nowMs: number,
): GraphErrorFacts {
  const body = asObject(parse(text));
  const first: unknown = Array.isArray(body.errors) ? body.errors[0] : undefined;
  const error = asObject(body.error ?? first);
  const data = error.error_data;
  const message =
    asText(error.message) ??
    asText(error.title) ??
    asText(body.error_description) ??
    asText(body.error) ??
    asText(body.message);
  const details =
    asText(asObject(data).details) ?? asText(data) ?? asText(error.error_user_msg) ?? asText(error.details);
  return {
    code: codeOf(error.code ?? body.code),
    httpStatus,
    message: clean(message ?? `The Graph API answered ${httpStatus}.`, token),
    details: details === null ? null : clean(details, token),
    retryAfterMs: readWait(headers, nowMs),
  };
}

/** A success of the Graph API is a JSON object without an error; null for anything else. */
export function readGraphSuccess(text: string): Json | null {
  const body = parse(text);
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isObject && !('error' in body) ? (body as Json) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(value: unknown): number | null {
  const code = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return typeof code === 'number' && Number.isSafeInteger(code) ? code : null;
}

function clean(text: string, token: string): string {
  const whole = token === '' ? text : text.replaceAll(token, '…');
  return storableText(whole.replace(TOKENS, '…').slice(0, MAX_TEXT));
}

/** `Retry-After`, or the minutes that `X-Business-Use-Case-Usage` names; never more than an hour, in milliseconds. */
function readWait(headers: AnswerHeaders, nowMs: number): number | null {
  const after = one(headers['retry-after']);
  if (after !== null) {
    const waitMs = /^\d+$/.test(after.trim()) ? Number(after) * 1000 : Date.parse(after) - nowMs;
    if (Number.isFinite(waitMs)) return Math.min(Math.max(waitMs, 0), MAX_WAIT_MS);
  }
  const usage = one(headers['x-business-use-case-usage']);
  if (usage === null) return null;
  const minutes = Object.values(asObject(parse(usage)))
    .flat()
    .map((entry) => asObject(entry).estimated_time_to_regain_access)
    .filter((entry): entry is number => typeof entry === 'number' && entry > 0);
  return minutes.length === 0 ? null : Math.min(Math.max(...minutes) * 60_000, MAX_WAIT_MS);
}

function one(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
