import { createECDH, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Web Push (RFC 8030) with VAPID (RFC 8292). Keys are base64url. */
export interface WebPushConfig {
  /** Whom a push service can reach about us: `mailto:` or `https:`. */
  subject: string;
  publicKey: string;
  privateKey: string;
  /** PEM of an authority that signs the certificate of a push service of one's own. */
  ca?: string;
  /** Whether a subscription may name an address in a private network. */
  allowPrivate: boolean;
}

/** FCM HTTP v1 with a service account. */
export interface FcmConfig {
  projectId: string;
  clientEmail: string;
  /** PEM. */
  privateKey: string;
  /** Without a slash at the end. */
  apiBase: string;
  tokenUrl: string;
}

export interface PushConfig {
  webpush?: WebPushConfig;
  fcm?: FcmConfig;
}

type Read = (name: string) => string | undefined;
type Refuse = (name: string, rule: string) => void;

const PUBLIC_KEY_BYTES = 65;
const PRIVATE_KEY_BYTES = 32;

export const PUSH_VARIABLES = [
  {
    name: 'VAPID_PUBLIC_KEY',
    description: 'Web Push: the public key, base64url; all three VAPID_ values or none (docs/push.md)',
  },
  { name: 'VAPID_PRIVATE_KEY', description: 'Web Push: the private key, base64url' },
  {
    name: 'VAPID_SUBJECT',
    description: 'Web Push: whom push services can reach, mailto:you@example.com or https:',
  },
  { name: 'VAPID_CA_FILE', description: 'Web Push: PEM file of the authority of a push service of your own' },
  {
    name: 'VAPID_ALLOW_PRIVATE',
    default: 'false',
    description: '`true` lets subscriptions name addresses of private networks',
  },
  { name: 'FCM_PROJECT_ID', description: 'FCM: project_id of the service account; all three or none' },
  { name: 'FCM_CLIENT_EMAIL', description: 'FCM: client_email of the service account' },
  {
    name: 'FCM_PRIVATE_KEY',
    description: 'FCM: private_key of the service account, its line breaks written as \\n',
  },
  {
    name: 'FCM_API_BASE',
    default: 'https://fcm.googleapis.com',
    description: 'FCM: where messages are sent',
  },
  {
    name: 'FCM_TOKEN_URL',
    default: 'https://oauth2.googleapis.com/token',
    description: 'FCM: where access tokens are fetched',
  },
];

/** Whether devices of this provider can be pushed to. `apns` never: apps for iOS register their FCM token as `fcm`. */
export function isPushConfigured(push: PushConfig, provider: 'webpush' | 'fcm' | 'apns'): boolean {
  return provider !== 'apns' && push[provider] !== undefined;
}

/** @param read gives a variable or its default; `refuse` collects what is wrong, without the value */
export function readPushConfig(read: Read, refuse: Refuse): PushConfig {
  const webpush = readWebPush(read, refuse);
  const fcm = readFcm(read, refuse);
  return { ...(webpush && { webpush }), ...(fcm && { fcm }) };
}

function readWebPush(read: Read, refuse: Refuse): WebPushConfig | undefined {
  const allowPrivate = read('VAPID_ALLOW_PRIVATE');
  if (allowPrivate !== 'true' && allowPrivate !== 'false') {
    refuse('VAPID_ALLOW_PRIVATE', 'must be true or false');
  }
  const ca = readCa(read('VAPID_CA_FILE'), refuse);
  const values = readTogether(
    {
      VAPID_PUBLIC_KEY: [isKeyOf(PUBLIC_KEY_BYTES), 'must be a P-256 public key, 65 bytes in base64url'],
      VAPID_PRIVATE_KEY: [isKeyOf(PRIVATE_KEY_BYTES), 'must be a P-256 private key, 32 bytes in base64url'],
      VAPID_SUBJECT: [
        (value) => /^(mailto:.+@.+|https:\/\/.+)$/.test(value),
        'must start with mailto: or https://',
      ],
    },
    read,
    refuse,
  );
  if (!values) return undefined;
  const publicKey = values.VAPID_PUBLIC_KEY.replace(/=+$/, '');
  const privateKey = values.VAPID_PRIVATE_KEY.replace(/=+$/, '');
  if (publicKeyOf(privateKey) !== publicKey) {
    refuse('VAPID_PRIVATE_KEY', 'must be the key that belongs to VAPID_PUBLIC_KEY');
  }
  const subject = values.VAPID_SUBJECT;
  return { subject, publicKey, privateKey, allowPrivate: allowPrivate === 'true', ...(ca && { ca }) };
}

function readFcm(read: Read, refuse: Refuse): FcmConfig | undefined {
  const apiBase = read('FCM_API_BASE') ?? '';
  const tokenUrl = read('FCM_TOKEN_URL') ?? '';
  for (const [name, value] of Object.entries({ FCM_API_BASE: apiBase, FCM_TOKEN_URL: tokenUrl })) {
    if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
      refuse(name, 'must be an address that starts with https:// or http://');
    }
  }
  const values = readTogether(
    {
      FCM_PROJECT_ID: [
        (value) => /^[a-z0-9.:-]+$/i.test(value),
        'must be the id of a Google Cloud project: letters, digits and hyphens',
      ],
      FCM_CLIENT_EMAIL: [
        (value) => /^[^\s@]+@[^\s@]+$/.test(value),
        'must be the e-mail address of a service account',
      ],
      FCM_PRIVATE_KEY: [isPrivateKey, 'must be a private key in PEM'],
    },
    read,
    refuse,
  );
  if (!values) return undefined;
  return {
    projectId: values.FCM_PROJECT_ID,
    clientEmail: values.FCM_CLIENT_EMAIL,
    privateKey: withLineBreaks(values.FCM_PRIVATE_KEY),
    apiBase: apiBase.replace(/\/$/, ''),
    tokenUrl,
  };
}

/** All of these variables or none: one without the others does nothing, which nobody means. */
function readTogether<Name extends string>(
  rules: Record<Name, [isGood: (value: string) => boolean, rule: string]>,
  read: Read,
  refuse: Refuse,
): Record<Name, string> | undefined {
  const names = Object.keys(rules) as Name[];
  const missing = names.filter((name) => read(name) === undefined);
  if (missing.length === names.length) return undefined;
  const bad = names.filter((name) => !missing.includes(name) && !rules[name][0](read(name) ?? ''));
  for (const name of bad) refuse(name, rules[name][1]);
  if (bad.length > 0) return undefined;
  for (const name of missing) refuse(name, `must be set together with ${names.join(', ')}`);
  if (missing.length > 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Record<Name, string>;
}

function isKeyOf(bytes: number): (value: string) => boolean {
  return (value) => /^[\w-]+=*$/.test(value) && Buffer.from(value, 'base64url').length === bytes;
}

function isPrivateKey(value: string): boolean {
  try {
    createPrivateKey(withLineBreaks(value));
    return true;
  } catch {
    return false;
  }
}

/** The file of a service account writes its key on one line. */
function withLineBreaks(pem: string): string {
  return pem.replaceAll('\\n', '\n');
}

function readCa(file: string | undefined, refuse: Refuse): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    refuse('VAPID_CA_FILE', 'must be a file that this user can read');
    return undefined;
  }
}

function publicKeyOf(privateKey: string): string | undefined {
  try {
    const pair = createECDH('prime256v1');
    pair.setPrivateKey(privateKey, 'base64url');
    return pair.getPublicKey('base64url');
  } catch {
    return undefined;
  }
}
