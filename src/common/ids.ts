import { randomUUID } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function newId(): string {
  return randomUUID();
}

/**
 * Whether `id` has the form of the ids this server makes. Anything else names nothing: routes answer it like an
 * unknown id, and it never reaches a `uuid` column, where PostgreSQL would raise an error.
 */
export function isId(id: string): boolean {
  return UUID.test(id);
}

/** A message is addressed by its chat and its place in it. */
export interface MessageAddress {
  chatId: string;
  seq: number;
}

const MAX_SEQ = 2_147_483_647;

export function messageId(chatId: string, seq: number): string {
  return `${chatId}.${seq}`;
}

/** The address in a message's public id, or null if it cannot be one. */
export function parseMessageId(id: string): MessageAddress | null {
  const dot = id.indexOf('.');
  const chatId = id.slice(0, dot);
  const seqText = id.slice(dot + 1);
  if (dot === -1 || !isId(chatId) || !/^[1-9]\d{0,9}$/.test(seqText)) return null;
  const seq = Number(seqText);
  return seq <= MAX_SEQ ? { chatId, seq } : null;
}
