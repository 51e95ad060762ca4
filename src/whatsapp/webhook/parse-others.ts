import type { CustomerRef } from '../conversations/customer-ref.js';
import { isOwn, receiverOf, withContact, type OwnNumber } from './parse-people.js';
import { idOf, objectOf, textOf, timeOf, type JsonObject } from './parse-values.js';

/** A call that has ended. */
export interface MetaCall {
  id: string;
  direction: 'IN' | 'OUT';
  who: CustomerRef;
  from: string | null;
  to: string | null;
  at: Date | null;
  /** Null for one that nobody took. */
  seconds: number | null;
  payload: JsonObject;
}

/** What a customer wants of marketing. */
export interface MetaPreference {
  who: CustomerRef;
  optedOut: boolean;
  at: Date | null;
}

/** Somebody's business-scoped id was replaced. */
export interface MetaNewId {
  before: CustomerRef;
  after: CustomerRef;
}

/** What a call tells, or why it tells nothing; null for one that has not ended. */
export function callOf(
  raw: unknown,
  contacts: readonly CustomerRef[],
  own: OwnNumber,
): MetaCall | string | null {
  const call = objectOf(raw);
  const id = idOf(call?.id);
  if (!call || id === null) return 'a call must have an id';
  if (textOf(call.event) !== 'terminate') return null;
  const [from, to] = [idOf(call.from), idOf(call.to)];
  const isOut = isOwn(from, own) || textOf(call.direction) === 'BUSINESS_INITIATED';
  const caller = { waId: from, userId: idOf(call.from_user_id) };
  const called = { waId: to, userId: idOf(call.to_user_id) };
  const { duration } = call;
  return {
    id,
    direction: isOut ? 'OUT' : 'IN',
    who: isOut ? receiverOf(isOwn(to, own) ? caller : called, contacts, own) : withContact(caller, contacts),
    from,
    to,
    at: timeOf(call.timestamp),
    seconds: typeof duration === 'number' && duration > 0 ? Math.round(duration) : null,
    payload: call,
  };
}

export function preferenceOf(raw: unknown, contacts: readonly CustomerRef[]): MetaPreference | string | null {
  const preference = objectOf(raw);
  if (!preference) return 'a preference must be an object';
  const value = textOf(preference.value);
  if (textOf(preference.category) !== 'marketing_messages') return null;
  if (value !== 'stop' && value !== 'resume' && value !== 'signup') return 'this preference is not known';
  return {
    who: withContact(refOf(preference), contacts),
    optedOut: value === 'stop',
    at: timeOf(preference.timestamp),
  };
}

export function newIdOf(raw: unknown): MetaNewId | string {
  const update = objectOf(raw);
  const [userId, parentUserId] = [objectOf(update?.user_id), objectOf(update?.parent_user_id)];
  const after = { userId: idOf(userId?.current), parentUserId: idOf(parentUserId?.current) };
  const before = {
    waId: idOf(update?.wa_id),
    userId: idOf(userId?.previous),
    parentUserId: idOf(parentUserId?.previous),
  };
  const isWhole =
    (after.userId ?? after.parentUserId) !== null && Object.values(before).some((id) => id !== null);
  return isWhole ? { before, after } : 'a new id must come with the old one';
}

/** A contact of the business's own address book, as its phone tells it; null for one that was removed. */
export function bookEntryOf(raw: unknown): CustomerRef | string | null {
  const entry = objectOf(raw);
  if (!entry) return 'an entry must be an object';
  if (textOf(entry.type) !== 'contact' || textOf(entry.action) === 'remove') return null;
  const contact = objectOf(entry.contact);
  if (!contact) return 'an entry must have a contact';
  return {
    waId: idOf(contact.phone_number),
    userId: idOf(contact.user_id),
    parentUserId: idOf(contact.parent_user_id),
    name: textOf(contact.full_name) ?? textOf(contact.first_name),
    username: textOf(contact.username),
  };
}

/** Whoever an object names as customers are named everywhere. */
export function refOf(object: JsonObject | null): CustomerRef {
  return {
    waId: idOf(object?.wa_id),
    userId: idOf(object?.user_id),
    parentUserId: idOf(object?.parent_user_id),
    username: textOf(object?.username),
  };
}
