import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { messageId } from '../../common/ids.js';
import type { MessageType } from '../../chats/message.dto.js';
import { ChatUpdated } from '../../chats/chats.events.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { isNotReady } from '../../infra/http/to-app-error.js';
import { Log } from '../../infra/observability/log.js';
import { JobQueues } from '../../infra/queue/job-queues.js';
import { MessageCreated } from '../../messages/messages.events.js';
import { FlowsService } from '../flows/flows.service.js';
import { BotAnswers } from './bot-answers.js';
import { BotDecisions } from './bot-decisions.js';
import { pass } from './bot-points.js';
import {
  BotRepository,
  type AnswerLimits,
  type AnswerRow,
  type CommittedRow,
  type DecisionRow,
  type WaitingRow,
} from './bot.repository.js';

/** Older messages are not answered, by Meta's clock, in milliseconds. */
export const ANSWERED_WITHIN_MS = 3_600_000;
/** What was lost with a process is looked for this often, in milliseconds. */
export const SWEEP_MS = 30_000;
/** More answers than a person asks for: whoever gets these is a machine, and answers ours. */
export const ANSWER_LIMITS: AnswerLimits = {
  short_ms: 600_000,
  short_max: 30,
  long_ms: 86_400_000,
  long_max: 200,
};
const MAX_CHATS = 200;
const UNANSWERED: readonly MessageType[] = ['SYSTEM'];

/**
 * Answers customers by itself: each message once at most, those of one conversation in their order.
 *
 * A message waits in its row (`bot_pending`). One statement commits all that follows from it: it waits no longer, the
 * conversation's state and a hand-off, and the answer as a row that is kept until it is accepted for sending. So a crash
 * at any point repeats nothing and loses nothing; a sweep finds what no process is at work on. Whoever else decides on
 * the same conversation meanwhile makes a decision stale, and it is made anew.
 */
@Injectable()
export class BotService implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private fresh = new Set<string>();
  private isWorking = false;
  private working: Promise<void> | undefined;
  private cancelSweep: (() => void) | undefined;
  private sweeping: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly repository: BotRepository,
    private readonly decisions: BotDecisions,
    private readonly answers: BotAnswers,
    private readonly flows: FlowsService,
    private readonly events: EventBus,
    private readonly queues: JobQueues,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.events.on(MessageCreated, ({ message }) => {
      if (message.whatsapp?.direction === 'IN') this.wake(message.chatId);
    });
  }

  /** What a process that died has left is taken up at once. */
  onApplicationBootstrap(): void {
    if (!this.queues.works) return;
    this.sweepOnce();
    this.cancelSweep = this.clock.every(SWEEP_MS, () => {
      this.sweepOnce();
    });
  }

  /** What waits stays in its row for who comes next. */
  async beforeApplicationShutdown(): Promise<void> {
    this.cancelSweep?.();
    this.stopped = true;
    await Promise.all([this.working, this.sweeping]);
  }

  private wake(chatId: string): void {
    if (this.stopped) return;
    this.fresh.add(chatId);
    if (!this.isWorking) this.working = this.work();
  }

  private async work(): Promise<void> {
    this.isWorking = true;
    // What comes in the same turn of the event loop shares the first round.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.fresh.size > 0 && !this.stopped) {
      const chatIds = [...this.fresh].slice(0, MAX_CHATS);
      for (const chatId of chatIds) this.fresh.delete(chatId);
      try {
        await this.round(chatIds);
      } catch (error) {
        this.log.error({ err: error }, 'the bot could not look at some messages');
      }
    }
    this.isWorking = false;
  }

  /** Looks at the first message that waits in each of these conversations; those with more come again. */
  private async round(chatIds: readonly string[]): Promise<void> {
    pass('woken');
    const waiting = await this.repository.listFirstWaiting(chatIds);
    if (waiting.length === 0) return;
    const rows = await Promise.all(waiting.map((message) => this.decideAnyhow(message)));
    const committed = await this.repository.commit(rows, ANSWER_LIMITS, this.clock.now());
    const answers: AnswerRow[] = [];
    for (const row of committed) {
      const { chat_id, seq, tenant_id } = row;
      const decision = rows[row.ord - 1];
      if (row.handed_off) this.events.publish(new ChatUpdated(chat_id, row.agents_seq, tenant_id));
      if (row.outcome === 'LIMITED')
        this.log.warn({ chatId: chat_id, seq }, 'the bot has answered this customer too often');
      if (row.outcome === 'DECIDED' && decision?.answer) {
        const { idempotency_key, answer: message } = decision;
        answers.push({ chat_id, seq, tenant_id, idempotency_key, message });
      }
    }
    pass('decided');
    await this.answers.handOver(answers);
    for (const row of committed) if (isToComeAgain(row)) this.fresh.add(row.chat_id);
    // Whoever looked meanwhile has left what came after them.
    for (const { chat_id: chatId } of answers) this.fresh.add(chatId);
  }

  /** One that cannot be decided on is not answered: it would come again for ever, and hold up the others. */
  private async decideAnyhow(message: WaitingRow): Promise<DecisionRow> {
    const { chat_id, seq, state, wamid } = message;
    const nothing: DecisionRow = {
      chat_id,
      seq,
      state,
      next_state: state,
      hand_off: false,
      answer: null,
      idempotency_key: `auto-reply:${wamid ?? messageId(chat_id, seq)}`,
    };
    try {
      return this.isToBeAnswered(message) ? { ...nothing, ...(await this.decide(message)) } : nothing;
    } catch (error) {
      if (isNotReady(error)) throw error;
      this.log.error({ err: error, chatId: chat_id, seq }, 'the bot could not decide on a message');
      return nothing;
    }
  }

  private async decide(
    message: WaitingRow,
  ): Promise<Pick<DecisionRow, 'next_state' | 'hand_off' | 'answer'>> {
    const { chat_id: chatId, seq, state } = message;
    const owner = { id: message.tenant_id, name: message.tenant_name, autoReply: message.auto_reply };
    const flows = await this.flows.compiledOf(owner.id, message.flows_version);
    const input = { text: message.text, buttonId: message.button_id, state };
    const decision = await this.decisions.decide(owner, flows, input);
    if (decision.problems.length > 0)
      this.log.warn({ tenantId: owner.id, chatId, seq, problems: decision.problems }, 'a rule failed');
    return { next_state: decision.state, hand_off: decision.handsOff, answer: decision.answer };
  }

  private isToBeAnswered(message: WaitingRow): boolean {
    if (message.is_void || message.is_closed || UNANSWERED.includes(message.type)) return false;
    const saidAt = message.sent_at ?? message.created_at;
    return this.clock.nowMs() - saidAt.getTime() < ANSWERED_WITHIN_MS;
  }

  private sweepOnce(): void {
    this.sweeping ??= this.sweep()
      .catch((error: unknown) => {
        this.log.error({ err: error }, 'what waits for the bot could not be found out');
      })
      .finally(() => {
        this.sweeping = undefined;
      });
  }

  private async sweep(): Promise<void> {
    await this.answers.sweep();
    let page: string[] = [];
    do {
      page = await this.repository.listWaitingChats(page.at(-1) ?? null, MAX_CHATS);
      for (const chatId of page) this.wake(chatId);
    } while (page.length === MAX_CHATS && !this.stopped);
  }
}

function isToComeAgain(row: CommittedRow): boolean {
  return row.outcome === 'STALE' || row.more;
}
