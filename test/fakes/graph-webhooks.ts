import { createHmac } from 'node:crypto';

/** What one webhook is about: the number of the tenant. */
export interface WebhookNumber {
  phoneNumberId: string;
  wabaId: string;
  displayPhoneNumber: string;
}

/** JSON as Meta writes it: `/` escaped, and everything that is not ASCII as `\uXXXX` in lower case. */
export function metaJson(body: unknown): string {
  return JSON.stringify(body)
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The value of `X-Hub-Signature-256`. */
export function signatureOf(rawBody: string | Buffer, appSecret: string): string {
  return `sha256=${createHmac('sha256', appSecret).update(rawBody).digest('hex')}`;
}

/** One change in Meta's envelope. */
export function envelope(wabaId: string, field: string, ...values: unknown[]): Record<string, unknown> {
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: wabaId, changes: values.map((value) => ({ value, field })) }],
  };
}

/** `messages[]` of one number, with the contacts named by their `from` unless others are given. */
export function messagesBody(
  number: WebhookNumber,
  messages: Record<string, unknown>[],
  contacts: unknown[] | null = messages.map(({ from }) => ({
    profile: { name: `Customer ${String(from)}` },
    wa_id: from,
  })),
): Record<string, unknown> {
  return envelope(number.wabaId, 'messages', {
    messaging_product: 'whatsapp',
    metadata: metadataOf(number),
    ...(contacts !== null && { contacts }),
    messages,
  });
}

/** `statuses[]` of one number. */
export function statusesBody(
  number: WebhookNumber,
  statuses: Record<string, unknown>[],
): Record<string, unknown> {
  return envelope(number.wabaId, 'messages', {
    messaging_product: 'whatsapp',
    metadata: metadataOf(number),
    statuses,
  });
}

export function metadataOf(number: WebhookNumber): Record<string, string> {
  return { display_phone_number: number.displayPhoneNumber, phone_number_id: number.phoneNumberId };
}

/** Posts a body as Meta does: signed over the raw bytes. */
export async function postWebhook(
  url: string,
  body: unknown,
  appSecret: string | null,
): Promise<{ status: number; body: unknown }> {
  const raw = typeof body === 'string' ? body : metaJson(body);
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(appSecret !== null && { 'X-Hub-Signature-256': signatureOf(raw, appSecret) }),
    },
    body: raw,
  });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, body: text };
  }
}
