import { Injectable } from '@nestjs/common';
import type { MessageBody } from './message.dto.js';

/** A chat whose newest message is wanted, with the marks that decide its status. */
export interface ChatHead {
  chatId: string;
  lastSeq: number;
  mine: { deliveredSeq: number; readSeq: number };
  others: { deliveredSeq: number; readSeq: number };
}

type LastMessages = (readerId: string, heads: readonly ChatHead[]) => Promise<Map<string, MessageBody>>;

/** Chats show their newest message but know nothing of messages: the messages module registers how to read it. */
@Injectable()
export class ChatMessages {
  private source: LastMessages = () => Promise.resolve(new Map<string, MessageBody>());

  register(source: LastMessages): void {
    this.source = source;
  }

  /** The newest message of each chat by chat id, as `readerId` sees it. */
  async lastOf(readerId: string, heads: readonly ChatHead[]): Promise<Map<string, MessageBody>> {
    return heads.length === 0 ? new Map() : this.source(readerId, heads);
  }
}
