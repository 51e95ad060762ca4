import type { EventMessageBody, MessageType } from '../../chats/message.dto.js';

/** What a tenant sends to a customer, checked at the edge, in the form in which it is stored and shown. */
export interface OutgoingMessage {
  type: MessageType;
  /** What people see of it: a text, a caption, the rendered template. */
  text: string | null;
  /** A medium of ours that goes along; it is uploaded to Meta when it is sent. */
  mediaId?: string | null;
  /** The seq of the message of the same conversation that it answers. */
  replyToSeq?: number | null;
  /**
   * The part of Meta's request that is special to the type, such as `{ type: 'text', text: { body } }`: without
   * recipient and context. Of a medium of ours, the id is filled in when it is sent.
   */
  request: Record<string, unknown>;
  /** Digits, or a business-scoped id, as the sender named the customer; default: as Meta does. */
  to?: string | null;
  /** A template may be sent while the window is closed. */
  isTemplate?: boolean;
}

/** Who sends it. */
export interface SendOrigin {
  /** An agent, or null for the tenant's own system and the bot. */
  senderId: string | null;
  clientId?: string | null;
  idempotencyKey?: string | null;
  originSocketId?: string | null;
  /** The bot's answers leave the team's unread alone, and so do sends of the tenant's systems; an agent's clear it. */
  marks: 'ALL' | 'FOLLOW';
}

export type Accepted =
  | { outcome: 'CREATED'; message: EventMessageBody }
  /** The same key, or client id, was used before. */
  | { outcome: 'KEY_USED' | 'REPEATED'; chatId: string; seq: number; messageId: string };
