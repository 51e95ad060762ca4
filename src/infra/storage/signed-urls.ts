import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Secrets } from '../config/secrets.js';

const DAY_MS = 24 * 3600 * 1000;
const SIGNATURE_BYTES = 18;

/**
 * Addresses of files that work without a header. One is signed for its reader, stays the same for a day so that
 * clients can cache it, and dies within 48 hours.
 */
/** Who an address in a packet for all members of a chat is signed for. */
export function chatReader(chatId: string): string {
  return `chat.${chatId}`;
}

@Injectable()
export class SignedUrls {
  constructor(
    private readonly secrets: Secrets,
    private readonly clock: Clock,
  ) {}

  /** A path on this server; `readerId` is the user, or the `chatReader`, it is made for. */
  sign(mediaId: string, readerId: string): string {
    const expiresDay = Math.floor(this.clock.nowMs() / DAY_MS) + 2;
    const signature = this.secrets.sign('media-url', payload(mediaId, readerId, expiresDay), SIGNATURE_BYTES);
    return `/api/media/${mediaId}?reader=${readerId}&expires=${expiresDay}&signature=${signature}`;
  }

  isValid(mediaId: string, readerId: string, expiresDay: number, signature: string): boolean {
    if (this.clock.nowMs() >= expiresDay * DAY_MS) return false;
    return this.secrets.isSignature(
      'media-url',
      payload(mediaId, readerId, expiresDay),
      signature,
      SIGNATURE_BYTES,
    );
  }
}

function payload(mediaId: string, readerId: string, expiresDay: number): string {
  return `${mediaId}\n${readerId}\n${expiresDay}`;
}
