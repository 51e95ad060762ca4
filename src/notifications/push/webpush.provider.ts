import { lookup as lookUp } from 'node:dns';
import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { PushTarget } from '../../devices/devices.service.js';
import type { WebPushConfig } from '../../infra/config/push-config.js';
import { isPrivateHost } from '../../infra/http/private-hosts.js';
import { publicOnly } from '../../infra/http/public-lookup.js';
import {
  PUSH_TIMEOUT_MS,
  PUSH_TTL_SECONDS,
  PushRefused,
  PushUnavailable,
  readRetryAfter,
  type Push,
  type PushOutcome,
  type PushProvider,
} from './push-provider.js';

/** To one person's devices: endpoints that take their time must not hold up everybody else's. */
const AT_ONCE_PER_PERSON = 2;
/** When one that had to wait for them is tried again, in milliseconds. */
const BUSY_RETRY_MS = 1_000;

/**
 * Web Push: RFC 8030, encrypted for the browser by RFC 8291, signed by RFC 8292 (VAPID).
 *
 * The address was chosen by a client, so this may connect to any public host, and to no other: names are looked at
 * after they are resolved, redirects are not followed, and the answer's body is not read.
 */
export class WebPushProvider implements PushProvider {
  private readonly agent: Agent;
  /** How many pushes to each person's devices are under way. */
  private readonly underWay = new Map<string, number>();

  constructor(private readonly config: WebPushConfig) {
    this.agent = new Agent({
      keepAlive: true,
      maxSockets: 50,
      ...(config.ca !== undefined && { ca: config.ca }),
      ...(!config.allowPrivate && { lookup: publicOnly(lookUp) }),
    });
  }

  async send(target: PushTarget, push: Push): Promise<PushOutcome> {
    const { userId } = target;
    const underWay = this.underWay.get(userId) ?? 0;
    if (underWay >= AT_ONCE_PER_PERSON) {
      throw new PushUnavailable('other devices of the person are being told', BUSY_RETRY_MS);
    }
    this.underWay.set(userId, underWay + 1);
    try {
      return await this.sendNow(target, push);
    } finally {
      const left = (this.underWay.get(userId) ?? 1) - 1;
      if (left > 0) this.underWay.set(userId, left);
      else this.underWay.delete(userId);
    }
  }

  private async sendNow(target: PushTarget, push: Push): Promise<PushOutcome> {
    if (target.provider !== 'webpush') throw new PushRefused(`${target.provider} is not Web Push`);
    const { default: webpush } = await import('web-push');
    const { subject, publicKey, privateKey } = this.config;
    const details = webpush.generateRequestDetails(target.subscription, JSON.stringify(push.payload), {
      vapidDetails: { subject, publicKey, privateKey },
      TTL: PUSH_TTL_SECONDS,
      urgency: 'high',
      topic: push.topic,
      contentEncoding: 'aes128gcm',
    });
    const url = new URL(details.endpoint);
    if (!this.config.allowPrivate && isPrivateHost(url.hostname)) {
      throw new PushRefused('the subscription leads into a private network');
    }
    const { status, headers } = await this.post(url, details.headers, details.body);
    if (status >= 200 && status < 300) return 'sent';
    // A 403 may be our own fault, a wrong key or clock, which must not cost anybody their subscription.
    if (status === 404 || status === 410) return 'gone';
    const said = `the push service answered ${status}`;
    if (status === 429 || status >= 500) {
      throw new PushUnavailable(said, readRetryAfter(headers['retry-after'], Date.now()));
    }
    throw new PushRefused(said);
  }

  private post(
    url: URL,
    headers: Record<string, string>,
    body: Buffer | null,
  ): Promise<{ status: number; headers: IncomingHttpHeaders }> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(PUSH_TIMEOUT_MS);
      const sent = request(url, { method: 'POST', headers, agent: this.agent, signal }, (response) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
        // Until the signal: the body is of no interest, and its end leaves the connection usable.
        response.once('error', () => undefined).resume();
      });
      sent.once('error', (error: NodeJS.ErrnoException) => {
        reject(new PushUnavailable(`the push service cannot be reached: ${error.code ?? error.name}`, null));
      });
      sent.end(body ?? undefined);
    });
  }
}
