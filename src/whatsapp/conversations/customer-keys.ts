import { storableText } from '../../common/storable.js';
import type { CustomerRef } from './customer-ref.js';
import { isUserId, phoneDigits, phoneKey, phoneVariants } from './phone-keys.js';

const MAX_NAME = 200;
const MAX_ID = 256;

/** What is told of a customer, in the form in which it is stored. */
export interface CustomerFacts {
  waId: string | null;
  userId: string | null;
  parentUserId: string | null;
  phone: string | null;
  name: string | null;
  username: string | null;
}

/** A customer as they are looked for. */
export interface CustomerKeys {
  facts: CustomerFacts;
  /** The aliases that name them: `p:` of a number, `u:` of an id, `g:` of a group. Never empty. */
  keys: string[];
  phoneKey: string | null;
  userKey: string | null;
  /** All ways to write the number. */
  variants: string[];
}

/**
 * By what a customer is found and what is learned of them; null when nothing names them. An id in the place of a number
 * is taken for the id it is. One that has not the form of an id counts only where nothing else names the customer.
 */
export function customerKeys(who: CustomerRef): CustomerKeys | null {
  const given = [who.waId, who.phone, who.userId, who.parentUserId].map(clean);
  const [waId = null, written = null, userText = null, parentText = null] = given;
  const digits = firstOf([waId, written], phoneDigits);
  const ids = given.filter((text): text is string => text !== null && isUserId(text));
  const userId = ids.find((id) => !isParentId(id)) ?? null;
  const parentUserId = ids.find(isParentId) ?? null;
  const keyOfPhone = digits === null ? null : `p:${phoneKey(digits)}`;
  const oddId = digits === null && ids.length === 0 ? (userText ?? parentText) : null;
  const groupId = clean(who.groupId);
  const ownId = userId ?? oddId;
  const keys = [
    keyOfPhone,
    ownId === null ? null : `u:${ownId}`,
    parentUserId === null ? null : `u:${parentUserId}`,
    groupId === null ? null : `g:${groupId}`,
  ].filter((key) => key !== null);
  if (keys.length === 0) return null;
  return {
    facts: {
      waId: digits,
      userId: ownId,
      parentUserId,
      phone: digits === null ? null : `+${digits}`,
      name: nameOf(who.name),
      username: nameOf(who.username)?.replace(/^@/, '') ?? null,
    },
    keys,
    phoneKey: keyOfPhone,
    userKey: ownId === null ? null : `u:${ownId}`,
    variants: digits === null ? [] : phoneVariants(digits),
  };
}

/** Of linked portfolios, such as `US.ENT.11815799212886844830`. */
function isParentId(id: string): boolean {
  return /^[A-Z]{2}\.ENT\./.test(id);
}

function clean(text: string | null | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  return trimmed === '' || trimmed.length > MAX_ID ? null : storableText(trimmed);
}

function nameOf(text: string | null | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  return trimmed === '' ? null : storableText(trimmed.slice(0, MAX_NAME));
}

function firstOf(texts: readonly (string | null)[], read: (text: string) => string | null): string | null {
  for (const text of texts) {
    const found = text === null ? null : read(text);
    if (found !== null) return found;
  }
  return null;
}
