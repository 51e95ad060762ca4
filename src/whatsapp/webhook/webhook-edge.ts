import { Inject, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../common/errors.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { WebhookInbox } from './webhook-inbox.js';
import { WebhookSignature } from './webhook-signature.js';

/** The largest body that Meta sends, in bytes. */
export const MAX_WEBHOOK_BYTES = 3 * 1024 * 1024;

/** Of every body: as much as any other route takes before it knows who is asking. */
const UNCOUNTED_BYTES = 256 * 1024;
/** What all larger bodies that are under way may take; what comes beyond it is refused, and Meta sends it again. */
const MAX_READING_BYTES = 64 * 1024 * 1024;
/** How long a body may be under way, in milliseconds. */
const BODY_TIMEOUT_MS = 20_000;

/** The door for Meta's deliveries: reads the bytes as they come, and lets in what is signed. */
@Injectable()
export class WebhookEdge {
  private readonly signature: WebhookSignature;
  /** Whether bodies need no signature: outside production, as long as no secret is set. */
  private readonly isOpen: boolean;
  /** Of bodies that are under way, as far as they are counted. */
  private readingBytes = 0;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly inbox: WebhookInbox,
  ) {
    this.signature = new WebhookSignature(config.whatsapp.appSecrets);
    this.isOpen = !this.signature.hasSecrets && !config.production;
  }

  /**
   * Resolves when the body of a request, which nobody has read yet, is committed.
   *
   * @throws AppError SIGNATURE_INVALID, MALFORMED_JSON, VALIDATION_FAILED, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE,
   *   NOT_READY
   */
  async receive(request: Request): Promise<void> {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') throw new AppError('UNSUPPORTED_MEDIA_TYPE');
    const bytes = await this.read(request);
    const signature = request.get('x-hub-signature-256');
    if (!this.isOpen && !this.signature.fits(bytes, signature)) throw new AppError('SIGNATURE_INVALID');
    await this.inbox.take(bytes, parseObject(bytes));
  }

  /** Who sends it is not known before its end: so nobody may make many large ones wait, nor one wait for long. */
  private async read(request: Request): Promise<Buffer> {
    if (Number(request.headers['content-length'] ?? 0) > MAX_WEBHOOK_BYTES) {
      throw new AppError('PAYLOAD_TOO_LARGE');
    }
    // Nothing would come any more.
    if (request.readableEnded)
      throw new AppError('VALIDATION_FAILED', { message: 'The body was read already.' });
    const bytes = new Bytes();
    let counted = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(new AppError('VALIDATION_FAILED', { message: 'The body came too slowly.' }));
        }, BODY_TIMEOUT_MS);
        request.on('data', (part: Buffer) => {
          if (bytes.size + part.length > MAX_WEBHOOK_BYTES) reject(new AppError('PAYLOAD_TOO_LARGE'));
          else {
            const more = bytes.add(part);
            if (bytes.size <= UNCOUNTED_BYTES) return;
            counted += more;
            this.readingBytes += more;
            if (this.readingBytes > MAX_READING_BYTES)
              reject(new AppError('NOT_READY', { retryAfterMs: 1000 }));
          }
        });
        request.once('end', resolve);
        // Cut off before its end.
        request.once('error', () => {
          reject(new AppError('VALIDATION_FAILED', { message: 'The body ended too early.' }));
        });
      });
      return bytes.take();
    } catch (error) {
      request.removeAllListeners('data');
      request.resume();
      throw error;
    } finally {
      clearTimeout(timer);
      this.readingBytes -= counted;
    }
  }
}

/** @throws AppError MALFORMED_JSON, VALIDATION_FAILED for what is no object */
export function parseObject(bytes: Buffer): object {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString());
  } catch {
    throw new AppError('MALFORMED_JSON');
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new AppError('VALIDATION_FAILED', { message: 'The body must be a JSON object.' });
}

/** What has come of a body. It grows with that alone: what a stranger announces, and into how many parts they cut, costs nothing. */
class Bytes {
  size = 0;
  private whole: Buffer = Buffer.alloc(0);

  /** @returns how much memory it takes more than before, in bytes */
  add(part: Buffer): number {
    const before = this.whole.length;
    const size = this.size + part.length;
    // Most bodies come in one part, which is not copied.
    if (this.size === 0) this.whole = part;
    else {
      if (size > before) {
        const larger = Buffer.allocUnsafe(Math.min(MAX_WEBHOOK_BYTES, Math.max(size, 2 * before)));
        this.whole.copy(larger, 0, 0, this.size);
        this.whole = larger;
      }
      part.copy(this.whole, this.size);
    }
    this.size = size;
    return this.whole.length - before;
  }

  take(): Buffer {
    return this.whole.subarray(0, this.size);
  }
}
