import type { ErrorDetail } from '../common/errors.js';
import { isPrivateHost } from '../infra/http/private-hosts.js';
import type { RegisterPushDto, WebPushSubscriptionDto } from './devices.dto.js';
import type { PushRegistration } from './devices.repository.js';

/** Bytes of a P-256 point, and of the secret beside it (RFC 8291 §3). */
const P256DH_BYTES = 65;
const AUTH_BYTES = 16;

/** Why this cannot be where notifications go; empty if it can. */
export function findPushProblems(push: RegisterPushDto, allowPrivate: boolean): ErrorDetail[] {
  const { provider, subscription, token } = push;
  const isWebPush = provider === 'webpush';
  const problems: ErrorDetail[] = [];
  const expect = (field: string, isGiven: boolean, isNeeded: boolean): void => {
    if (isNeeded && !isGiven) problems.push({ field, message: `is needed with ${provider}` });
    if (isGiven && !isNeeded) problems.push({ field, message: `does not belong to ${provider}` });
  };
  expect('subscription', subscription !== undefined, isWebPush);
  expect('token', token !== undefined, !isWebPush);
  return subscription ? [...problems, ...problemsOf(subscription, allowPrivate)] : problems;
}

/** @param push one without problems */
export function registrationOf({ provider, subscription, token }: RegisterPushDto): PushRegistration {
  return subscription
    ? { provider, target: new URL(subscription.endpoint).href, keys: subscription.keys }
    : { provider, target: token ?? '', keys: null };
}

function problemsOf({ endpoint, keys }: WebPushSubscriptionDto, allowPrivate: boolean): ErrorDetail[] {
  const problems: ErrorDetail[] = [];
  const refuse = (field: string, message: string): void => {
    problems.push({ field: `subscription.${field}`, message });
  };
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '')
    refuse('endpoint', 'must be an https address');
  else if (!allowPrivate && isPrivateHost(url.hostname))
    refuse('endpoint', 'must not lead into a private network');
  if (!isKey(keys.p256dh, P256DH_BYTES)) refuse('keys.p256dh', `must be ${P256DH_BYTES} bytes in base64url`);
  if (!isKey(keys.auth, AUTH_BYTES)) refuse('keys.auth', `must be ${AUTH_BYTES} bytes in base64url`);
  return problems;
}

/** Browsers write the keys of a subscription in base64url; some libraries in base64. */
function isKey(text: string, bytes: number): boolean {
  return /^[\w+/-]+={0,2}$/.test(text) && Buffer.from(text, 'base64url').length === bytes;
}
