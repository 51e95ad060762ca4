import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';

const HEADER = /^sha256=([0-9a-f]{64})$/i;

/** Meta's signatures of webhook bodies: HMAC-SHA-256 of the bytes as they came, with the secret of the app. */
export class WebhookSignature {
  private readonly keys: readonly KeyObject[];

  /** @param secrets any of them may have signed, so that one can be replaced without a gap */
  constructor(secrets: readonly string[]) {
    this.keys = secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  }

  get hasSecrets(): boolean {
    return this.keys.length > 0;
  }

  /** Takes as long for a wrong signature as for a right one. @param header the value of `X-Hub-Signature-256` */
  fits(body: Buffer, header: string | undefined): boolean {
    const given = Buffer.from(HEADER.exec(header ?? '')?.[1] ?? '', 'hex');
    let fits = false;
    for (const key of this.keys) {
      const expected = createHmac('sha256', key).update(body).digest();
      if (given.length === expected.length && timingSafeEqual(given, expected)) fits = true;
    }
    return fits;
  }

  /** What Meta would send along with this body. */
  static of(body: Buffer, secret: string): string {
    return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  }
}
