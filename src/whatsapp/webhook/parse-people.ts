import { customerKeys } from '../conversations/customer-keys.js';
import type { CustomerRef } from '../conversations/customer-ref.js';
import { phoneDigits, phoneKey } from '../conversations/phone-keys.js';
import { idOf, listOf, objectOf, textOf, type JsonObject } from './parse-values.js';

/** The number that a webhook is about. */
export interface OwnNumber {
  phoneNumberId: string | null;
  displayPhoneNumber: string | null;
}

/** Those whom a webhook describes beside what it tells: in no particular order, and not always. */
export function contactsOf(value: JsonObject): CustomerRef[] {
  return listOf(value.contacts)
    .map(objectOf)
    .filter((contact) => contact !== null)
    .map((contact) => {
      const profile = objectOf(contact.profile);
      return {
        waId: idOf(contact.wa_id),
        userId: idOf(contact.user_id),
        parentUserId: idOf(contact.parent_user_id),
        name: textOf(profile?.name),
        username: textOf(profile?.username),
      };
    });
}

/** Whether it is the business itself: its number, however it is written, or the id of its number. */
export function isOwn(id: string | null | undefined, own: OwnNumber): boolean {
  if (!id) return false;
  if (id === own.phoneNumberId) return true;
  const [digits, display] = [phoneDigits(id), phoneDigits(own.displayPhoneNumber ?? '')];
  return digits !== null && display !== null && phoneKey(digits) === phoneKey(display);
}

/** With what is told of the same person among the contacts; the only contact there is when nothing else names them. */
export function withContact(who: CustomerRef, contacts: readonly CustomerRef[]): CustomerRef {
  const named = customerKeys(who);
  if (!named) return contacts.length === 1 ? (contacts[0] ?? who) : who;
  const same = contacts.find((contact) => {
    const keys = customerKeys(contact)?.keys ?? [];
    return keys.some((key) => named.keys.includes(key));
  });
  return same ? mergeRefs(who, same) : who;
}

/** The customer of what the business sent: the one it says, or the contact who is not the business. */
export function receiverOf(to: CustomerRef, contacts: readonly CustomerRef[], own: OwnNumber): CustomerRef {
  if (customerKeys(to) && !isOwn(to.waId, own)) return withContact(to, contacts);
  return contacts.find((contact) => customerKeys(contact) && !isOwn(contact.waId, own)) ?? contacts[0] ?? to;
}

/** What the first leaves open, the second fills. */
export function mergeRefs(first: CustomerRef, second: CustomerRef): CustomerRef {
  return {
    waId: first.waId ?? second.waId ?? null,
    userId: first.userId ?? second.userId ?? null,
    parentUserId: first.parentUserId ?? second.parentUserId ?? null,
    name: first.name ?? second.name ?? null,
    username: first.username ?? second.username ?? null,
  };
}
