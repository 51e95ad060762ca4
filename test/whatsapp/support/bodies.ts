import { randomUUID } from 'node:crypto';
import { envelope, messagesBody, metadataOf, type WebhookNumber } from '../../fakes/graph-webhooks.js';

type Fields = Record<string, unknown>;

const SOME_TIME = '1697043223';

/** A customer's message, a text unless `message` says otherwise. */
export function inbound(number: WebhookNumber, from: string, message: Fields = {}): Fields {
  return messagesBody(number, [customerMessage(from, message)]);
}

/** One of `messages[]`. */
export function customerMessage(from: string, message: Fields = {}): Fields {
  return {
    from,
    id: newWamid(),
    timestamp: SOME_TIME,
    type: 'text',
    ...(message.type === undefined && { text: { body: 'hello' } }),
    ...message,
  };
}

/** What somebody wrote in the WhatsApp Business app of the same number. */
export function echo(number: WebhookNumber, to: string, message: Fields = {}): Fields {
  return envelope(number.wabaId, 'smb_message_echoes', {
    messaging_product: 'whatsapp',
    metadata: metadataOf(number),
    message_echoes: [{ ...customerMessage(number.displayPhoneNumber, message), to }],
  });
}

export function newWamid(): string {
  return `wamid.${randomUUID().replaceAll('-', '').toUpperCase()}`;
}
