import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { ChatsService } from '../chats/chats.service.js';

/** Typing that is not repeated within this time is over. */
const EXPIRES_MS = 6_000;

type Announce = (chatId: string, userId: string, isTyping: boolean) => void;

/** Who is typing where, as told by the sockets of this instance. */
@Injectable()
export class TypingService {
  private readonly cancels = new Map<string, () => void>();
  /** What each socket has said, so that its end ends it. */
  private readonly bySocket = new Map<string, Map<string, string>>();
  private announce: Announce = () => undefined;

  constructor(
    private readonly chats: ChatsService,
    private readonly clock: Clock,
  ) {}

  /** Registers who tells the people that have the chat open. */
  onChange(announce: Announce): void {
    this.announce = announce;
  }

  /** @throws AppError CHAT_NOT_FOUND, BLOCKED */
  async report(socketId: string, userId: string, chatId: string, isTyping: boolean): Promise<void> {
    await this.chats.requireLiveAccess(userId, chatId);
    if (isTyping) this.start(socketId, userId, chatId);
    else this.stop(socketId, userId, chatId);
  }

  socketClosed(socketId: string): void {
    const chats = this.bySocket.get(socketId);
    if (!chats) return;
    for (const [chatId, userId] of [...chats]) this.stop(socketId, userId, chatId);
  }

  private start(socketId: string, userId: string, chatId: string): void {
    const key = keyOf(socketId, chatId);
    this.cancels.get(key)?.();
    this.cancels.set(
      key,
      this.clock.after(EXPIRES_MS, () => {
        this.stop(socketId, userId, chatId);
      }),
    );
    const chats = this.bySocket.get(socketId) ?? new Map<string, string>();
    chats.set(chatId, userId);
    this.bySocket.set(socketId, chats);
    this.announce(chatId, userId, true);
  }

  private stop(socketId: string, userId: string, chatId: string): void {
    const key = keyOf(socketId, chatId);
    this.cancels.get(key)?.();
    this.cancels.delete(key);
    const chats = this.bySocket.get(socketId);
    chats?.delete(chatId);
    if (chats?.size === 0) this.bySocket.delete(socketId);
    this.announce(chatId, userId, false);
  }
}

function keyOf(socketId: string, chatId: string): string {
  return `${socketId}:${chatId}`;
}
