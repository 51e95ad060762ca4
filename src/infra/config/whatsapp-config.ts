/** The WhatsApp channel. */
export interface WhatsappConfig {
  /** Secrets of Meta's apps, the present one first; without one, webhooks are accepted only outside production. */
  appSecrets: readonly string[];
  verifyToken?: string;
  /** Without a slash at the end. */
  apiBase: string;
  /** Such as `v26.0`. */
  apiVersion: string;
  /** The one tenant of an installation that needs no more. */
  tenant?: { accessToken: string; phoneNumberId: string; wabaId?: string };
  samplesDir?: string;
  /** Whether the webhooks of tenants may go to private addresses. */
  hooksAllowPrivate: boolean;
}

interface Reader {
  given: (name: string) => string | undefined;
  read: (name: string) => string;
  url: (name: string, protocols: readonly string[]) => string | undefined;
  boolean: (name: string, otherwise: boolean) => boolean;
  refuse: (name: string, rule: string) => void;
}

/** The newest version of the Graph API (2026-07-29). */
const NEWEST_VERSION = 'v26.0';

export const WHATSAPP_VARIABLES = [
  {
    name: 'APP_SECRET',
    description:
      'the secret of your Meta app, which signs webhooks; several, comma-separated, while one is replaced',
  },
  { name: 'VERIFY_TOKEN', description: 'what Meta must say when the webhook is set up' },
  {
    name: 'WHATSAPP_API_BASE',
    default: 'https://graph.facebook.com',
    description: 'where the Graph API is',
  },
  { name: 'WHATSAPP_API_VERSION', default: NEWEST_VERSION, description: 'the version of the Graph API' },
  {
    name: 'WHATSAPP_ACCESS_TOKEN',
    description: 'of the one tenant made or updated at start, with WHATSAPP_PHONE_NUMBER_ID',
  },
  { name: 'WHATSAPP_PHONE_NUMBER_ID', description: 'of that tenant' },
  { name: 'WHATSAPP_WABA_ID', description: 'of that tenant: the business account, for templates' },
  {
    name: 'SAMPLE_PAYLOADS_DIR',
    description: 'a folder of webhook bodies (*.json) that are taken in at start',
  },
  {
    name: 'HOOKS_ALLOW_PRIVATE',
    default: 'false',
    description: '`true` lets the webhooks of tenants go to private networks',
  },
];

const META_ID = { form: /^[\w-]{1,64}$/, rule: 'must be an id, as Meta shows it' };
const FORMS = {
  WHATSAPP_ACCESS_TOKEN: { form: /^[\x21-\x7e]{1,1000}$/, rule: 'must be one word, as Meta shows it' },
  WHATSAPP_PHONE_NUMBER_ID: META_ID,
  WHATSAPP_WABA_ID: META_ID,
} as const;

/** @throws nothing: what is wrong goes to `refuse`, without the value */
export function readWhatsappConfig({ given, read, url, boolean, refuse }: Reader): WhatsappConfig {
  const refuseForms = (values: Record<keyof typeof FORMS, string | undefined>): boolean => {
    const bad = Object.entries(FORMS).filter(([name, { form }]) => {
      const value = values[name as keyof typeof FORMS];
      return value !== undefined && !form.test(value);
    });
    for (const [name, { rule }] of bad) refuse(name, rule);
    return bad.length > 0;
  };
  const appSecrets = (given('APP_SECRET') ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
  if (given('APP_SECRET') !== undefined && appSecrets.length === 0)
    refuse('APP_SECRET', 'must hold a secret');
  const apiBase = (url('WHATSAPP_API_BASE', ['http:', 'https:']) ?? read('WHATSAPP_API_BASE')).replace(
    /\/+$/,
    '',
  );
  const apiVersion = read('WHATSAPP_API_VERSION');
  if (!/^v\d{1,3}\.\d{1,2}$/.test(apiVersion))
    refuse('WHATSAPP_API_VERSION', 'must be a version such as v26.0');
  const accessToken = given('WHATSAPP_ACCESS_TOKEN');
  const phoneNumberId = given('WHATSAPP_PHONE_NUMBER_ID');
  const wabaId = given('WHATSAPP_WABA_ID');
  const refusedForm = refuseForms({
    WHATSAPP_ACCESS_TOKEN: accessToken,
    WHATSAPP_PHONE_NUMBER_ID: phoneNumberId,
    WHATSAPP_WABA_ID: wabaId,
  });
  if (!refusedForm) {
    const missing = 'must be set together with';
    if (accessToken === undefined && (phoneNumberId ?? wabaId) !== undefined)
      refuse('WHATSAPP_ACCESS_TOKEN', `${missing} WHATSAPP_PHONE_NUMBER_ID and WHATSAPP_WABA_ID`);
    else if (phoneNumberId === undefined && accessToken !== undefined)
      refuse('WHATSAPP_PHONE_NUMBER_ID', `${missing} WHATSAPP_ACCESS_TOKEN`);
  }
  const verifyToken = given('VERIFY_TOKEN');
  const samplesDir = given('SAMPLE_PAYLOADS_DIR');
  return {
    appSecrets,
    ...(verifyToken !== undefined && { verifyToken }),
    apiBase,
    apiVersion,
    ...(accessToken !== undefined &&
      phoneNumberId !== undefined && {
        tenant: { accessToken, phoneNumberId, ...(wabaId !== undefined && { wabaId }) },
      }),
    ...(samplesDir !== undefined && { samplesDir }),
    hooksAllowPrivate: boolean('HOOKS_ALLOW_PRIVATE', false),
  };
}
