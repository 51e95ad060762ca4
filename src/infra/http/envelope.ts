import { ERROR_CATALOGUE, type AppError, type ErrorCode, type ErrorDetail } from '../../common/errors.js';
import { STATUS_CODES } from 'node:http';

export interface Page {
  nextCursor: string | null;
  prevCursor?: string | null;
}

export interface Success<T> {
  status: 'success';
  message: string;
  data: T;
  page?: Page;
}

export interface Failure {
  status: 'error';
  statusCode: number;
  error: string;
  code: ErrorCode;
  message: string;
  details?: ErrorDetail[];
  requestId: string;
}

/** What every route answers; `message` is one sentence for a person. */
export function success<T>(message: string, data: T, page?: Page): Success<T> {
  return page ? { status: 'success', message, data, page } : { status: 'success', message, data };
}

export function failure(error: AppError, requestId: string): Failure {
  const { status } = ERROR_CATALOGUE[error.code];
  return {
    status: 'error',
    statusCode: status,
    error: STATUS_CODES[status] ?? 'Error',
    code: error.code,
    message: error.message,
    ...(error.details && { details: error.details }),
    requestId,
  };
}
