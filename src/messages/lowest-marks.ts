import { Injectable, type OnModuleInit } from '@nestjs/common';
import { MembersLeft } from '../chats/chats.events.js';
import { Clock } from '../common/clock.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Log } from '../infra/observability/log.js';
import { LowestMarksRepository } from './lowest-marks.repository.js';
import { LowestMarkMoved, MarksAdvanced, MessageCreated } from './messages.events.js';

/** Whatever moves within this time is told at once, in milliseconds. */
const COLLECT_MS = 40;
const MAX_BATCH = 200;

/**
 * Tells the authors of a GROUP how far everybody has come: a person's mark matters to them only when it was the lowest.
 *
 * Marks that move together are looked at together, and one statement is in flight at a time, so the cost follows time
 * and chats, not readers. A movement is told after its commit, and once, whatever instance saw it.
 */
@Injectable()
export class LowestMarks implements OnModuleInit {
  private waiting = new Set<string>();
  private telling = false;
  private timer: NodeJS.Timeout | undefined;
  private idle: (() => void)[] = [];

  constructor(
    private readonly repository: LowestMarksRepository,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.events.on(MarksAdvanced, ({ chatId, chatType }) => {
      if (chatType === 'GROUP') this.look(chatId);
    });
    // Sending moves the sender's own marks.
    this.events.on(MessageCreated, ({ message, chatType }) => {
      if (chatType === 'GROUP') this.look(message.chatId);
    });
    this.events.on(MembersLeft, ({ chatId }) => {
      this.look(chatId);
    });
  }

  /** Resolves once nothing waits to be told; what waits is told at once. */
  async drained(): Promise<void> {
    if (this.waiting.size === 0 && !this.telling) return;
    await new Promise<void>((resolve) => {
      this.idle.push(resolve);
      void this.tellAll();
    });
  }

  private look(chatId: string): void {
    this.waiting.add(chatId);
    if (this.telling) return;
    this.timer ??= setTimeout(() => {
      void this.tellAll();
    }, COLLECT_MS);
  }

  private async tellAll(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.telling) return;
    this.telling = true;
    const chatIds = [...this.waiting].slice(0, MAX_BATCH);
    for (const chatId of chatIds) this.waiting.delete(chatId);
    try {
      await this.tell(chatIds);
    } catch (error) {
      // The next movement of these chats tells of this one too.
      this.log.error({ err: error, chats: chatIds.length }, 'how far everybody has read could not be told');
    }
    this.telling = false;
    if (this.waiting.size === 0) for (const resolve of this.idle.splice(0)) resolve();
    else if (this.idle.length > 0) void this.tellAll();
    else {
      this.timer = setTimeout(() => {
        void this.tellAll();
      }, COLLECT_MS);
    }
  }

  private async tell(chatIds: readonly string[]): Promise<void> {
    const at = this.clock.now();
    for (const { chat_id, kind, up_to_seq, author_ids } of await this.repository.tell(chatIds)) {
      this.events.publish(new LowestMarkMoved(chat_id, kind, up_to_seq, author_ids, at));
    }
  }
}
