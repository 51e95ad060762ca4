import { Injectable } from '@nestjs/common';
import type { WhatsappChatBody } from './chats.dto.js';

/** What all who are in the chat see of a chat that belongs to a channel. */
export interface ChannelChat {
  name: string;
  whatsapp: WhatsappChatBody;
}

/** See `ChannelChats.describe`. */
type Describe = (chatIds: readonly string[]) => Promise<Map<string, ChannelChat>>;
/** See `ChannelChats.typing`. */
type ShowTyping = (userId: string, chatId: string) => void;

/** Chats know that some of them lead out through a channel, and nothing of the channel, which registers here. */
@Injectable()
export class ChannelChats {
  private describing: Describe | undefined;
  private showTyping: ShowTyping | undefined;

  registerDescriptions(describe: Describe): void {
    this.describing = describe;
  }

  registerTyping(showTyping: ShowTyping): void {
    this.showTyping = showTyping;
  }

  /** By chat, what is special to chats of the type WHATSAPP. */
  async describe(chatIds: readonly string[]): Promise<Map<string, ChannelChat>> {
    return chatIds.length === 0 || !this.describing ? new Map() : this.describing(chatIds);
  }

  /** Somebody who may is typing in such a chat: whoever is at the other end may be shown it. Never throws. */
  typing(userId: string, chatId: string): void {
    this.showTyping?.(userId, chatId);
  }
}
