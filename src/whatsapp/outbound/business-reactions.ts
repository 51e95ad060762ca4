import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { messageId, type MessageAddress } from '../../common/ids.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { MessageReacted } from '../../messages/messages.events.js';
import { OutgoingReactionsRepository, type NewReaction, type PlacedRow } from './reactions.repository.js';
import { sendJob } from './send-jobs.js';
import { SendQueue } from './send-queue.js';

export type Reacted = { outcome: 'ACCEPTED' } | { outcome: 'KEY_USED'; address: MessageAddress };

/** The business's reactions to messages: it has one a message, whoever of its agents gave it. */
@Injectable()
export class BusinessReactions {
  constructor(
    private readonly repository: OutgoingReactionsRepository,
    private readonly events: EventBus,
    private readonly queue: SendQueue,
    private readonly clock: Clock,
  ) {}

  /**
   * Sets, or takes back with `emoji: null`, the reaction: shown to all at once, and told to Meta by the queue.
   *
   * @throws AppError MESSAGE_NOT_FOUND, UNPROCESSABLE for a message that Meta does not know (yet)
   */
  async react(reaction: Omit<NewReaction, 'isSent'>): Promise<Reacted> {
    const row = await this.place({ ...reaction, isSent: true });
    switch (row.outcome) {
      case 'NO_MESSAGE':
        throw new AppError('MESSAGE_NOT_FOUND');
      case 'NOT_SENT':
        throw new AppError('UNPROCESSABLE', { message: 'This message has not gone through WhatsApp yet.' });
      case 'KEY_USED':
        return { outcome: 'KEY_USED', address: { chatId: row.chat_id, seq: row.seq } };
      case 'PLACED':
        this.queue.add([sendJob('send', row.chat_id, `r${row.seq}.${row.rev ?? 0}`)]);
        return { outcome: 'ACCEPTED' };
      case 'SAME':
        return { outcome: 'ACCEPTED' };
    }
  }

  /** Meta has refused it: it goes again, and Meta is told nothing. */
  async takeBack(tenantId: string, address: MessageAddress, userId: string): Promise<void> {
    await this.place({ tenantId, address, userId, emoji: null, idempotencyKey: null, isSent: false });
  }

  private async place(reaction: NewReaction): Promise<PlacedRow> {
    const row = await this.repository.place(reaction, this.clock.now());
    if (row.outcome === 'PLACED') this.tell(reaction, row);
    return row;
  }

  private tell({ tenantId, userId, emoji }: NewReaction, row: PlacedRow): void {
    const { chat_id: chatId, seq, rev, agents_seq: agentsSeq } = row;
    const action = emoji === null ? 'removed' : 'added';
    this.events.publish(
      new MessageReacted(
        chatId,
        messageId(chatId, seq),
        rev ?? 0,
        userId,
        row.emoji ?? '',
        action,
        agentsSeq ?? 0,
        [],
        tenantId,
      ),
    );
  }
}
