import { ERROR_CATALOGUE } from '../../common/errors.js';
import type { WhatsappErrorBody } from '../../chats/message.dto.js';
import type { ErrorClass } from '../graph/error-classes.js';
import { GraphError, GraphUnreachable } from '../graph/graph.errors.js';

/** Tries of one message. */
export const MAX_SEND_ATTEMPTS = 5;
/** What a template needs to be known everywhere, in milliseconds. */
const TEMPLATE_SYNC_MS = 10 * 60_000;
const RETRY_MS = 2_000;
const PAIR_MS = 1_000;
const NUMBER_MS = 1_000;
const APP_MS = 30_000;

/** What a send that did not succeed leads to. */
export interface Verdict {
  state: 'READY' | 'UNKNOWN' | 'FAILED';
  /** Of READY: when it is tried again, in milliseconds from now. */
  waitMs: number;
  /** The try does not count: it is the tenant's trouble, not the message's. */
  givesBack: boolean;
  error: WhatsappErrorBody;
  /** Nothing of the tenant's is sent for so long, in milliseconds. */
  tenantPauseMs: number | null;
  errorClass: ErrorClass | null;
}

export const OUTCOME_UNKNOWN: WhatsappErrorBody = {
  code: 'OUTCOME_UNKNOWN',
  message: 'Nobody knows whether this was sent: it is not repeated by itself.',
};
export const WINDOW_CLOSED: WhatsappErrorBody = {
  code: 'WINDOW_CLOSED',
  message: ERROR_CATALOGUE.WINDOW_CLOSED.message,
};
export const TENANT_DELETED: WhatsappErrorBody = {
  code: 'TENANT_DELETED',
  message: 'The tenant was deleted before this was sent.',
};

/**
 * Decides what becomes of a message whose send has failed. What may have been sent is never repeated.
 *
 * @param attempt the try that failed, from 1
 * @param error what the Graph client has thrown; anything else counts as not known
 */
export function judge(error: unknown, attempt: number): Verdict {
  if (error instanceof GraphUnreachable) {
    if (error.maySent) return unknown(error.message);
    return again(attempt, RETRY_MS * 4 ** (attempt - 1), { code: 'UNREACHABLE', message: error.message });
  }
  if (!(error instanceof GraphError)) return unknown(null);
  const said: WhatsappErrorBody = {
    code: error.code === null ? `HTTP_${error.httpStatus}` : String(error.code),
    message: error.message,
    details: error.details,
  };
  const { class: errorClass, retryAfterMs } = error;
  switch (errorClass) {
    case 'OUTCOME_UNKNOWN':
      return { ...unknown(`${said.code}: ${said.message}`), errorClass };
    case 'PAIR_LIMIT':
      return { ...again(attempt, PAIR_MS * 4 ** (attempt - 1), said), errorClass };
    case 'NUMBER_LIMIT':
    case 'APP_LIMIT': {
      const usualMs = (errorClass === 'APP_LIMIT' ? APP_MS : NUMBER_MS) * 2 ** (attempt - 1);
      const waitMs = retryAfterMs ?? usualMs;
      return { ...again(attempt, waitMs, said), errorClass, tenantPauseMs: waitMs };
    }
    case 'TRY_LATER': {
      const waitMs = error.code === 134101 ? TEMPLATE_SYNC_MS : RETRY_MS * 4 ** (attempt - 1);
      return { ...again(attempt, retryAfterMs ?? waitMs, said), errorClass };
    }
    case 'TOKEN_DEAD':
    case 'NO_PERMISSION':
      return { ...failed(said), state: 'READY', givesBack: true, errorClass };
    case 'RESTRICTED':
    case 'OPTED_OUT':
    case 'TEMPLATE_STOPPED':
    case 'UNPAID':
    case 'REFUSED':
      return { ...failed(said), errorClass };
  }
}

/** The same for an upload or a reaction, which do no harm when they are repeated. */
export function judgeHarmless(error: unknown, attempt: number): Verdict {
  const verdict = judge(error, attempt);
  if (verdict.state !== 'UNKNOWN') return verdict;
  const { details } = verdict.error;
  const said = { code: 'UNREACHABLE', message: 'Meta did not take it.', details: details ?? null };
  return again(attempt, RETRY_MS * 4 ** (attempt - 1), said);
}

function unknown(details: string | null): Verdict {
  const { code, message } = OUTCOME_UNKNOWN;
  return { ...failed({ code, message, details }), state: 'UNKNOWN' };
}

function failed(error: WhatsappErrorBody): Verdict {
  return { state: 'FAILED', waitMs: 0, givesBack: false, error, tenantPauseMs: null, errorClass: null };
}

function again(attempt: number, waitMs: number, error: WhatsappErrorBody): Verdict {
  return attempt >= MAX_SEND_ATTEMPTS ? failed(error) : { ...failed(error), state: 'READY', waitMs };
}
