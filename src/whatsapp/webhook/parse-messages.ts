import type { MessageStatus } from '../../chats/message.dto.js';
import type { CustomerRef } from '../conversations/customer-ref.js';
import { contentOf, typeOf, type MessageContent } from './parse-content.js';
import { isOwn, mergeRefs, receiverOf, withContact, type OwnNumber } from './parse-people.js';
import { idOf, objectOf, textOf, timeOf, type JsonObject } from './parse-values.js';

/** How a message came: as it happened, as an echo of what the business sent by phone, or from the phone's history. */
export type MessageOrigin = 'LIVE' | 'ECHO' | 'HISTORY';

/** What a message does. */
export type MessageAct =
  | { kind: 'SHOW'; content: MessageContent }
  /** `emoji` is null when it is taken back. */
  | { kind: 'REACTION'; target: string; emoji: string | null }
  | { kind: 'EDIT'; target: string; text: string | null; payload: JsonObject }
  | { kind: 'REVOKE'; target: string }
  /** Shown as well. */
  | { kind: 'RENAME'; content: MessageContent; after: CustomerRef };

/** One of Meta's messages. */
export interface MetaMessage {
  wamid: string;
  direction: 'IN' | 'OUT';
  origin: MessageOrigin;
  /** The customer, whichever side sent it. */
  who: CustomerRef;
  isGroup: boolean;
  from: string | null;
  to: string | null;
  sentAt: Date | null;
  status: MessageStatus;
  replyTo: string | null;
  forwarded: boolean;
  act: MessageAct;
  payload: JsonObject;
}

/** What surrounds a message. */
export interface MessageFrame {
  origin: MessageOrigin;
  own: OwnNumber;
  contacts: readonly CustomerRef[];
  /** Whose thread of the history it is. */
  thread: CustomerRef | null;
  /** Of the whole webhook. */
  errors: unknown;
}

const HISTORY_STATUSES: ReadonlyMap<string, MessageStatus> = new Map([
  ['DELIVERED', 'DELIVERED'],
  ['READ', 'READ'],
  ['PLAYED', 'READ'],
  ['ERROR', 'FAILED'],
]);
/** Stands in an edit for a message that has no id there. */
const NO_MESSAGE = 'M0';

/** What a message tells, or why it tells nothing. */
export function messageOf(raw: unknown, frame: MessageFrame): MetaMessage | string {
  const message = objectOf(raw);
  if (!message) return 'a message must be an object';
  const wamid = idOf(message.id);
  if (wamid === null) return 'a message must have an id';
  const act = actOf(message, frame.errors);
  if (typeof act === 'string') return act;
  const groupId = idOf(message.group_id);
  const direction = directionOf(message, frame);
  const context = objectOf(message.context);
  const replyTo = idOf(context?.id);
  return {
    wamid,
    direction,
    origin: frame.origin,
    who: groupId === null ? customerOf(message, direction, frame) : { groupId, name: `Group ${groupId}` },
    isGroup: groupId !== null,
    from: idOf(message.from) ?? idOf(message.from_user_id),
    to: idOf(message.to) ?? idOf(message.to_user_id) ?? (direction === 'IN' ? numberOf(frame.own) : null),
    sentAt: timeOf(message.timestamp),
    status: HISTORY_STATUSES.get(textOf(objectOf(message.history_context)?.status) ?? '') ?? 'SENT',
    replyTo: replyTo === NO_MESSAGE ? null : replyTo,
    forwarded: context?.forwarded === true || context?.frequently_forwarded === true,
    act,
    payload:
      act.kind === 'SHOW' && act.content.error && message.errors === undefined
        ? { ...message, errors: frame.errors }
        : message,
  };
}

function directionOf(message: JsonObject, { origin, own, thread }: MessageFrame): 'IN' | 'OUT' {
  if (origin === 'ECHO') return 'OUT';
  const [from, to] = [idOf(message.from), idOf(message.to)];
  if (isOwn(from, own)) return 'OUT';
  // Of a history, the number may be told in no form that is known here: then the receiver tells.
  return thread !== null && to !== null && from !== thread.waId && to === thread.waId ? 'OUT' : 'IN';
}

function customerOf(message: JsonObject, direction: 'IN' | 'OUT', frame: MessageFrame): CustomerRef {
  const { thread, contacts, own } = frame;
  const from = {
    waId: idOf(message.from),
    userId: idOf(message.from_user_id),
    parentUserId: idOf(message.from_parent_user_id),
  };
  const to = {
    waId: idOf(message.to),
    userId: idOf(message.to_user_id),
    parentUserId: idOf(message.to_parent_user_id),
  };
  if (thread) return withContact(mergeRefs(thread, direction === 'IN' ? from : to), contacts);
  return direction === 'IN' ? withContact(from, contacts) : receiverOf(to, contacts, own);
}

function numberOf({ displayPhoneNumber, phoneNumberId }: OwnNumber): string | null {
  return displayPhoneNumber ?? phoneNumberId;
}

function actOf(message: JsonObject, errors: unknown): MessageAct | string {
  const type = typeOf(message);
  switch (type) {
    case 'reaction': {
      const reaction = objectOf(message.reaction);
      const target = idOf(reaction?.message_id);
      if (target === null) return 'a reaction must say to which message';
      return { kind: 'REACTION', target, emoji: textOf(reaction?.emoji) };
    }
    case 'edit': {
      const edit = objectOf(message.edit);
      const [target, edited] = [idOf(edit?.original_message_id), objectOf(edit?.message)];
      if (target === null || !edited) return 'an edit must say of which message, and what it is now';
      const { text } = contentOf(edited, null);
      const name = typeOf(edited);
      return { kind: 'EDIT', target, text, payload: { [name]: edited[name] ?? null } };
    }
    case 'revoke': {
      const target = idOf(objectOf(message.revoke)?.original_message_id);
      return target === null ? 'a revocation must say of which message' : { kind: 'REVOKE', target };
    }
    default: {
      const content = contentOf(message, errors);
      const after = type === 'system' ? renamedTo(objectOf(message.system)) : null;
      return after ? { kind: 'RENAME', content, after } : { kind: 'SHOW', content };
    }
  }
}

/** Whoever sent it is now known by this. */
function renamedTo(system: JsonObject | null): CustomerRef | null {
  const waId = idOf(system?.wa_id) ?? idOf(system?.new_wa_id);
  const userId = idOf(system?.user_id);
  const parentUserId = idOf(system?.parent_user_id);
  switch (textOf(system?.type)) {
    case 'user_changed_number':
    case 'customer_changed_number':
      return waId === null && userId === null ? null : { waId, userId, parentUserId };
    case 'user_changed_user_id':
      return userId === null && parentUserId === null ? null : { userId, parentUserId };
    default:
      return null;
  }
}
