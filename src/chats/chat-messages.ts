import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { EventMessageBody, MessageBody } from './message.dto.js';

/** A chat whose newest message is wanted, with the marks that decide its status. */
export interface ChatHead {
  chatId: string;
  /** The first message that the reader may see. */
  firstSeq: number;
  lastSeq: number;
  mine: { deliveredSeq: number; readSeq: number };
  others: { deliveredSeq: number; readSeq: number };
}

/** What chats need of messages; the messages module implements it. */
export interface MessageSource {
  /** The newest message of each chat that `readerId` sees, by chat id. */
  lastOf(readerId: string, heads: readonly ChatHead[]): Promise<Map<string, MessageBody>>;
  /** See `ChatMessages.appendSystem`. */
  appendSystem(tx: PrismaTransaction, chatId: string, text: string, at: Date): Promise<EventMessageBody>;
  /** See `ChatMessages.announce`. */
  announce(message: EventMessageBody, membersSeq: number, tenantId: string | null): void;
}

/** Chats show their newest message and write SYSTEM messages, but know nothing of messages: they ask here. */
@Injectable()
export class ChatMessages {
  private registered: MessageSource | undefined;

  register(source: MessageSource): void {
    this.registered = source;
  }

  /** The newest message of each chat by chat id, as `readerId` sees it. */
  async lastOf(readerId: string, heads: readonly ChatHead[]): Promise<Map<string, MessageBody>> {
    return heads.length === 0 ? new Map() : this.source.lastOf(readerId, heads);
  }

  /**
   * Writes a SYSTEM message as the next one of a group or a conversation. `tx` holds the chat's lock. After the commit, the caller hands it
   * to `announce`.
   *
   * @param text a sentence for people, at most 4,096 code points
   */
  async appendSystem(
    tx: PrismaTransaction,
    chatId: string,
    text: string,
    at: Date,
  ): Promise<EventMessageBody> {
    return this.source.appendSystem(tx, chatId, text, at);
  }

  /**
   * Tells the members of a SYSTEM message that is committed.
   *
   * @param membersSeq the chat's `members_seq` at the commit, or the `agents_seq` of its tenant
   * @param tenantId whose conversation it is, if any tenant's
   */
  announce(message: EventMessageBody, membersSeq: number, tenantId: string | null = null): void {
    this.source.announce(message, membersSeq, tenantId);
  }

  private get source(): MessageSource {
    if (!this.registered) throw new Error('nobody keeps messages');
    return this.registered;
  }
}
