import { createHash } from 'node:crypto';
import { messageId } from '../../common/ids.js';
import type { MessageType } from '../../chats/message.dto.js';
import type { Push } from './push-provider.js';

/** A message as it is told to one person. */
export interface PushedMessage {
  chatId: string;
  seq: number;
  /** The group's name, or null in a private chat. */
  chatName: string | null;
  senderName: string | null;
  type: MessageType;
  text: string | null;
  unreadCount: number;
  mentioned: boolean;
}

const MAX_TITLE = 100;
const MAX_BODY = 140;

/** What stands for a message without text. */
const NAMES: Record<MessageType, string> = {
  TEXT: 'Message',
  IMAGE: 'Photo',
  VIDEO: 'Video',
  AUDIO: 'Audio',
  DOCUMENT: 'Document',
  STICKER: 'Sticker',
  LOCATION: 'Location',
  CONTACTS: 'Contact',
  INTERACTIVE: 'Message',
  SYSTEM: 'Message',
  UNSUPPORTED: 'Message',
};

/** @param userId to whom: the topic tells nobody that two people share a chat */
export function toPush(userId: string, message: PushedMessage): Push {
  const { chatId, seq, chatName, unreadCount, mentioned } = message;
  const sender = message.senderName ?? 'Deleted account';
  const text = message.text ?? NAMES[message.type];
  return {
    payload: {
      chatId,
      messageId: messageId(chatId, seq),
      seq,
      title: cut(chatName ?? sender, MAX_TITLE),
      body: cut(chatName === null ? text : `${sender}: ${text}`, MAX_BODY),
      unreadCount,
      mentioned,
    },
    topic: createHash('sha256').update(`${userId} ${chatId}`).digest('base64url').slice(0, 32),
  };
}

/** The first `max` code points, the last of them an ellipsis if there are more. */
function cut(text: string, max: number): string {
  const points = Array.from(text);
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}
