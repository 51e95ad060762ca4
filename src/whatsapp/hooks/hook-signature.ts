import { createHmac } from 'node:crypto';

export const SIGNATURE_HEADER = 'X-Parley-Signature';

/**
 * The header with which a tenant's system tells our deliveries from others': `t=<seconds>,v1=<hex>`, where `v1` is the
 * HMAC-SHA256 of `<seconds>.<body>` with its secret. Time is signed too, so that an old delivery cannot be played again
 * by somebody who has seen it.
 */
export function signHook(secret: string, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1000);
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${signature}`;
}
