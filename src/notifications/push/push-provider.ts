import type { PushTarget } from '../../devices/devices.service.js';

/** What a device is told; every value is plain JSON, the whole at most 3,000 bytes. */
export interface PushPayload {
  chatId: string;
  messageId: string;
  seq: number;
  /** Who writes, or the group's name. */
  title: string;
  /** The beginning of the text, at most 140 code points. */
  body: string;
  unreadCount: number;
  mentioned: boolean;
}

export interface Push {
  payload: PushPayload;
  /** 32 characters of base64url: a later push with the same one takes the place of an earlier one. */
  topic: string;
}

/** How long a push service keeps a push for a device that is off, in seconds. */
export const PUSH_TTL_SECONDS = 7 * 24 * 60 * 60;
/** A push service that takes longer to answer is tried again later, in milliseconds. */
export const PUSH_TIMEOUT_MS = 5_000;

/** `gone`: the subscription or token is no more. */
export type PushOutcome = 'sent' | 'gone';

/** One way to devices. */
export interface PushProvider {
  /**
   * @throws PushUnavailable when it may work later
   * @throws PushRefused when it never will
   */
  send(target: PushTarget, push: Push): Promise<PushOutcome>;
}

/** The push service cannot take it now. */
export class PushUnavailable extends Error {
  constructor(
    message: string,
    /** As the service asked for, in milliseconds. */
    readonly retryAfterMs: number | null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'PushUnavailable';
  }
}

/** The push service will not take this, and the device is not to blame: a wrong key, a payload it does not like. */
export class PushRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PushRefused';
  }
}

/** Longest wait that a push service can ask for, in milliseconds: jobs are kept for a day at most. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

/** `Retry-After` (RFC 9110 §10.2.3), seconds or a date, in milliseconds from `nowMs`; null if there is none. */
export function readRetryAfter(value: string | null | undefined, nowMs: number): number | null {
  if (value === null || value === undefined || value.trim() === '') return null;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
