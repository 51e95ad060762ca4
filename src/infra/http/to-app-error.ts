import { isNativeError } from 'node:util/types';
import { HttpException } from '@nestjs/common';
import { AppError, type ErrorCode } from '../../common/errors.js';
import { sqlState } from '../database/database.js';

/** `type` of the errors that Express' body parsers raise (https://github.com/stream-utils/raw-body, http-errors). */
const BODY_PARSER_CODES: Record<string, ErrorCode> = {
  'entity.parse.failed': 'MALFORMED_JSON',
  'entity.too.large': 'PAYLOAD_TOO_LARGE',
  'entity.verify.failed': 'VALIDATION_FAILED',
  'encoding.unsupported': 'UNSUPPORTED_MEDIA_TYPE',
  'charset.unsupported': 'UNSUPPORTED_MEDIA_TYPE',
};

const STATUS_TO_CODE: Record<number, ErrorCode> = {
  400: 'VALIDATION_FAILED',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'ROUTE_NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};

/** SQLSTATE classes that say the database cannot serve now: connection, resources, operator intervention. */
const UNAVAILABLE_CLASSES = ['08', '53', '57'];
const UNAVAILABLE_CODES = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'P1001',
  'P2028',
  'P1008',
  'P2024',
];

/** Translates whatever was thrown into the catalogue. Unknown errors become INTERNAL and keep their cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isDatabaseUnavailable(error)) return new AppError('NOT_READY', { cause: error, retryAfterMs: 1000 });

  const { type, status } = error as { type?: unknown; status?: unknown };
  if (typeof type === 'string' && BODY_PARSER_CODES[type]) return new AppError(BODY_PARSER_CODES[type]);
  const httpStatus = error instanceof HttpException ? error.getStatus() : status;
  if (typeof httpStatus === 'number' && httpStatus >= 400 && httpStatus < 500) {
    return new AppError(STATUS_TO_CODE[httpStatus] ?? 'VALIDATION_FAILED', { cause: error });
  }
  return new AppError('INTERNAL', { cause: error });
}

function isDatabaseUnavailable(error: unknown): boolean {
  if (!isNativeError(error)) return false;
  const state = sqlState(error);
  if (state) return UNAVAILABLE_CLASSES.includes(state.slice(0, 2));
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && UNAVAILABLE_CODES.includes(code)) return true;
  return /timeout exceeded when trying to connect|Connection terminated|Query read timeout/.test(
    error.message,
  );
}

/** Whether something failed because what the server stands on cannot be reached now: it is no use trying again at once. */
export function isNotReady(error: unknown): boolean {
  return toAppError(error).code === 'NOT_READY';
}
