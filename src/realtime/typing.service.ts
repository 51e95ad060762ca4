import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { ChannelChats } from '../chats/channel-chats.js';
import { ChatsService } from '../chats/chats.service.js';

/** Typing that is not repeated within this time is over. */
const EXPIRES_MS = 6_000;

interface Typing {
  userId: string;
  chatId: string;
  audienceId: string;
}

type Announce = (typing: Typing, isTyping: boolean) => void;

/** Who is typing where, as told by the sockets of this instance. */
@Injectable()
export class TypingService {
  private readonly cancels = new Map<string, () => void>();
  /** What each socket has said, so that its end ends it. */
  private readonly bySocket = new Map<string, Map<string, Typing>>();
  private announce: Announce = () => undefined;

  constructor(
    private readonly chats: ChatsService,
    private readonly channelChats: ChannelChats,
    private readonly clock: Clock,
  ) {}

  /** Registers who tells the people that have the chat open. */
  onChange(announce: Announce): void {
    this.announce = announce;
  }

  /** @throws AppError CHAT_NOT_FOUND, BLOCKED */
  async report(socketId: string, userId: string, chatId: string, isTyping: boolean): Promise<void> {
    const { chatType, audienceId } = await this.chats.requireLiveAccess(userId, chatId);
    const typing = { userId, chatId, audienceId };
    if (isTyping) this.start(socketId, typing);
    else this.stop(socketId, typing);
    if (isTyping && chatType === 'WHATSAPP') this.channelChats.typing(userId, chatId);
  }

  socketClosed(socketId: string): void {
    const chats = this.bySocket.get(socketId);
    if (!chats) return;
    for (const typing of [...chats.values()]) this.stop(socketId, typing);
  }

  private start(socketId: string, typing: Typing): void {
    const { chatId } = typing;
    const key = keyOf(socketId, chatId);
    this.cancels.get(key)?.();
    this.cancels.set(
      key,
      this.clock.after(EXPIRES_MS, () => {
        this.stop(socketId, typing);
      }),
    );
    const chats = this.bySocket.get(socketId) ?? new Map<string, Typing>();
    chats.set(chatId, typing);
    this.bySocket.set(socketId, chats);
    this.announce(typing, true);
  }

  private stop(socketId: string, typing: Typing): void {
    const { chatId } = typing;
    const key = keyOf(socketId, chatId);
    this.cancels.get(key)?.();
    this.cancels.delete(key);
    const chats = this.bySocket.get(socketId);
    chats?.delete(chatId);
    if (chats?.size === 0) this.bySocket.delete(socketId);
    this.announce(typing, false);
  }
}

function keyOf(socketId: string, chatId: string): string {
  return `${socketId}:${chatId}`;
}
