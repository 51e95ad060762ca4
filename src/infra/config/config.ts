import { isIP } from 'node:net';
import ms from 'ms';
import { StartupError } from '../../common/startup-error.js';
import { MEDIA_VARIABLES, readMediaConfig, type MediaConfig } from './media-config.js';
import { MAIL_VARIABLES, readMailConfig, type MailConfig } from './mail-config.js';
import { PUSH_VARIABLES, readPushConfig, type PushConfig } from './push-config.js';
import { WHATSAPP_VARIABLES, readWhatsappConfig, type WhatsappConfig } from './whatsapp-config.js';

export type { ClamdConfig, CloudinaryConfig } from './media-config.js';

/** Nest's token for the configuration. */
export const CONFIG = Symbol('Config');

export type Role = 'all' | 'api' | 'worker';

export interface RedisConfig {
  host: string;
  port: number;
  username?: string;
  password?: string;
  /** The number of the database. */
  db?: number;
  tls: boolean;
}

/** Everything the environment decides, parsed and checked once. Durations are milliseconds, sizes bytes. */
export interface Config extends MediaConfig {
  production: boolean;
  host: string;
  port: number;
  role: Role;
  databaseUrl?: string;
  databaseDirectUrl?: string;
  databaseReadUrl?: string;
  databasePoolMax: number;
  dataDir: string;
  redis?: RedisConfig;
  /** Absent outside production: `resolveSecrets` then makes one and keeps it in the data folder. */
  jwtSecret?: string;
  masterKey?: string;
  /** The master key before this one. */
  oldMasterKey?: string;
  accessTokenTtlMs: number;
  refreshTokenTtlMs: number;
  push: PushConfig;
  whatsapp: WhatsappConfig;
  mail: MailConfig;
  corsOrigins: CorsOrigins;
  cookieSecure: boolean;
  cookieSameSite: 'lax' | 'strict' | 'none';
  rateLimits: boolean;
  trustProxy: boolean | number | string[];
  logLevel: string;
}

/** Exact origins, or `localhost`: any port of this machine, the default outside production. */
export type CorsOrigins = { kind: 'list'; origins: readonly string[] } | { kind: 'localhost' };

type Env = Readonly<Record<string, string | undefined>>;

interface Variable {
  name: string;
  /** What `.env.example` shows; `undefined` where there is no default. */
  default?: string;
  description: string;
}

/** Every variable the server reads. `.env.example` and the documentation are kept equal to it by a test. */
export const VARIABLES: readonly Variable[] = [
  {
    name: 'NODE_ENV',
    default: 'development',
    description: '`production` makes the stricter rules hold (APP_ENV is another name)',
  },
  { name: 'APP_ENV', description: 'another name for NODE_ENV, which wins' },
  { name: 'PORT', default: '3000', description: 'where HTTP and Socket.IO listen' },
  { name: 'HOST', default: '0.0.0.0', description: 'the address to listen on' },
  { name: 'DATABASE_URL', description: 'PostgreSQL 15 or newer; without it the server starts its own' },
  {
    name: 'DATABASE_DIRECT_URL',
    description: 'past a pooler, for migrations and LISTEN; default DATABASE_URL',
  },
  {
    name: 'DATABASE_READ_URL',
    description: 'a replica for reads; default DATABASE_URL (accepted, not used yet)',
  },
  { name: 'DATABASE_POOL_MAX', default: '10', description: 'connections in the pool' },
  {
    name: 'DATA_DIR',
    default: '.data',
    description: 'the embedded database, uploads and generated development secrets',
  },
  { name: 'REDIS_URL', description: 'needed as soon as there is a second process' },
  { name: 'REDIS_HOST', description: 'instead of REDIS_URL' },
  { name: 'REDIS_PORT', default: '6379', description: 'with REDIS_HOST' },
  { name: 'REDIS_USERNAME', description: 'with REDIS_HOST' },
  { name: 'REDIS_PASSWORD', description: 'with REDIS_HOST' },
  {
    name: 'ROLE',
    default: 'all',
    description: '`api`, `worker` or `all`; a worker does jobs and serves only /health* and /metrics',
  },
  {
    name: 'JWT_SECRET',
    description:
      'signs tokens, cursors and media addresses; 32 characters or more; made once outside production',
  },
  {
    name: 'MASTER_KEY',
    description: 'the operator’s key; 32 characters or more; made once outside production',
  },
  {
    name: 'MASTER_KEY_OLD',
    description:
      'the MASTER_KEY before this one, until `npm run rotate-key` has run (docs/whatsapp-tenants.md)',
  },
  { name: 'JWT_EXPIRES_IN', default: '15m', description: 'life of an access token' },
  { name: 'REFRESH_EXPIRES_IN', default: '30d', description: 'life of a refresh token' },
  ...MEDIA_VARIABLES,
  ...PUSH_VARIABLES,
  ...MAIL_VARIABLES,
  ...WHATSAPP_VARIABLES,
  {
    name: 'CORS_ORIGINS',
    description:
      'comma-separated origins (FRONTEND_ORIGIN is another name); localhost outside production, none in it',
  },
  { name: 'FRONTEND_ORIGIN', description: 'another name for CORS_ORIGINS, which wins' },
  { name: 'COOKIE_SECURE', description: '`true` or `false`; default true in production' },
  { name: 'COOKIE_SAMESITE', default: 'lax', description: '`lax`, `strict` or `none`' },
  { name: 'RATE_LIMITS', default: 'on', description: '`off` is refused in production' },
  {
    name: 'TRUST_PROXY',
    description: 'a hop count, or comma-separated address ranges of the proxies in front; default off',
  },
  {
    name: 'LOG_LEVEL',
    default: 'info',
    description: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`',
  },
];

const ENVIRONMENTS = ['development', 'test', 'production'] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const MIN_SECRET_CHARACTERS = 32;

/**
 * Reads the configuration.
 *
 * @throws StartupError naming every bad variable at once; values are never printed, as they may be secrets.
 */
export function loadConfig(env: Env): Config {
  const problems: string[] = [];
  const defaults = new Map(VARIABLES.map((variable) => [variable.name, variable.default]));

  const given = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  };
  const read = (name: string): string => given(name) ?? defaults.get(name) ?? '';
  const refuse = (name: string, rule: string): void => {
    problems.push(`${name} ${rule}`);
  };

  const integer = (name: string, min: number, max: number): number => {
    const value = Number(read(name));
    if (!Number.isInteger(value) || value < min || value > max) {
      refuse(name, `must be a whole number from ${min} to ${max}`);
    }
    return value;
  };
  const oneOf = <T extends string>(name: string, values: readonly T[]): T => {
    const value = read(name) as T;
    if (!values.includes(value)) refuse(name, `must be one of ${values.join(', ')}`);
    return value;
  };
  const duration = (name: string): number => {
    let value: number | undefined;
    // A bare number would be milliseconds, which nobody means here.
    if (/^\d+$/.test(read(name))) {
      refuse(name, 'must have a unit, such as 15m or 30d');
      return 0;
    }
    try {
      value = ms(read(name) as ms.StringValue);
    } catch {
      value = undefined;
    }
    if (value === undefined || !Number.isFinite(value) || value < 1000) {
      refuse(name, 'must be a duration of a second or more, such as 15m or 30d');
      return 0;
    }
    return value;
  };
  const url = (name: string, protocols: readonly string[]): string | undefined => {
    const value = given(name);
    if (value === undefined) return undefined;
    const parsed = parseUrl(value);
    if (parsed && protocols.includes(parsed.protocol)) return value;
    refuse(name, `must be an address that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`);
    return undefined;
  };

  const environmentName =
    given('NODE_ENV') === undefined && given('APP_ENV') !== undefined ? 'APP_ENV' : 'NODE_ENV';
  // A misspelt "production" must not open what production closes.
  const production = oneOf(environmentName, ENVIRONMENTS) === 'production';

  const secret = (name: string): string | undefined => {
    const value = given(name);
    if (value !== undefined && value.length < MIN_SECRET_CHARACTERS) {
      refuse(name, `must have ${MIN_SECRET_CHARACTERS} characters or more`);
    } else if (value === undefined && production) {
      refuse(name, `must be set in production (${MIN_SECRET_CHARACTERS} characters or more)`);
    }
    return value;
  };

  const boolean = (name: string, fallback: boolean): boolean => {
    const value = given(name);
    if (value === undefined) return fallback;
    if (value !== 'true' && value !== 'false') refuse(name, 'must be true or false');
    return value === 'true';
  };

  const rateLimits = oneOf('RATE_LIMITS', ['on', 'off']) === 'on';
  if (!rateLimits && production) refuse('RATE_LIMITS', 'cannot be off in production');

  const databaseUrl = url('DATABASE_URL', ['postgresql:', 'postgres:']);
  const directUrl = url('DATABASE_DIRECT_URL', ['postgresql:', 'postgres:']) ?? databaseUrl;
  const readUrl = url('DATABASE_READ_URL', ['postgresql:', 'postgres:']) ?? databaseUrl;
  if (!databaseUrl && (given('DATABASE_DIRECT_URL') ?? given('DATABASE_READ_URL'))) {
    refuse('DATABASE_URL', 'must be set when DATABASE_DIRECT_URL or DATABASE_READ_URL is');
  }
  const jwtSecret = secret('JWT_SECRET');
  const masterKey = secret('MASTER_KEY');
  const oldMasterKey = given('MASTER_KEY_OLD');
  if (oldMasterKey !== undefined && oldMasterKey.length < MIN_SECRET_CHARACTERS) {
    refuse('MASTER_KEY_OLD', `must have ${MIN_SECRET_CHARACTERS} characters or more`);
  }
  const redisPort = integer('REDIS_PORT', 1, 65_535);
  const redis = readRedis(url('REDIS_URL', ['redis:', 'rediss:']), given, redisPort);
  const originsName = given('CORS_ORIGINS') === undefined ? 'FRONTEND_ORIGIN' : 'CORS_ORIGINS';

  const config: Config = {
    production,
    host: read('HOST'),
    port: integer('PORT', 0, 65_535),
    role: oneOf('ROLE', ['all', 'api', 'worker']),
    ...(databaseUrl && { databaseUrl }),
    ...(directUrl && { databaseDirectUrl: directUrl }),
    ...(readUrl && { databaseReadUrl: readUrl }),
    databasePoolMax: integer('DATABASE_POOL_MAX', 2, 1000),
    dataDir: read('DATA_DIR'),
    ...(redis && { redis }),
    ...(jwtSecret && { jwtSecret }),
    ...(masterKey && { masterKey }),
    ...(oldMasterKey !== undefined && { oldMasterKey }),
    accessTokenTtlMs: duration('JWT_EXPIRES_IN'),
    refreshTokenTtlMs: duration('REFRESH_EXPIRES_IN'),
    ...readMediaConfig({ given, integer, url, refuse }),
    mail: readMailConfig((name) => given(name) ?? defaults.get(name), refuse),
    push: readPushConfig((name) => given(name) ?? defaults.get(name), refuse),
    whatsapp: readWhatsappConfig({ given, read, url, boolean, refuse }),
    corsOrigins: readOrigins(given(originsName), production, (rule) => refuse(originsName, rule)),
    cookieSecure: boolean('COOKIE_SECURE', production),
    cookieSameSite: oneOf('COOKIE_SAMESITE', ['lax', 'strict', 'none']),
    rateLimits,
    trustProxy: readTrustProxy(given('TRUST_PROXY'), refuse),
    logLevel: oneOf('LOG_LEVEL', LOG_LEVELS),
  };
  if (config.cookieSameSite === 'none' && !config.cookieSecure) {
    refuse(
      'COOKIE_SAMESITE',
      'may be none only with COOKIE_SECURE=true: browsers drop such a cookie otherwise',
    );
  }
  if (config.refreshTokenTtlMs > 0 && config.refreshTokenTtlMs < config.accessTokenTtlMs) {
    refuse('REFRESH_EXPIRES_IN', 'must not be shorter than JWT_EXPIRES_IN');
  }
  if (problems.length > 0) throw new StartupError(`Configuration: ${problems.join('; ')}.`);
  return config;
}

function readRedis(
  redisUrl: string | undefined,
  given: (name: string) => string | undefined,
  port: number,
): RedisConfig | undefined {
  if (redisUrl) {
    const parsed = new URL(redisUrl);
    return {
      host: parsed.hostname,
      port: parsed.port ? Number(parsed.port) : 6379,
      ...(parsed.username && { username: decodeURIComponent(parsed.username) }),
      ...(parsed.password && { password: decodeURIComponent(parsed.password) }),
      ...(/^\/\d+$/.test(parsed.pathname) && { db: Number(parsed.pathname.slice(1)) }),
      tls: parsed.protocol === 'rediss:',
    };
  }
  const host = given('REDIS_HOST');
  if (!host) return undefined;
  const username = given('REDIS_USERNAME');
  const password = given('REDIS_PASSWORD');
  return { host, port, ...(username && { username }), ...(password && { password }), tls: false };
}

function readOrigins(
  value: string | undefined,
  production: boolean,
  refuse: (rule: string) => void,
): CorsOrigins {
  if (value === undefined) return production ? { kind: 'list', origins: [] } : { kind: 'localhost' };
  const origins = value
    .split(',')
    .map((origin) => origin.trim().replace(/\/$/, ''))
    .filter((origin) => origin !== '');
  if (!origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin)) {
    refuse('must be comma-separated origins such as https://chat.example.com');
  }
  return { kind: 'list', origins };
}

function readTrustProxy(
  value: string | undefined,
  refuse: (name: string, rule: string) => void,
): boolean | number | string[] {
  if (value === undefined || value === 'off' || value === 'false') return false;
  if (/^\d+$/.test(value)) return Number(value);
  const ranges = value.split(',').map((range) => range.trim());
  if (!ranges.every(isRange)) refuse('TRUST_PROXY', 'must be a hop count or comma-separated address ranges');
  return ranges;
}

/** Names are those of `proxy-addr`, which Express asks. */
function isRange(range: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(range)) return true;
  const [address = '', prefix, ...rest] = range.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** Undefined unless every part can be read, the percent-encoded user and password too. */
function parseUrl(value: string): URL | undefined {
  if (!URL.canParse(value)) return undefined;
  const url = new URL(value);
  try {
    decodeURIComponent(url.username + url.password);
    return url;
  } catch {
    return undefined;
  }
}
