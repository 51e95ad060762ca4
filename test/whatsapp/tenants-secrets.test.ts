import { Secrets } from '../../src/infra/config/secrets.js';
import { Database } from '../../src/infra/database/database.js';
import { KeyRotation, type RotationResult } from '../../src/whatsapp/hooks/key-rotation.js';
import { NotOurSecretError, SecretBox } from '../../src/whatsapp/tenants/secret-box.js';
import { TenantsService, accessTokenPlace } from '../../src/whatsapp/tenants/tenants.service.js';
import { SECRETS, startApp, useApp, type TestApp } from '../support/app.js';
import { Program } from '../support/program.js';
import { ROOT } from '../support/project.js';
import { registerTenant } from './support/channel.js';

const OLD = 'the old master key, 32 characters';
const NEW = 'the new master key, 32 characters';
const PLACE = 'access token of somebody';

function boxOf(masterKey: string, oldMasterKey?: string): SecretBox {
  return new SecretBox(new Secrets(SECRETS.JWT_SECRET, masterKey, oldMasterKey));
}

describe('a sealed secret', () => {
  it.each(['EAAG-token', '', 'ü 🌷\n'])('opens to what was sealed: %j', (text) => {
    const sealed = boxOf(OLD).seal(text, PLACE);
    expect(boxOf(OLD).open(sealed, PLACE)).toBe(text);
    expect(sealed).not.toContain(text === '' ? ' ' : text);
  });

  it('is never sealed the same way twice', () => {
    const box = boxOf(OLD);
    expect(box.seal('token', PLACE)).not.toBe(box.seal('token', PLACE));
  });

  it('opens in its place alone', () => {
    const sealed = boxOf(OLD).seal('token', PLACE);
    expect(() => boxOf(OLD).open(sealed, 'access token of another')).toThrow(NotOurSecretError);
  });

  it('does not open once a single bit of it is another', () => {
    const [version = '', body = ''] = boxOf(OLD).seal('token', PLACE).split(':');
    const bytes = Buffer.from(body, 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const sealed = `${version}:${changed.toString('base64url')}`;
      expect(() => boxOf(OLD).open(sealed, PLACE)).toThrow(NotOurSecretError);
    }
    for (const cut of [
      '',
      ':',
      version,
      `${version}:`,
      `${version}:${body.slice(0, 20)}`,
      `${version}:${body.slice(0, -4)}`,
    ]) {
      expect(() => boxOf(OLD).open(cut, PLACE)).toThrow(NotOurSecretError);
    }
  });

  it('opens with another master key only while the old one is known', () => {
    const sealed = boxOf(OLD).seal('token', PLACE);
    expect(() => boxOf(NEW).open(sealed, PLACE)).toThrow('sealed under another MASTER_KEY');
    const both = boxOf(NEW, OLD);
    expect(both.open(sealed, PLACE)).toBe('token');
    expect(both.isCurrent(sealed)).toBe(false);
    const anew = both.seal('token', PLACE);
    expect(both.isCurrent(anew)).toBe(true);
    expect(boxOf(NEW).open(anew, PLACE)).toBe('token');
    expect(() => boxOf(OLD).open(anew, PLACE)).toThrow(NotOurSecretError);
  });
});

describe('another master key', () => {
  const app = useApp({ env: { MASTER_KEY: OLD, HOOKS_ALLOW_PRIVATE: 'true' } });
  const ids: string[] = [];
  let database: Database;

  beforeAll(async () => {
    const old = app.http(OLD);
    for (let index = 0; index < 3; index++) {
      const answer = await old.post('/api/tenants/register', {
        name: 'Shop',
        phoneNumberId: `5${index}`,
        accessToken: `token-${index}`,
      });
      const { id } = answer.data as { id: string };
      ids.push(id);
      await old.put(`/api/tenants/${id}/webhooks`, { url: 'http://127.0.0.1:9/', secret: `secret-${index}` });
    }
    database = new Database(app.databaseUrl, 1, { observePool: () => undefined } as never, () => undefined);
  });
  afterAll(() => database.pool.end());

  function rotate(masterKey: string, oldMasterKey?: string): Promise<RotationResult> {
    const box = boxOf(masterKey, oldMasterKey);
    return new KeyRotation(box, database).run();
  }

  async function tokens(of: TestApp): Promise<string[]> {
    const tenants = of.running.nest.get(TenantsService);
    return Promise.all(ids.map((id) => tenants.accessTokenOf(id)));
  }

  it('opens everything while the old one is given, and alone once all is sealed anew', async () => {
    const expected = ['token-0', 'token-1', 'token-2'];
    const both = await startApp({ shareDatabaseWith: app, env: { MASTER_KEY: NEW, MASTER_KEY_OLD: OLD } });
    try {
      expect(await tokens(both)).toEqual(expected);
      expect((await both.http(OLD).get('/api/tenants')).code).toBe('TOKEN_INVALID');
      expect((await both.http(NEW).get('/api/tenants')).status).toBe(200);

      const sorted = [...ids].sort();
      expect(await rotate(NEW)).toEqual({ rotated: 0, current: 0, lost: [...sorted, ...sorted] });
      expect(await rotate(NEW, OLD)).toEqual({ rotated: 6, current: 0, lost: [] });
      expect(await rotate(NEW, OLD)).toEqual({ rotated: 0, current: 6, lost: [] });
      expect(await tokens(both)).toEqual(expected);
    } finally {
      await both.close();
    }
    const alone = await startApp({ shareDatabaseWith: app, env: { MASTER_KEY: NEW } });
    try {
      expect(await tokens(alone)).toEqual(expected);
      await expect(tokens(app)).rejects.toThrow('sealed under another MASTER_KEY');
    } finally {
      await alone.close();
    }
  });
});

describe('the command', () => {
  const app = useApp({ env: { MASTER_KEY: OLD } });

  async function run(
    env: Record<string, string>,
  ): Promise<{ code: number | null; out: string; err: string }> {
    const program = new Program(
      process.execPath,
      ['--import', './test/support/ts-loader.mjs', 'src/commands/rotate-key.ts'],
      { cwd: ROOT, env: { DATABASE_URL: app.databaseUrl, JWT_SECRET: SECRETS.JWT_SECRET, ...env } },
    );
    const { code } = await program.ended;
    return { code, out: program.out, err: program.err };
  }

  it('seals everything anew, says how much that was, and prints no key', async () => {
    const body = { name: 'Shop', phoneNumberId: '66', accessToken: 'the-token' };
    const { id } = (await app.http(OLD).post('/api/tenants/register', body)).data as { id: string };
    const alone = await run({ MASTER_KEY: NEW });
    expect(alone).toMatchObject({ code: 1, err: expect.stringContaining(id) as string });
    const both = await run({ MASTER_KEY: NEW, MASTER_KEY_OLD: OLD });
    expect(both).toMatchObject({ code: 0, err: '' });
    expect(both.out).toContain('1 secrets are encrypted under the new MASTER_KEY now; 0 were so before.');
    for (const secret of [OLD, NEW, 'the-token']) expect(JSON.stringify([alone, both])).not.toContain(secret);
    const [row] = await app.sql<{ access_token: string }>('SELECT access_token FROM tenant');
    expect(boxOf(NEW).open(row?.access_token ?? '', accessTokenPlace(id))).toBe('the-token');
  });
});

describe('the one tenant of the environment', () => {
  const app = useApp();

  async function startWith(env: Record<string, string>): Promise<{ row: object | undefined; token: string }> {
    const other = await startApp({
      shareDatabaseWith: app,
      env: { WHATSAPP_PHONE_NUMBER_ID: '77', ...env },
    });
    try {
      const tenants = other.running.nest.get(TenantsService);
      const tenant = await tenants.findByPhoneNumberId('77');
      return {
        row: { id: tenant?.id, wabaId: tenant?.wabaId, status: tenant?.status, isMock: tenant?.isMock },
        token: await tenants.accessTokenOf(tenant?.id ?? ''),
      };
    } finally {
      await other.close();
    }
  }

  it('is there when the server serves, once for several instances, and follows the environment', async () => {
    const together = await Promise.all(
      [1, 2].map(() => startWith({ WHATSAPP_ACCESS_TOKEN: 'first', WHATSAPP_WABA_ID: '1' })),
    );
    const [one, two] = together;
    expect(one).toEqual(two);
    expect(one).toMatchObject({ row: { wabaId: '1', status: 'active', isMock: false }, token: 'first' });

    await app.sql(`UPDATE tenant SET status = 'disconnected' WHERE phone_number_id = '77'`);
    const same = await startWith({ WHATSAPP_ACCESS_TOKEN: 'first' });
    expect(same).toEqual({ row: { ...one?.row, status: 'disconnected' }, token: 'first' });

    const other = await startWith({ WHATSAPP_ACCESS_TOKEN: 'mock_second', WHATSAPP_WABA_ID: '2' });
    expect(other).toEqual({
      row: { ...one?.row, wabaId: '2', status: 'active', isMock: true },
      token: 'mock_second',
    });
  });
});

describe('a number of nobody, where everybody is an agent', () => {
  const app = useApp();

  it('has those for agents who have an account, and those who get one later, until it is disconnected', async () => {
    const { EveryoneAgents } = await import('../../src/whatsapp/tenants/everyone-agents.js');
    const everyone = app.running.nest.get(EveryoneAgents);
    const ann = await app.registerUser();
    const number = { phoneNumberId: '88', displayPhoneNumber: '15551234567', wabaId: null };
    const made = await Promise.all([1, 2, 3].map(() => everyone.ensureTenant(number)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    const [tenant] = made;
    expect(tenant).toMatchObject({ isMock: true, name: '15551234567', phoneNumberId: '88' });
    const ben = await app.registerUser();
    const operator = app.http(SECRETS.MASTER_KEY);
    const path = `/api/tenants/${tenant?.id ?? ''}`;
    const agents = (await operator.get(`${path}/agents`)).data as { user: { id: string } }[];
    expect(agents.map(({ user }) => user.id).sort()).toEqual([ann.id, ben.id].sort());
    await operator.delete(path);
    const cid = await app.registerUser();
    expect(await app.sql('SELECT 1 FROM tenant_agent WHERE user_id = $1', [cid.id])).toEqual([]);
    const registered = await registerTenant(app);
    expect(await everyone.ensureTenant({ ...number, phoneNumberId: registered.phoneNumberId })).toMatchObject(
      {
        id: registered.id,
      },
    );
  });
});
