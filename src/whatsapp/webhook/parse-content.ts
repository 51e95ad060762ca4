import type { MessageType, WhatsappErrorBody } from '../../chats/message.dto.js';
import { errorOf, idOf, listOf, objectOf, textOf, type JsonObject } from './parse-values.js';

/** A file that Meta holds. */
export interface MetaMedia {
  id: string | null;
  /** Good for five minutes, and not always told. */
  url: string | null;
  fileName: string | null;
}

/** What people see of a message. */
export interface MessageContent {
  type: MessageType;
  /** A text, a caption, the title of what was chosen: what is searched and previewed. */
  text: string | null;
  media: MetaMedia | null;
  error: WhatsappErrorBody | null;
}

const MEDIA_TYPES: Readonly<Record<string, MessageType>> = {
  image: 'IMAGE',
  video: 'VIDEO',
  audio: 'AUDIO',
  document: 'DOCUMENT',
  sticker: 'STICKER',
};
/** By which object a message is known that does not tell its type. */
const TELLING_OBJECTS = [
  ...Object.keys(MEDIA_TYPES),
  'text',
  'location',
  'contacts',
  'button',
  'interactive',
  'reaction',
  'order',
  'system',
  'edit',
  'revoke',
  'unsupported',
];

/** What kind of message it is, in Meta's words; `unknown` when nothing tells. */
export function typeOf(message: JsonObject): string {
  return textOf(message.type) ?? TELLING_OBJECTS.find((name) => message[name] !== undefined) ?? 'unknown';
}

/**
 * What to show of a message; what nobody knows yet is UNSUPPORTED, and so is one whose content is missing.
 *
 * @param errors of the whole webhook: they tell why content is missing
 */
export function contentOf(message: JsonObject, errors: unknown): MessageContent {
  const error = errorOf(message.errors) ?? errorOf(errors);
  const type = typeOf(message);
  const content = shownAs(type, message[type]);
  return content
    ? { media: null, error: null, ...content }
    : { type: 'UNSUPPORTED', text: null, media: null, error };
}

function shownAs(
  type: string,
  value: unknown,
): Omit<MessageContent, 'media' | 'error'> | MessageContent | null {
  if (type === 'contacts') return { type: 'CONTACTS', text: namesOf(value) };
  if (type === 'request_welcome') return { type: 'SYSTEM', text: 'The customer has opened the chat.' };
  const object = objectOf(value);
  if (!object) return null;
  const mediaType = Object.hasOwn(MEDIA_TYPES, type) ? MEDIA_TYPES[type] : undefined;
  if (mediaType) return mediaOf(mediaType, object);
  switch (type) {
    case 'text': {
      const text = textOf(object.body);
      return text === null ? null : { type: 'TEXT', text };
    }
    case 'location':
      return isPlace(object) ? { type: 'LOCATION', text: joined([object.name, object.address]) } : null;
    case 'button':
      return { type: 'INTERACTIVE', text: textOf(object.text) ?? textOf(object.payload) };
    case 'interactive':
      return { type: 'INTERACTIVE', text: answerOf(object) };
    case 'order':
      return { type: 'INTERACTIVE', text: textOf(object.text) };
    case 'system':
      return { type: 'SYSTEM', text: textOf(object.body) ?? 'Something about the customer has changed.' };
    default:
      return null;
  }
}

function mediaOf(type: MessageType, object: JsonObject): MessageContent | null {
  const media = { id: idOf(object.id), url: textOf(object.url), fileName: textOf(object.filename) };
  const isThere = media.id !== null || media.url !== null;
  return isThere ? { type, text: textOf(object.caption), media, error: null } : null;
}

function isPlace({ latitude, longitude }: JsonObject): boolean {
  return Number.isFinite(latitude) && Number.isFinite(longitude);
}

function namesOf(contacts: unknown): string | null {
  return joined(
    listOf(contacts).map((contact) => {
      const name = objectOf(objectOf(contact)?.name);
      return textOf(name?.formatted_name) ?? textOf(name?.first_name);
    }),
  );
}

/** What was tapped or filled in. */
function answerOf(interactive: JsonObject): string | null {
  const type = textOf(interactive.type) ?? '';
  const answer =
    objectOf(interactive[type]) ??
    objectOf(interactive.button_reply) ??
    objectOf(interactive.list_reply) ??
    objectOf(interactive.nfm_reply);
  return textOf(answer?.title) ?? textOf(answer?.body);
}

function joined(parts: readonly unknown[]): string | null {
  const texts = parts.map(textOf).filter((text) => text !== null);
  return texts.length === 0 ? null : texts.join(', ');
}
