/**
 * The catalogue of everything the server may refuse, with the HTTP status each code answers.
 * Codes are part of the wire contract: clients switch on them, so one is never renamed or reused.
 */
export const ERROR_CATALOGUE = {
  VALIDATION_FAILED: { status: 400, message: 'Some fields are not valid.' },
  MALFORMED_JSON: { status: 400, message: 'The body is not valid JSON.' },
  INVALID_CURSOR: { status: 400, message: 'This cursor is not one that was given for this list.' },
  UNKNOWN_EVENT: { status: 400, message: 'There is no such event.' },
  UNAUTHENTICATED: { status: 401, message: 'Sign in first: send an access token as a Bearer token.' },
  TOKEN_INVALID: { status: 401, message: 'The access token is not valid.' },
  TOKEN_EXPIRED: { status: 401, message: 'The access token has expired: refresh it.' },
  SESSION_REVOKED: { status: 401, message: 'This session has been signed out.' },
  INVALID_CREDENTIALS: { status: 401, message: 'The e-mail address or the password is wrong.' },
  REFRESH_INVALID: { status: 401, message: 'The refresh token is not valid: sign in again.' },
  REFRESH_EXPIRED: { status: 401, message: 'The refresh token has expired: sign in again.' },
  REFRESH_REUSED: { status: 401, message: 'The refresh token was used before: its session is signed out.' },
  FORBIDDEN: { status: 403, message: 'This is not allowed.' },
  SIGNATURE_INVALID: { status: 401, message: 'The signature does not fit the body.' },
  VERIFY_TOKEN_WRONG: { status: 403, message: 'The verify token is not ours.' },
  NOT_A_GROUP_ADMIN: { status: 403, message: 'Only the owner and the admins of the group may do this.' },
  NOT_THE_GROUP_OWNER: { status: 403, message: 'Only the owner of the group may do this.' },
  NOT_YOUR_MESSAGE: { status: 403, message: 'Only its sender may do this with a message.' },
  ORIGIN_NOT_ALLOWED: { status: 403, message: 'This origin may not use the refresh cookie.' },
  NOT_A_CONTACT: { status: 403, message: 'A private chat needs an accepted contact.' },
  BLOCKED: { status: 403, message: 'One of you has blocked the other.' },
  NOT_FOUND: { status: 404, message: 'There is no such thing here.' },
  ROUTE_NOT_FOUND: { status: 404, message: 'There is no such route.' },
  USER_NOT_FOUND: { status: 404, message: 'There is no such user.' },
  CHAT_NOT_FOUND: { status: 404, message: 'There is no such chat.' },
  MESSAGE_NOT_FOUND: { status: 404, message: 'There is no such message.' },
  MEDIA_NOT_FOUND: { status: 404, message: 'There is no such file.' },
  CONTACT_NOT_FOUND: { status: 404, message: 'There is no such contact.' },
  MEMBER_NOT_FOUND: { status: 404, message: 'There is no such member in this chat.' },
  DEVICE_NOT_FOUND: { status: 404, message: 'There is no such device.' },
  SESSION_NOT_FOUND: { status: 404, message: 'There is no such session.' },
  TENANT_NOT_FOUND: { status: 404, message: 'There is no such tenant.' },
  CUSTOMER_NOT_FOUND: { status: 404, message: 'There is no such customer.' },
  TEMPLATE_NOT_FOUND: { status: 404, message: 'There is no such template.' },
  WEBHOOK_NOT_FOUND: { status: 404, message: 'There is no such webhook.' },
  DELIVERY_NOT_FOUND: { status: 404, message: 'There is no such delivery.' },
  CONFLICT: { status: 409, message: 'That does not fit what is there already.' },
  EMAIL_TAKEN: { status: 409, message: 'There is an account with this e-mail address already.' },
  CONTACT_EXISTS: { status: 409, message: 'There is a contact or a request between you already.' },
  PHONE_NUMBER_TAKEN: { status: 409, message: 'This number is connected already.' },
  IDEMPOTENCY_CONFLICT: { status: 409, message: 'Request with the given idempotency_key already processed' },
  SEVERAL_TENANTS: { status: 409, message: 'You work for several tenants: say which with ?tenantId=.' },
  TEMPLATE_EXISTS: { status: 409, message: 'There is a template with this key and language already.' },
  SYNC_RESET: { status: 410, message: 'This cursor can no longer serve: start again without one.' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The body is larger than this route accepts.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'This route does not accept that content type.' },
  UNPROCESSABLE: { status: 422, message: 'This is well-formed but cannot be done.' },
  NOT_A_GROUP: { status: 422, message: 'Only a group has this.' },
  GROUP_FULL: { status: 422, message: 'A group has at most 1,024 members.' },
  EDIT_WINDOW: { status: 422, message: 'A message can be edited for 15 minutes after it was sent.' },
  DELETE_WINDOW: {
    status: 422,
    message: 'A message can be deleted for everyone for 48 hours after it was sent.',
  },
  MESSAGE_DELETED: { status: 422, message: 'This message has been deleted for everyone.' },
  WINDOW_CLOSED: {
    status: 422,
    message: 'The customer has not written for 24 hours: only a template may be sent.',
  },
  NOT_IN_WHATSAPP: { status: 422, message: 'WhatsApp has no such thing.' },
  TEMPLATE_NOT_APPROVED: { status: 422, message: 'Meta has not approved this template, or no longer does.' },
  META_REFUSED: { status: 422, message: 'Meta has refused this.' },
  NOT_RETRYABLE: { status: 422, message: 'This message is not one that can be sent again.' },
  PRIVATE_ADDRESS: { status: 422, message: 'This address lies in a private network.' },
  MEDIA_INFECTED: { status: 422, message: 'The file holds a virus.' },
  PROVIDER_UNAVAILABLE: { status: 422, message: 'The server is not configured for this push provider.' },
  RESET_TOKEN_INVALID: {
    status: 422,
    message: 'This link to reset the password has been used or has expired.',
  },
  RATE_LIMITED: { status: 429, message: 'Too many requests: wait a moment and try again.' },
  INTERNAL: { status: 500, message: 'Something went wrong on the server.' },
  NOT_READY: { status: 503, message: 'The server is not ready: try again in a moment.' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** One field that was refused: `field` is its path in the body or query (`settings.lastSeen`), `message` says why. */
export interface ErrorDetail {
  field: string;
  message: string;
}

export interface AppErrorOptions {
  /** A sentence for a person, when the catalogue's own says too little. */
  message?: string;
  details?: ErrorDetail[];
  /** How long to wait before trying again, in milliseconds; printed as `Retry-After` and `retryAfterMs`. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** The only error that services throw at clients. REST and sockets print it from the same fields. */
export class AppError extends Error {
  readonly status: number;
  readonly details: ErrorDetail[] | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    readonly code: ErrorCode,
    options: AppErrorOptions = {},
  ) {
    super(options.message ?? ERROR_CATALOGUE[code].message, { cause: options.cause });
    this.name = 'AppError';
    this.status = ERROR_CATALOGUE[code].status;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** A 400 that names fields; used by the validators and by services for what only they can see. */
export function validationError(details: ErrorDetail[]): AppError {
  return new AppError('VALIDATION_FAILED', { details });
}
