import { createECDH } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../../src/common/startup-error.js';
import { VARIABLES, loadConfig } from '../../src/infra/config/config.js';
import { resolveSecrets } from '../../src/infra/config/secrets.js';
import { makeFolder } from '../support/folder.js';

const SECRETS = { JWT_SECRET: 'j'.repeat(32), MASTER_KEY: 'm'.repeat(32) };

/** A value that each variable refuses; the marker shows it if it is printed. */
const BAD: Record<string, string> = {
  NODE_ENV: 'marker-env',
  PORT: '70000marker',
  DATABASE_URL: 'mysql://root:marker@db/parley',
  DATABASE_DIRECT_URL: 'marker direct',
  DATABASE_READ_URL: 'https://marker',
  DATABASE_POOL_MAX: '1.5marker',
  REDIS_URL: 'http://user:marker@cache',
  REDIS_PORT: 'marker',
  ROLE: 'marker',
  JWT_SECRET: 'short marker',
  MASTER_KEY: 'short marker',
  MASTER_KEY_OLD: 'short marker',
  JWT_EXPIRES_IN: 'marker',
  REFRESH_EXPIRES_IN: '5marker',
  MAX_IMAGE_MB: '-1marker',
  MAX_AUDIO_MB: '0marker',
  MAX_VIDEO_MB: '1.5marker',
  MAX_DOCUMENT_MB: 'marker',
  CLOUDINARY_CLOUD_NAME: 'cloud\nmarker',
  CLOUDINARY_API_KEY: 'key\nmarker',
  CLOUDINARY_API_SECRET: 'secret\tmarker',
  CLOUDINARY_UPLOAD_PREFIX: 'ftp://marker',
  CLAMD_URL: 'http://marker',
  SMTP_URL: 'https://marker',
  MAIL_FROM: 'marker',
  PUBLIC_URL: 'marker',
  VAPID_PUBLIC_KEY: 'marker',
  VAPID_PRIVATE_KEY: 'marker',
  VAPID_SUBJECT: 'marker',
  VAPID_CA_FILE: '/marker/authority.pem',
  VAPID_ALLOW_PRIVATE: 'marker',
  FCM_PROJECT_ID: 'marker project',
  FCM_CLIENT_EMAIL: 'marker',
  FCM_PRIVATE_KEY: 'marker',
  FCM_API_BASE: 'marker',
  FCM_TOKEN_URL: 'ftp://marker',
  APP_SECRET: ' , ',
  WHATSAPP_API_BASE: 'ftp://marker',
  WHATSAPP_API_VERSION: 'marker',
  WHATSAPP_ACCESS_TOKEN: 'marker token',
  WHATSAPP_PHONE_NUMBER_ID: '+1 marker',
  WHATSAPP_WABA_ID: '../marker',
  HOOKS_ALLOW_PRIVATE: 'marker',
  CORS_ORIGINS: 'chat.marker.example/path',
  COOKIE_SECURE: 'marker',
  COOKIE_SAMESITE: 'marker',
  RATE_LIMITS: 'marker',
  TRUST_PROXY: 'marker',
  LOG_LEVEL: 'marker',
};

/** Takes any text, or is another name for one in the table above. */
const TAKES_ANYTHING = [
  'HOST',
  'DATA_DIR',
  'REDIS_HOST',
  'REDIS_USERNAME',
  'REDIS_PASSWORD',
  'VERIFY_TOKEN',
  'SAMPLE_PAYLOADS_DIR',
];
const OTHER_NAMES: Record<string, string> = { APP_ENV: 'NODE_ENV', FRONTEND_ORIGIN: 'CORS_ORIGINS' };

function problemOf(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return error.message;
  }
  return '';
}

describe('configuration', () => {
  it('starts from nothing, with the defaults that are documented', () => {
    expect(loadConfig({})).toMatchObject({
      production: false,
      port: 3000,
      host: '0.0.0.0',
      role: 'all',
      databasePoolMax: 10,
      dataDir: '.data',
      accessTokenTtlMs: 15 * 60_000,
      refreshTokenTtlMs: 30 * 24 * 3600_000,
      maxImageBytes: 10 * 1024 * 1024,
      corsOrigins: { kind: 'localhost' },
      cookieSecure: false,
      cookieSameSite: 'lax',
      rateLimits: true,
      trustProxy: false,
      logLevel: 'info',
    });
  });

  it('names every bad variable at once, on one line and without a value', () => {
    const problem = problemOf(BAD);
    for (const name of Object.keys(BAD)) expect(problem).toMatch(new RegExp(`\\b${name}\\b`));
    expect(problem).not.toContain('marker');
    expect(problem).not.toContain('\n');
  });

  it.each(Object.entries(BAD))('%s alone is refused by its own name', (name, value) => {
    const needed = name.startsWith('DATABASE_') ? { DATABASE_URL: 'postgresql://localhost/parley' } : {};
    const problem = problemOf({ ...needed, [name]: value });
    const named = VARIABLES.map((variable) => variable.name).filter((other) =>
      problem.split(/[^A-Z_]/).includes(other),
    );
    expect(named).toEqual([name]);
  });

  it.each(Object.entries(OTHER_NAMES))('%s is refused as itself', (name, variable) => {
    expect(problemOf({ [name]: BAD[variable] ?? '' })).toContain(`${name} must`);
  });

  it('has a bad value above for every variable that can be bad', () => {
    const covered = [...Object.keys(BAD), ...Object.keys(OTHER_NAMES), ...TAKES_ANYTHING];
    expect(covered.sort()).toEqual(VARIABLES.map(({ name }) => name).sort());
  });

  it.each([
    ['VAPID_SUBJECT', 'mailto:ops@example.com', ['VAPID_PUBLIC_KEY', 'VAPID_PRIVATE_KEY']],
    ['FCM_PROJECT_ID', 'a-project', ['FCM_CLIENT_EMAIL', 'FCM_PRIVATE_KEY']],
  ])('%s needs what belongs to it', (name, value, others) => {
    const problem = problemOf({ [name]: value });
    for (const other of others) expect(problem).toContain(`${other} must be set together with`);
  });

  it('takes only two VAPID keys that belong together', () => {
    const pair = createECDH('prime256v1');
    pair.setPrivateKey('01'.repeat(32), 'hex');
    const env = {
      VAPID_PUBLIC_KEY: pair.getPublicKey('base64url'),
      VAPID_PRIVATE_KEY: pair.getPrivateKey('base64url'),
      VAPID_SUBJECT: 'https://chat.example.com',
    };
    expect(loadConfig(env).push.webpush).toMatchObject({ subject: env.VAPID_SUBJECT, allowPrivate: false });
    const another = Buffer.alloc(32, 2).toString('base64url');
    expect(problemOf({ ...env, VAPID_PRIVATE_KEY: another })).toContain('belongs to VAPID_PUBLIC_KEY');
  });

  it('takes an empty value for none, and the first of two names for one thing', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: ' ', TRUST_PROXY: '' })).toMatchObject({ port: 3000 });
    expect(loadConfig({ ...SECRETS, APP_ENV: 'production' }).production).toBe(true);
    expect(loadConfig({ NODE_ENV: 'development', APP_ENV: 'production' }).production).toBe(false);
    const both = { CORS_ORIGINS: 'https://a.example', FRONTEND_ORIGIN: 'https://b.example' };
    expect(loadConfig(both).corsOrigins).toEqual({ kind: 'list', origins: ['https://a.example'] });
    expect(loadConfig({ FRONTEND_ORIGIN: 'https://b.example' }).corsOrigins).toEqual({
      kind: 'list',
      origins: ['https://b.example'],
    });
  });

  it('reads Redis from an address or from its parts', () => {
    expect(loadConfig({ REDIS_URL: 'rediss://me:p%40ss@cache:7000' }).redis).toEqual({
      host: 'cache',
      port: 7000,
      username: 'me',
      password: 'p@ss',
      tls: true,
    });
    expect(loadConfig({ REDIS_HOST: 'cache', REDIS_PASSWORD: 'p@ss' }).redis).toEqual({
      host: 'cache',
      port: 6379,
      password: 'p@ss',
      tls: false,
    });
    expect(problemOf({ REDIS_URL: 'redis://me:%zz@cache' })).toContain('REDIS_URL must');
  });

  it.each([
    ['tcp://clamav', { host: 'clamav', port: 3310 }],
    ['tcp://[::1]:3311', { host: '::1', port: 3311 }],
    ['unix:/run/clamd.ctl', { path: '/run/clamd.ctl' }],
    ['unix:///run/clamd.ctl', { path: '/run/clamd.ctl' }],
  ])('reads CLAMD_URL %s', (value, expected) => {
    expect(loadConfig({ CLAMD_URL: value }).clamd).toEqual(expected);
  });

  it('reads Cloudinary whole or not at all', () => {
    const account = { CLOUDINARY_CLOUD_NAME: 'c', CLOUDINARY_API_KEY: 'k', CLOUDINARY_API_SECRET: 's' };
    expect(loadConfig(account).cloudinary).toEqual({ cloudName: 'c', apiKey: 'k', apiSecret: 's' });
    expect(
      loadConfig({ ...account, CLOUDINARY_UPLOAD_PREFIX: 'https://api-eu.cloudinary.com/' }).cloudinary,
    ).toMatchObject({ uploadPrefix: 'https://api-eu.cloudinary.com' });
    expect(problemOf({ ...account, CLOUDINARY_API_KEY: '' })).toContain('CLOUDINARY_API_SECRET must');
  });

  it('reads the secrets of Meta’s apps, the present one first', () => {
    expect(loadConfig({ APP_SECRET: ' one, two ,' }).whatsapp.appSecrets).toEqual(['one', 'two']);
    expect(loadConfig({}).whatsapp).toEqual({
      appSecrets: [],
      apiBase: 'https://graph.facebook.com',
      apiVersion: 'v26.0',
      hooksAllowPrivate: false,
    });
  });

  it('reads the one tenant whole or not at all', () => {
    const tenant = { WHATSAPP_ACCESS_TOKEN: 'token', WHATSAPP_PHONE_NUMBER_ID: '1' };
    expect(loadConfig(tenant).whatsapp.tenant).toEqual({ accessToken: 'token', phoneNumberId: '1' });
    expect(loadConfig({ ...tenant, WHATSAPP_WABA_ID: '2' }).whatsapp.tenant).toMatchObject({ wabaId: '2' });
    expect(problemOf({ WHATSAPP_ACCESS_TOKEN: 'token' })).toContain(
      'WHATSAPP_PHONE_NUMBER_ID must be set together with WHATSAPP_ACCESS_TOKEN',
    );
    for (const name of ['WHATSAPP_PHONE_NUMBER_ID', 'WHATSAPP_WABA_ID']) {
      expect(problemOf({ [name]: '1' })).toContain('WHATSAPP_ACCESS_TOKEN must be set together with');
    }
  });

  it.each([
    ['off', false],
    ['1', 1],
    ['10.0.0.0/8, ::1', ['10.0.0.0/8', '::1']],
    ['loopback', ['loopback']],
  ])('reads TRUST_PROXY %s', (value, expected) => {
    expect(loadConfig({ TRUST_PROXY: value }).trustProxy).toEqual(expected);
  });

  it.each(['999.1.1.1', '10.0.0.0/64', ':::', 'true'])('refuses TRUST_PROXY %s', (value) => {
    expect(problemOf({ TRUST_PROXY: value })).toContain('TRUST_PROXY must');
  });

  describe('in production', () => {
    const production = { NODE_ENV: 'production', ...SECRETS };

    it('is strict by default', () => {
      expect(loadConfig(production)).toMatchObject({
        production: true,
        cookieSecure: true,
        rateLimits: true,
        corsOrigins: { kind: 'list', origins: [] },
      });
    });

    it('needs both secrets', () => {
      const problem = problemOf({ NODE_ENV: 'production' });
      expect(problem).toContain('JWT_SECRET must be set in production');
      expect(problem).toContain('MASTER_KEY must be set in production');
    });

    it('keeps its rate limits', () => {
      expect(problemOf({ ...production, RATE_LIMITS: 'off' })).toContain(
        'RATE_LIMITS cannot be off in production',
      );
    });
  });

  describe('secrets outside production', () => {
    let dataDir: string;
    beforeEach(async () => {
      dataDir = join(await makeFolder('secrets'), 'data');
    });
    afterEach(() => rm(join(dataDir, '..'), { recursive: true }));

    it('are made once, kept for their owner alone, and the same for whoever starts at that moment', async () => {
      const config = loadConfig({ DATA_DIR: dataDir });
      const together = await Promise.all(Array.from({ length: 8 }, () => resolveSecrets(config)));
      const later = await resolveSecrets(config);
      expect(new Set([...together, later].map((secrets) => secrets.masterKey)).size).toBe(1);
      expect(new Set([...together, later].map((secrets) => secrets.sign('cursor', 'text'))).size).toBe(1);
      expect(later.masterKey.length).toBeGreaterThanOrEqual(32);
      expect((await stat(join(dataDir, 'secrets.json'))).mode & 0o777).toBe(0o600);
    });

    it('give way to those of the environment', async () => {
      const secrets = await resolveSecrets(loadConfig({ ...SECRETS, DATA_DIR: dataDir }));
      expect(secrets.masterKey).toBe(SECRETS.MASTER_KEY);
      await expect(stat(dataDir)).rejects.toThrow('ENOENT');
    });
  });
});

describe('.env.example', () => {
  it('lists every variable the server reads, with its default and its meaning', async () => {
    const expected = VARIABLES.map(
      (variable) => `# ${variable.description}\n${variable.name}=${variable.default ?? ''}\n`,
    ).join('\n');
    expect(await readFile(new URL('../../.env.example', import.meta.url), 'utf8')).toBe(expected);
  });
});
