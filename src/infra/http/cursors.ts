import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { Secrets } from '../config/secrets.js';

const SIGNATURE_BYTES = 12;

export type CursorPosition = (string | number | boolean | null)[];

/**
 * Opaque positions in a list. A cursor is signed together with its scope (the route and whose list it is), so a
 * changed one and one from another list are refused alike.
 */
@Injectable()
export class Cursors {
  constructor(private readonly secrets: Secrets) {}

  encode(scope: string, position: CursorPosition): string {
    const body = Buffer.from(JSON.stringify(position)).toString('base64url');
    return `${body}.${this.secrets.sign('cursor', `${scope}\n${body}`, SIGNATURE_BYTES)}`;
  }

  /** @throws AppError INVALID_CURSOR */
  decode(scope: string, cursor: string): CursorPosition {
    const [body, signature, ...rest] = cursor.split('.');
    if (!body || !signature || rest.length > 0) throw new AppError('INVALID_CURSOR');
    if (!this.secrets.isSignature('cursor', `${scope}\n${body}`, signature, SIGNATURE_BYTES)) {
      throw new AppError('INVALID_CURSOR');
    }
    return JSON.parse(Buffer.from(body, 'base64url').toString()) as CursorPosition;
  }
}

export const DEFAULT_PAGE_SIZE = 30;
export const MAX_PAGE_SIZE = 100;
