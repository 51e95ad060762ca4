import type { CustomerRef } from './customer-ref.js';

const NUMBER = /^\+?[\d\s().-]+$/;
const MIN_DIGITS = 5;
const MAX_DIGITS = 20;
/** Two letters of a country and what Meta makes up, such as `US.13491208655302741918`. */
const BUSINESS_SCOPED_ID = /^[A-Za-z]{2}\.[A-Za-z0-9.]{1,128}$/;

/** Who is meant by what somebody wrote: a phone number in any usual form, or a business-scoped id. Null for neither. */
export function readCustomer(text: string): CustomerRef | null {
  const trimmed = text.trim();
  if (BUSINESS_SCOPED_ID.test(trimmed)) return { userId: trimmed };
  if (!NUMBER.test(trimmed)) return null;
  const digits = trimmed.replace(/\D/g, '');
  return digits.length < MIN_DIGITS || digits.length > MAX_DIGITS ? null : { waId: digits };
}
