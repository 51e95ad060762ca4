import type { CustomerRef } from '../conversations/customer-ref.js';
import { messageOf, type MessageFrame, type MessageOrigin, type MetaMessage } from './parse-messages.js';
import {
  bookEntryOf,
  callOf,
  newIdOf,
  preferenceOf,
  refOf,
  type MetaCall,
  type MetaNewId,
  type MetaPreference,
} from './parse-others.js';
import { contactsOf, mergeRefs, type OwnNumber } from './parse-people.js';
import { statusOf, type MetaStatus } from './parse-statuses.js';
import { idOf, listOf, objectOf, textOf, timeOf, type JsonObject } from './parse-values.js';

/** Where a body came from: Meta, `SAMPLE_PAYLOADS_DIR`, or a dead letter or recorded body that is taken in again. */
export type WebhookSource = 'meta' | 'sample' | 'replay';

/** Where something of a webhook stood. */
export interface WebhookPlace {
  /** Such as `entry[0].changes[1].value.messages[0]`. */
  path: string;
  field: string | null;
  phoneNumberId: string | null;
  /** The number itself, as Meta writes it. */
  displayPhoneNumber: string | null;
  wabaId: string | null;
  /** As it came. */
  raw: unknown;
}

/** What one thing of a webhook tells. */
export type WebhookFact =
  | { kind: 'message'; message: MetaMessage }
  | { kind: 'status'; status: MetaStatus }
  | { kind: 'call'; call: MetaCall }
  | { kind: 'preference'; preference: MetaPreference }
  | { kind: 'new-id'; newId: MetaNewId }
  | { kind: 'book-entry'; who: CustomerRef }
  /** Of a template, or of a business account; `at` by Meta's clock. */
  | { kind: 'template' | 'account'; value: JsonObject; at: Date | null }
  /** An error of the account or of Meta, of no message. */
  | { kind: 'error' }
  /** Known, and nothing follows from it. */
  | { kind: 'noted' }
  /** A field that nobody knows here. */
  | { kind: 'unknown' };

export type WebhookItem = WebhookPlace & WebhookFact;

/** Something in a webhook that makes no sense. */
export interface BadItem {
  path: string;
  field: string | null;
  phoneNumberId: string | null;
  raw: unknown;
  detail: string;
}

const TEMPLATE_FIELDS: readonly string[] = [
  'template_category_update',
  'template_correct_category_detection',
];
const ACCOUNT_FIELDS: readonly string[] = ['account_update', 'account_review_update'];
const NOTED_FIELDS: readonly string[] = [
  'account_alerts',
  'account_settings_update',
  'automatic_events',
  'business_capability_update',
  'business_status_update',
  'business_username_update',
  'business_username_updates',
  'consumer_profile',
  'flows',
  'group_lifecycle_update',
  'group_participants_update',
  'group_settings_update',
  'group_status_update',
  'messaging_handovers',
  'partner_solutions',
  'payment_configuration_update',
  'phone_number_name_update',
  'phone_number_quality_update',
  'security',
];

/** What a webhook's body tells, in its order: every entry, change, message and status on its own. Never throws. */
export function readWebhook(body: unknown): { items: WebhookItem[]; bad: BadItem[] } {
  const reader = new WebhookReader();
  const outer = objectOf(body);
  const inner = objectOf(outer?.metaData);
  reader.envelope(inner ?? outer, inner ? 'metaData.' : '');
  return { items: reader.items, bad: reader.bad };
}

/** A change, and what all that it tells has in common. */
interface Change {
  path: string;
  field: string | null;
  wabaId: string | null;
  own: OwnNumber;
  value: JsonObject;
  contacts: CustomerRef[];
  /** Of the entry. */
  at: Date | null;
}

class WebhookReader {
  readonly items: WebhookItem[] = [];
  readonly bad: BadItem[] = [];

  envelope(body: JsonObject | null, prefix: string): void {
    if (!body || !Array.isArray(body.entry)) {
      this.refuse(prefix.slice(0, -1), null, body, 'the body has no list of entries');
      return;
    }
    for (const [index, entry] of body.entry.entries()) this.entry(entry, `${prefix}entry[${index}]`);
  }

  private entry(raw: unknown, path: string): void {
    const entry = objectOf(raw);
    if (!entry || !Array.isArray(entry.changes)) {
      this.refuse(path, null, raw, 'the entry has no list of changes');
      return;
    }
    const of = { wabaId: idOf(entry.id), at: timeOf(entry.time) };
    for (const [index, change] of entry.changes.entries())
      this.change(change, `${path}.changes[${index}]`, of);
  }

  private change(raw: unknown, path: string, of: Pick<Change, 'wabaId' | 'at'>): void {
    const change = objectOf(raw);
    const value = objectOf(change?.value);
    const field = textOf(change?.field);
    if (!value) {
      this.refuse(path, { field, own: NOBODY }, raw, 'the change has no value');
      return;
    }
    const metadata = objectOf(value.metadata);
    const own = {
      phoneNumberId:
        idOf(metadata?.phone_number_id) ?? idOf(objectOf(value.phone_number_settings)?.phone_number_id),
      displayPhoneNumber: idOf(metadata?.display_phone_number),
    };
    this.read({ ...of, path: `${path}.value`, field, own, value, contacts: contactsOf(value) }, raw);
  }

  /** What a field holds is known by its name: the same names of lists mean other things in other fields. */
  private read(change: Change, raw: unknown): void {
    const { field, value, at } = change;
    const before = this.items.length + this.bad.length;
    switch (field) {
      case null:
      case 'messages':
      case 'message_echoes':
      case 'smb_message_echoes':
        this.messages(change, field === 'messages' || field === null ? 'LIVE' : 'ECHO');
        this.each(change, 'statuses', statusOf, (status) => ({ kind: 'status', status }));
        break;
      case 'history':
        this.history(change);
        this.messages(change, 'HISTORY');
        break;
      case 'calls':
        this.each(
          change,
          'calls',
          (call) => callOf(call, change.contacts, change.own),
          (call) => ({ kind: 'call', call }),
        );
        this.each(change, 'statuses', () => null, NOTED);
        break;
      case 'user_preferences':
        this.each(
          change,
          'user_preferences',
          (one) => preferenceOf(one, change.contacts),
          (preference) => ({ kind: 'preference', preference }),
        );
        break;
      case 'user_id_update':
        this.each(change, 'user_id_update', newIdOf, (newId) => ({ kind: 'new-id', newId }));
        break;
      case 'smb_app_state_sync':
        this.each(change, 'state_sync', bookEntryOf, (who) => ({ kind: 'book-entry', who }));
        break;
      default:
        this.add(change, change.path, raw, ofWholeChange(field, value, at));
    }
    if (this.items.length + this.bad.length > before) return;
    for (const [index, error] of listOf(value.errors).entries()) {
      this.add(change, `${change.path}.errors[${index}]`, error, { kind: 'error' });
    }
    if (this.items.length + this.bad.length === before) {
      this.refuse(change.path, change, raw, 'the change tells nothing');
    }
  }

  private messages(change: Change, origin: MessageOrigin): void {
    const { value, own, contacts } = change;
    const frame: MessageFrame = { origin, own, contacts, thread: null, errors: value.errors };
    const echoes = origin === 'LIVE' ? 'ECHO' : origin;
    this.each(change, 'messages', (raw) => messageOf(raw, frame), asMessage);
    this.each(change, 'message_echoes', (raw) => messageOf(raw, { ...frame, origin: echoes }), asMessage);
  }

  /** A thread's messages are told from the oldest on, whichever way they stood. */
  private history(change: Change): void {
    for (const [index, raw] of listOf(change.value.history).entries()) {
      const chunk = objectOf(raw);
      const path = `history[${index}]`;
      if (!chunk) this.refuse(`${change.path}.${path}`, change, raw, 'a part of a history must be an object');
      for (const [at, thread] of listOf(chunk?.threads).entries()) {
        this.thread(change, `${path}.threads[${at}]`, thread);
      }
      for (const [at, error] of listOf(chunk?.errors).entries()) {
        this.add(change, `${change.path}.${path}.errors[${at}]`, error, { kind: 'noted' });
      }
      if (chunk && chunk.threads === undefined && chunk.errors === undefined) {
        this.add(change, `${change.path}.${path}`, raw, { kind: 'noted' });
      }
    }
  }

  private thread(change: Change, path: string, raw: unknown): void {
    const thread = objectOf(raw);
    if (!thread || !Array.isArray(thread.messages)) {
      this.refuse(`${change.path}.${path}`, change, raw, 'a thread must have a list of messages');
      return;
    }
    const { own, contacts, value } = change;
    const who = mergeRefs(refOf(objectOf(thread.context)), { waId: idOf(thread.id) });
    const frame: MessageFrame = { origin: 'HISTORY', own, contacts, thread: who, errors: value.errors };
    const messages = thread.messages.map((message: unknown, index) => ({ message, index }));
    const timeIn = (message: unknown): number => timeOf(objectOf(message)?.timestamp)?.getTime() ?? 0;
    messages.sort((a, b) => timeIn(a.message) - timeIn(b.message) || a.index - b.index);
    for (const { message, index } of messages) {
      this.one(change, `${path}.messages[${index}]`, message, messageOf(message, frame), asMessage);
    }
  }

  private each<T extends object>(
    change: Change,
    name: string,
    read: (raw: unknown) => T | string | null,
    toFact: (told: T) => WebhookFact,
  ): void {
    const list = change.value[name];
    if (list === undefined || list === null) return;
    if (!Array.isArray(list)) {
      this.refuse(`${change.path}.${name}`, change, list, `${name} must be a list`);
      return;
    }
    for (const [index, raw] of list.entries()) this.one(change, `${name}[${index}]`, raw, read(raw), toFact);
  }

  private one<T extends object>(
    change: Change,
    path: string,
    raw: unknown,
    told: T | string | null,
    toFact: (told: T) => WebhookFact,
  ): void {
    const place = `${change.path}.${path}`;
    if (typeof told === 'string') this.refuse(place, change, raw, told);
    else this.add(change, place, raw, told === null ? { kind: 'noted' } : toFact(told));
  }

  private add({ field, wabaId, own }: Change, path: string, raw: unknown, fact: WebhookFact): void {
    this.items.push({ path, field, ...own, wabaId, raw, ...fact });
  }

  private refuse(
    path: string,
    change: Pick<Change, 'field' | 'own'> | null,
    raw: unknown,
    detail: string,
  ): void {
    if (this.bad.length > MAX_BAD) return;
    if (this.bad.length === MAX_BAD) {
      this.bad.push({
        path: '',
        field: null,
        phoneNumberId: null,
        raw: null,
        detail: 'there is more that makes no sense',
      });
      return;
    }
    const phoneNumberId = change?.own.phoneNumberId ?? null;
    this.bad.push({ path, field: change?.field ?? null, phoneNumberId, raw, detail });
  }
}

/** Of one body; the body itself is kept with what is beyond. Meta batches at most 1,000 updates. */
const MAX_BAD = 2_000;
const NOBODY: OwnNumber = { phoneNumberId: null, displayPhoneNumber: null };
const NOTED = (): WebhookFact => ({ kind: 'noted' });

function asMessage(message: MetaMessage): WebhookFact {
  return { kind: 'message', message };
}

function ofWholeChange(field: string, value: JsonObject, at: Date | null): WebhookFact {
  if (field.startsWith('message_template_') || TEMPLATE_FIELDS.includes(field))
    return { kind: 'template', value, at };
  if (ACCOUNT_FIELDS.includes(field)) return { kind: 'account', value, at };
  return { kind: NOTED_FIELDS.includes(field) ? 'noted' : 'unknown' };
}
