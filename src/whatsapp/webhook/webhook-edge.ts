import { Inject, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../common/errors.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { WebhookInbox } from './webhook-inbox.js';
import { WebhookSignature } from './webhook-signature.js';

/** The largest body that Meta sends, in bytes. */
export const MAX_WEBHOOK_BYTES = 3 * 1024 * 1024;

/** The door for Meta's deliveries: reads the bytes as they come, and lets in what is signed. */
@Injectable()
export class WebhookEdge {
  private readonly signature: WebhookSignature;
  /** Whether bodies need no signature: outside production, as long as no secret is set. */
  private readonly isOpen: boolean;

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
    const bytes = await readBody(request);
    const signature = request.get('x-hub-signature-256');
    if (!this.isOpen && !this.signature.fits(bytes, signature)) throw new AppError('SIGNATURE_INVALID');
    await this.inbox.take(bytes, parseObject(bytes));
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

async function readBody(request: Request): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_WEBHOOK_BYTES) {
    throw new AppError('PAYLOAD_TOO_LARGE');
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_WEBHOOK_BYTES) {
        request.removeAllListeners('data');
        request.resume();
        reject(new AppError('PAYLOAD_TOO_LARGE'));
      } else chunks.push(chunk);
    });
    request.once('end', () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only ? only : Buffer.concat(chunks));
    });
    // Cut off before its end.
    request.once('error', () => {
      reject(new AppError('VALIDATION_FAILED', { message: 'The body ended too early.' }));
    });
  });
}
