import { messageId } from '../common/ids.js';
import type {
  EventMessageBody,
  MessageBody,
  MessageStatus,
  ReactionBody,
  ReplyToBody,
  WhatsappMessageBody,
} from '../chats/message.dto.js';
import type { MediaBody } from '../media/media.dto.js';
import type { ChannelFacts } from './message-channel.js';
import type { SendInput, Written } from './message-writer.js';
import type { MessageRow } from './messages.repository.js';

/** The marks that decide what a reader sees as a message's status. */
export interface ReaderMarks {
  /** The reader's own. */
  mine: { deliveredSeq: number; readSeq: number };
  /** The lowest among the other present members. */
  others: { deliveredSeq: number; readSeq: number };
}

/** Those of a chat that nobody has reported anything in. */
export const NO_MARKS: ReaderMarks = {
  mine: { deliveredSeq: 0, readSeq: 0 },
  others: { deliveredSeq: 0, readSeq: 0 },
};

const CLIENT_KEY_PREFIX = 'c:';

/** One's own message shows what the others have reported, another's what oneself has. */
export function statusFor(seq: number, isOwn: boolean, marks: ReaderMarks): MessageStatus {
  const decisive = isOwn ? marks.others : marks.mine;
  if (seq <= decisive.readSeq) return 'READ';
  return seq <= decisive.deliveredSeq ? 'DELIVERED' : 'SENT';
}

/** What belongs to a message and lies in other tables. */
export interface MessageParts {
  media: MediaBody | null;
  reactions: ReactionBody[];
  /** Of a message that crossed a channel. */
  facts?: ChannelFacts | undefined;
}

export function toMessageBody(
  row: MessageRow,
  readerId: string,
  marks: ReaderMarks,
  parts: MessageParts,
): MessageBody {
  const isDeleted = row.deleted_at !== null;
  return {
    id: messageId(row.chat_id, row.seq),
    chatId: row.chat_id,
    seq: row.seq,
    rev: row.rev,
    clientId: clientIdOf(row.client_key),
    senderId: row.sender_id,
    type: row.type,
    text: isDeleted ? null : row.text,
    media: isDeleted ? null : parts.media,
    mentions: row.mentions,
    replyTo: replyToOf(row),
    forwarded: row.forwarded,
    reactions: isDeleted ? [] : parts.reactions,
    status: parts.facts?.status ?? statusFor(row.seq, row.sender_id === readerId, marks),
    starred: row.starred,
    editedAt: row.edited_at?.toISOString() ?? null,
    deletedAt: row.deleted_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    ...(parts.facts && { whatsapp: whatsappOf(parts.facts, isDeleted) }),
  };
}

/** What a deleted message held goes with it. */
function whatsappOf({ whatsapp }: ChannelFacts, isDeleted: boolean): WhatsappMessageBody {
  return isDeleted ? Object.assign({}, whatsapp, { payload: {} }) : whatsapp;
}

/** A message just committed, as its event carries it. */
export function toCreatedBody(
  input: SendInput,
  { row, at }: Written,
  media: MediaBody | null,
): EventMessageBody {
  return {
    id: messageId(input.chatId, row.seq),
    chatId: input.chatId,
    seq: row.seq,
    rev: 1,
    clientId: input.clientId,
    senderId: input.senderId,
    type: input.type,
    text: input.text,
    media,
    mentions: [...input.mentions],
    replyTo:
      input.replyToSeq === null || row.reply_type === null
        ? null
        : {
            id: messageId(input.chatId, input.replyToSeq),
            senderId: row.reply_sender_id,
            type: row.reply_type,
            text: row.reply_deleted ? null : row.reply_text,
          },
    forwarded: input.forwarded,
    reactions: [],
    status: 'SENT',
    editedAt: null,
    deletedAt: null,
    createdAt: at.toISOString(),
  };
}

/** What a reader sees, without what is that reader's own. */
export function toEventBody({ starred: _starred, ...message }: MessageBody): EventMessageBody {
  return message.whatsapp ? message : { ...message, status: 'SENT' };
}

/** A SYSTEM message just written. */
export function toSystemBody(chatId: string, seq: number, text: string, at: Date): EventMessageBody {
  return {
    id: messageId(chatId, seq),
    chatId,
    seq,
    rev: 1,
    clientId: null,
    senderId: null,
    type: 'SYSTEM',
    text,
    media: null,
    mentions: [],
    replyTo: null,
    forwarded: false,
    reactions: [],
    status: 'SENT',
    editedAt: null,
    deletedAt: null,
    createdAt: at.toISOString(),
  };
}

function clientIdOf(key: string): string | null {
  return key.startsWith(CLIENT_KEY_PREFIX) ? key.slice(CLIENT_KEY_PREFIX.length) : null;
}

function replyToOf(row: MessageRow): ReplyToBody | null {
  if (row.reply_to_seq === null || row.reply_type === null) return null;
  return {
    id: messageId(row.chat_id, row.reply_to_seq),
    senderId: row.reply_sender_id,
    type: row.reply_type,
    text: row.reply_text,
  };
}
