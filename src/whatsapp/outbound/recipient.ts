import { validationError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import type { CustomerRef } from '../conversations/conversations.service.js';

/** Whom a send names. */
export interface Recipient {
  /** The id of a customer here; the rest is then empty. */
  customerId: string | null;
  who: CustomerRef;
  /** What is said to Meta: digits, or a business-scoped id; null leaves it to what is known of the customer. */
  to: string | null;
}

/** With or without the plus sign: numbers of WhatsApp are written without it as often. */
const E164 = /^\+?([1-9]\d{6,14})$/;
/** Two letters of a country and what Meta makes up, such as `US.13491208655302741918`. */
const BUSINESS_SCOPED_ID = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/;

/**
 * @param text a number in E.164, a business-scoped id or the id of a customer
 * @throws AppError VALIDATION_FAILED naming `to`
 */
export function readRecipient(text: string): Recipient {
  if (isId(text)) return { customerId: text, who: {}, to: null };
  if (BUSINESS_SCOPED_ID.test(text)) return { customerId: null, who: { userId: text }, to: text };
  const digits = E164.exec(text)?.[1];
  if (digits === undefined) {
    throw validationError([
      { field: 'to', message: 'must be a number in E.164, a business-scoped id or the id of a customer' },
    ]);
  }
  return { customerId: null, who: { phone: `+${digits}` }, to: digits };
}
