import { classify, type ErrorClass } from './error-classes.js';

export interface GraphErrorFacts {
  /** Meta's `error.code`; null when the answer held none. */
  code: number | null;
  httpStatus: number;
  /** Meta's own sentence, without anything secret. */
  message: string;
  details: string | null;
  /** What the answer asks to wait, in milliseconds. */
  retryAfterMs: number | null;
}

/** The Graph API answered, and not with a success. Nothing in it is secret. */
export class GraphError extends Error {
  readonly code: number | null;
  readonly httpStatus: number;
  readonly details: string | null;
  readonly retryAfterMs: number | null;
  readonly class: ErrorClass;

  constructor({ code, httpStatus, message, details, retryAfterMs }: GraphErrorFacts) {
    super(message);
    this.name = 'GraphError';
    this.code = code;
    this.httpStatus = httpStatus;
    this.details = details;
    this.retryAfterMs = retryAfterMs;
    this.class = classify(code, httpStatus);
  }
}

/** There was no whole answer. */
export class GraphUnreachable extends Error {
  /** @param maySent whether the request may have reached Meta all the same */
  constructor(
    message: string,
    readonly maySent: boolean,
  ) {
    super(message);
    this.name = 'GraphUnreachable';
  }
}

/** An address that is not one of Meta's: no token is shown to it. */
export class GraphHostRefused extends Error {
  constructor() {
    super('This is no address of Meta’s.');
    this.name = 'GraphHostRefused';
  }
}

/** A file is larger than who asked for it takes. */
export class GraphFileTooLarge extends Error {
  constructor() {
    super('The file is too large.');
    this.name = 'GraphFileTooLarge';
  }
}
