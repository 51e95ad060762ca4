import type { ChatType } from '../chats/chats.dto.js';
import type { EventMessageBody, MessageStatus } from '../chats/message.dto.js';

/**
 * In every event for all members, `membersSeq` is the chat's `members_seq` at the commit: whoever tells the members
 * knows by it whether it has heard of everyone who joined or left before. `audienceId` is whose members they are: the
 * chat's, or in a chat of a channel the tenant's, and then `membersSeq` is the tenant's `agents_seq`.
 */

/** A message was committed. */
export class MessageCreated {
  constructor(
    readonly message: EventMessageBody,
    /** The socket it was sent on, which has the acknowledgement already. */
    readonly originSocketId: string | null,
    readonly chatType: ChatType,
    readonly membersSeq: number,
    readonly audienceId: string = message.chatId,
  ) {}
}

/** A channel has told of one message alone that it is now sent, delivered, read or failed. */
export class MessageStatusChanged {
  constructor(
    readonly chatId: string,
    readonly messageId: string,
    readonly seq: number,
    readonly status: MessageStatus,
    readonly at: Date,
    readonly membersSeq: number,
    readonly audienceId: string,
  ) {}
}

/** The mark that all agents of a tenant share has moved in one of its chats. */
export class TeamRead {
  constructor(
    readonly chatId: string,
    readonly readSeq: number,
    readonly originSocketId: string | null,
    readonly membersSeq: number,
    readonly audienceId: string,
  ) {}
}

/** Its sender changed the text of a message. `blindIds` are members who may not see it. */
export class MessageEdited {
  constructor(
    readonly message: EventMessageBody,
    readonly membersSeq: number,
    readonly blindIds: readonly string[],
    readonly audienceId: string = message.chatId,
  ) {}
}

/** A message was deleted for everyone. */
export class MessageDeleted {
  constructor(
    readonly chatId: string,
    readonly messageId: string,
    readonly seq: number,
    readonly rev: number,
    readonly deletedByUserId: string,
    readonly membersSeq: number,
    readonly blindIds: readonly string[],
    readonly audienceId: string = chatId,
  ) {}
}

/** A person reacted, or took their reaction back. One that replaces another is told as added alone. */
export class MessageReacted {
  constructor(
    readonly chatId: string,
    readonly messageId: string,
    readonly rev: number,
    readonly userId: string,
    readonly emoji: string,
    readonly action: 'added' | 'removed',
    readonly membersSeq: number,
    readonly blindIds: readonly string[],
    readonly audienceId: string = chatId,
  ) {}
}

/** A person deleted a message for themselves. */
export class MessageHidden {
  constructor(
    readonly userId: string,
    readonly chatId: string,
    readonly messageId: string,
  ) {}
}

/** A person starred a message, or took the star back. */
export class MessageStarred {
  constructor(
    readonly userId: string,
    readonly chatId: string,
    readonly messageId: string,
    readonly starred: boolean,
  ) {}
}

/** A person's marks in a chat moved forward by their report (sending moves them without an event). */
export class MarksAdvanced {
  constructor(
    readonly chatId: string,
    readonly chatType: ChatType,
    readonly userId: string,
    /** The new mark, or null if it did not move. */
    readonly deliveredSeq: number | null,
    readonly readSeq: number | null,
    /** False for a read that the other person is not to know of. */
    readonly readShown: boolean,
    readonly at: Date,
    /** Whether `app-opened` delivered it. */
    readonly byAppOpened: boolean,
    /** The socket that reported it, when one alone did. */
    readonly originSocketId: string | null,
  ) {}
}

/** The lowest mark of a GROUP moved over messages of these authors. */
export class LowestMarkMoved {
  constructor(
    readonly chatId: string,
    readonly status: 'DELIVERED' | 'READ',
    readonly upToSeq: number,
    readonly authorIds: readonly string[],
    readonly at: Date,
  ) {}
}

/** A person dismissed the notifications of a chat, which marks it as read (`MarksAdvanced` tells of that). */
export class NotificationsCleared {
  constructor(
    readonly userId: string,
    readonly chatId: string,
  ) {}
}
