import type { JWT } from 'google-auth-library';
import type { PushTarget } from '../../devices/devices.service.js';
import type { FcmConfig } from '../../infra/config/push-config.js';
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

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';

/** An error of the API (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode). */
interface FcmError {
  error?: {
    status?: string;
    message?: string;
    details?: { '@type'?: string; errorCode?: string; fieldViolations?: { field?: string }[] }[];
  };
}

/** Firebase Cloud Messaging, HTTP v1, for Android, iOS and the web. */
export class FcmProvider implements PushProvider {
  private account: Promise<JWT> | undefined;

  constructor(private readonly config: FcmConfig) {}

  async send(target: PushTarget, push: Push): Promise<PushOutcome> {
    if (target.provider !== 'fcm') throw new PushRefused(`${target.provider} is not FCM`);
    const response = await this.post({ message: toFcmMessage(target.token, push, Date.now()) });
    if (response.ok) {
      await response.body?.cancel();
      return 'sent';
    }
    const problem = (await response.json().catch(() => ({}))) as FcmError;
    const codes = (problem.error?.details ?? []).flatMap((detail) => detail.errorCode ?? []);
    if (codes.includes('UNREGISTERED') || blamesToken(response.status, problem)) return 'gone';
    const said = `FCM answered ${response.status} ${codes[0] ?? problem.error?.status ?? ''}`;
    if (response.status === 401) this.account = undefined;
    if (response.status === 401 || response.status === 429 || response.status >= 500) {
      throw new PushUnavailable(said, readRetryAfter(response.headers.get('retry-after'), Date.now()));
    }
    throw new PushRefused(said);
  }

  private async post(body: object): Promise<Response> {
    const { apiBase, projectId } = this.config;
    try {
      const account = await (this.account ??= this.signIn());
      const { token } = await account.getAccessToken();
      return await fetch(`${apiBase}/v1/projects/${projectId}/messages:send`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token ?? ''}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(PUSH_TIMEOUT_MS),
        redirect: 'error',
      });
    } catch (error) {
      throw new PushUnavailable('FCM cannot be reached', null, { cause: error });
    }
  }

  /** The account fetches an access token when it needs one, and keeps it until shortly before its end. */
  private async signIn(): Promise<JWT> {
    const { JWT: ServiceAccount } = await import('google-auth-library');
    const { clientEmail, privateKey, tokenUrl } = this.config;
    const account = new ServiceAccount({
      email: clientEmail,
      key: privateKey,
      scopes: [SCOPE],
      transporterOptions: { timeout: PUSH_TIMEOUT_MS },
    });
    // The library knows one address alone.
    account.transporter.interceptors.request.add({
      resolved: (request) => {
        if (request.url.href === GOOGLE_TOKEN_URL) request.url = new URL(tokenUrl);
        return Promise.resolve(request);
      },
    });
    return account;
  }
}

/** A token that never was one is refused as an invalid argument, as our own mistakes are. */
function blamesToken(status: number, { error }: FcmError): boolean {
  if (status !== 400) return false;
  const fields = (error?.details ?? []).flatMap((detail) => detail.fieldViolations ?? []);
  return (
    fields.some(({ field }) => field === 'message.token') ||
    /registration token is not a valid/i.test(error?.message ?? '')
  );
}

function toFcmMessage(token: string, { payload, topic }: Push, nowMs: number): object {
  const { title, body, chatId } = payload;
  const data = Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, String(value)]));
  const expiration = Math.floor(nowMs / 1000) + PUSH_TTL_SECONDS;
  return {
    token,
    notification: { title, body },
    data,
    android: {
      collapse_key: topic,
      priority: 'HIGH',
      ttl: `${PUSH_TTL_SECONDS}s`,
      notification: { tag: chatId },
    },
    apns: {
      headers: { 'apns-collapse-id': topic, 'apns-priority': '10', 'apns-expiration': String(expiration) },
      payload: { aps: { 'thread-id': chatId, sound: 'default' } },
    },
    webpush: { headers: { Topic: topic, TTL: String(PUSH_TTL_SECONDS), Urgency: 'high' } },
  };
}
