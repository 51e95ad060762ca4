import type { ChatType } from '../chats/chats.dto.js';
import type { EventMessageBody } from '../chats/message.dto.js';

/** A message was committed. */
export class MessageCreated {
  constructor(
    readonly message: EventMessageBody,
    /** The socket it was sent on, which has the acknowledgement already. */
    readonly originSocketId: string | null,
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
