import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { Clock } from '../common/clock.js';
import { isNotReady } from '../infra/http/to-app-error.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import { MessagesRepository, type SendRow, type SentRow } from './messages.repository.js';
import { searchTermsOf } from './search-terms.js';
import type { MessageType } from '../chats/message.dto.js';

/** One send, checked at the edge. */
export interface SendInput {
  chatId: string;
  senderId: string;
  /** The client's own id of this send, at most 64 code points. */
  clientId: string | null;
  type: MessageType;
  text: string | null;
  mediaId: string | null;
  replyToSeq: number | null;
  mentions: readonly string[];
  forwarded: boolean;
}

export interface Written {
  row: SentRow;
  at: Date;
  /**
   * It was tried more than once: a `REPEATED` may then be this very send, committed by the attempt whose answer was
   * lost, of which nobody has been told.
   */
  retried: boolean;
}

interface Pending {
  row: SendRow;
  resolve: (written: Written) => void;
  reject: (error: unknown) => void;
}

/** Statements in flight, beyond the one that is enough while nothing is stuck. */
const MAX_IN_FLIGHT = 4;
/** A statement that takes longer, in milliseconds, waits for somebody's lock: the other chats go on without it. */
const STUCK_AFTER_MS = 25;
const MAX_BATCH = 256;
/** UTF-16 units of text in one call: what it commits is told in one turn, and must not look like too much to read. */
const MAX_BATCH_TEXT = 64 * 1024;
/** Sends that may wait; beyond it the database does not keep up, and waiting longer helps nobody. */
const MAX_WAITING = 20_000;

/**
 * The one writer of messages. While one statement commits, sends collect for the next: larger batches cost less than
 * more of them at once.
 *
 * Invariants: a chat is never in two calls at once, and sends of a chat leave in the order they came, so `seq`
 * follows arrival. Every send has a key unique to it, so a batch may be run again after a lost connection without
 * storing anything twice. A promise resolves only after the commit.
 */
@Injectable()
export class MessageWriter {
  private waiting: Pending[] = [];
  private readonly busyChats = new Set<string>();
  private inFlight = 0;
  private scheduled = false;
  private lastStartAt = 0;
  private stuckTimer: NodeJS.Timeout | undefined;
  private idle: (() => void)[] = [];

  constructor(
    private readonly repository: MessagesRepository,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  /** @throws AppError NOT_READY when too many sends wait */
  async write(input: SendInput): Promise<Written> {
    if (this.waiting.length >= MAX_WAITING) throw new AppError('NOT_READY', { retryAfterMs: 1000 });
    return new Promise((resolve, reject) => {
      this.waiting.push({ row: toSendRow(input), resolve, reject });
      this.schedule();
    });
  }

  /**
   * Writes several sends in a statement of their own, all of them or none: when one is refused, the others' outcome is
   * NOT_ALL. Nothing is retried, so a lost connection is the caller's to report.
   */
  async writeAll(inputs: readonly SendInput[]): Promise<Written[]> {
    const at = this.clock.now();
    const rows = await this.repository.sendBatch(inputs.map(toSendRow), at, true);
    return rows.map((row) => ({ row, at, retried: false }));
  }

  /** Resolves once nothing waits and nothing is in flight. */
  async drained(): Promise<void> {
    if (this.waiting.length === 0 && this.inFlight === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Sends that arrive in one turn of the event loop share a statement. */
  private schedule(): void {
    if (this.inFlight > 0) this.watchForStuck();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.startBatch();
      });
    }
  }

  private startBatch(): void {
    if (this.mayStart()) {
      const batch = this.takeBatch();
      if (batch.length > 0) {
        this.inFlight++;
        this.lastStartAt = performance.now();
        void this.run(batch);
      }
    }
    if (this.waiting.length > 0) this.watchForStuck();
    else if (this.inFlight === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private mayStart(): boolean {
    if (this.inFlight === 0) return true;
    return this.inFlight < MAX_IN_FLIGHT && performance.now() - this.lastStartAt >= STUCK_AFTER_MS;
  }

  private watchForStuck(): void {
    this.stuckTimer ??= setTimeout(() => {
      this.stuckTimer = undefined;
      this.startBatch();
    }, STUCK_AFTER_MS);
  }

  private takeBatch(): Pending[] {
    const batch: Pending[] = [];
    const rest: Pending[] = [];
    let text = 0;
    for (const pending of this.waiting) {
      // What does not fit ends the batch: nothing of its chat may overtake it.
      const isFull = batch.length >= MAX_BATCH || text >= MAX_BATCH_TEXT;
      if (isFull || this.busyChats.has(pending.row.chat_id)) {
        rest.push(pending);
        continue;
      }
      batch.push(pending);
      text += pending.row.text?.length ?? 0;
    }
    this.waiting = rest;
    for (const { row } of batch) this.busyChats.add(row.chat_id);
    return batch;
  }

  private async run(batch: Pending[]): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.commit(batch);
    } catch (error) {
      await this.runOneByOne(batch, error);
    }
    this.metrics.messageCommit.observe((performance.now() - startedAt) / 1000);
    this.metrics.messageBatch.observe(batch.length);
    for (const { row } of batch) this.busyChats.delete(row.chat_id);
    this.inFlight--;
    this.schedule();
  }

  private async commit(batch: readonly Pending[], retried = false): Promise<void> {
    const at = this.clock.now();
    const sent = await this.repository.sendBatch(
      batch.map((pending) => pending.row),
      at,
    );
    for (const row of sent) batch[row.ord - 1]?.resolve({ row, at, retried });
  }

  /**
   * One bad input must not harm the others; the keys make it safe to send those again that were stored. Without a
   * database there is no use in trying each.
   */
  private async runOneByOne(batch: readonly Pending[], batchError: unknown): Promise<void> {
    this.log.warn({ err: batchError, size: batch.length }, 'a batch of sends failed: trying each alone');
    let unavailable: unknown;
    for (const pending of batch) {
      if (unavailable !== undefined) {
        pending.reject(unavailable);
        continue;
      }
      try {
        await this.commit([pending], true);
      } catch (error) {
        pending.reject(error);
        if (isNotReady(error)) unavailable = error;
      }
    }
  }
}

function toSendRow(input: SendInput): SendRow {
  return {
    chat_id: input.chatId,
    sender_id: input.senderId,
    key: input.clientId === null ? `s:${randomUUID()}` : `c:${input.clientId}`,
    type: input.type,
    text: input.text ?? undefined,
    terms: input.text === null ? undefined : (searchTermsOf(input.text) ?? undefined),
    media_id: input.mediaId ?? undefined,
    reply_to_seq: input.replyToSeq ?? undefined,
    mentions: input.mentions.length > 0 ? input.mentions : undefined,
    forwarded: input.forwarded || undefined,
  };
}
