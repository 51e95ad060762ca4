import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Batches } from '../../common/batches.js';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { isNotReady } from '../../infra/http/to-app-error.js';
import { WebhookEventsRepository, type NewEventRow } from './webhook-events.repository.js';
import { WebhookMetrics } from './webhook-metrics.js';
import { WebhookProcessor } from './webhook-processor.js';
import { CLAIM_MS, WebhookSweep } from './webhook-sweep.js';

/** Spaced so that a busy server commits less often; what is committed together is also written and told together. */
const BATCH = { maxSize: 256, maxWaiting: 10_000, spacingMs: 25 };
/** Bodies that wait to be committed, in bytes; what comes beyond it is refused, and Meta sends it again. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/**
 * Committed bodies that are being applied, in bytes: what can be done well before the claim on it ends. What comes beyond
 * it is read from the database later.
 */
const MAX_APPLYING_BYTES = 8 * 1024 * 1024;

/**
 * Takes webhooks in: a body is committed as it came before anybody is told that it was, and is applied right after,
 * from memory. Bodies that arrive while others commit share the next statement.
 */
@Injectable()
export class WebhookInbox {
  private readonly batches: Batches<NewEventRow, bigint>;
  private waitingBytes = 0;
  private applyingBytes = 0;

  constructor(
    private readonly events: WebhookEventsRepository,
    private readonly processor: WebhookProcessor,
    private readonly sweep: WebhookSweep,
    private readonly metrics: WebhookMetrics,
    private readonly clock: Clock,
  ) {
    this.batches = new Batches(async (rows) => this.events.insertAll(rows), {
      ...BATCH,
      onFull: () => new AppError('NOT_READY', { retryAfterMs: 1000 }),
      isHopeless: isNotReady,
    });
  }

  /**
   * Resolves when the body is committed; it is applied afterwards.
   *
   * @param bytes as they came
   * @param body the same, parsed: a JSON object
   * @throws AppError NOT_READY when too much waits or the database is away
   */
  async take(bytes: Buffer, body: object): Promise<void> {
    const size = bytes.length;
    if (this.waitingBytes + size > MAX_WAITING_BYTES) {
      throw new AppError('NOT_READY', { retryAfterMs: 1000 });
    }
    const receivedAt = this.clock.now();
    const isHeld = this.applyingBytes + size <= MAX_APPLYING_BYTES;
    const claimedUntil = isHeld ? new Date(receivedAt.getTime() + CLAIM_MS) : null;
    this.waitingBytes += size;
    if (isHeld) this.applyingBytes += size;
    let id: bigint;
    try {
      id = await this.batches.add({ body: bytes, receivedAt, claimedUntil });
    } catch (error) {
      if (isHeld) this.applyingBytes -= size;
      throw error;
    } finally {
      this.waitingBytes -= size;
    }
    this.metrics.received.inc();
    if (isHeld) {
      void this.processor.process({ id, body, source: 'meta', receivedAt, isRepeated: false }).then(() => {
        this.applyingBytes -= size;
      });
    } else this.sweep.wake();
  }

  /** Takes a sample in, unless the same was before, and resolves when it is applied. Returns whether it is new. */
  async takeSample(bytes: Buffer, body: object): Promise<boolean> {
    const receivedAt = this.clock.now();
    const digest = createHash('sha256').update(bytes).digest('hex');
    const claimedUntil = new Date(receivedAt.getTime() + CLAIM_MS);
    const id = await this.events.insertSample(bytes, digest, receivedAt, claimedUntil);
    if (id === null) return false;
    this.metrics.received.inc();
    await this.processor.process({ id, body, source: 'sample', receivedAt, isRepeated: false });
    return true;
  }
}
