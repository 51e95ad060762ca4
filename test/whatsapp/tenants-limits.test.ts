import { RATE_LIMITS, RateLimits } from '../../src/infra/http/rate-limits.js';
import { SECRETS, useApp } from '../support/app.js';
import type { TestHttp } from '../support/http.js';
import { registerTenant, type TestTenant } from './support/channel.js';

const app = useApp({ config: { rateLimits: true } });

/** Uses up what somebody may call in this second, and calls. Ends in the second it began in, sooner or later. */
async function callAfter(spender: string, http: TestHttp, path: string): Promise<number> {
  const limits = app.running.nest.get(RateLimits);
  for (let attempt = 1; ; attempt++) {
    const startedAt = performance.now();
    await limits.consume('default', spender, RATE_LIMITS.default.points).catch(() => undefined);
    const { status, headers } = await http.get(path);
    if (performance.now() - startedAt < 900 || attempt === 10) {
      expect(headers['ratelimit-policy']).toBe('"default";q=100;w=1');
      return status;
    }
  }
}

describe('calls of tenants', () => {
  let tenants: TestTenant[];
  beforeAll(async () => {
    tenants = [await registerTenant(app), await registerTenant(app), await registerTenant(app)];
  });

  it.each(['/api/tenants', '/tenants'])('count by tenant at %s, and hold up no other', async (path) => {
    const [one, other, third] = tenants as [TestTenant, TestTenant, TestTenant];
    expect(await callAfter(one.id, one.http, `${path}/${one.id}`)).toBe(429);
    expect(await callAfter(one.id, other.http, `${path}/${other.id}`)).toBe(200);
    const operator = app.http(SECRETS.MASTER_KEY);
    expect(await callAfter('operator', operator, `${path}/${one.id}`)).toBe(429);
    expect(await callAfter('operator', third.http, `${path}/${third.id}`)).toBe(200);
  });

  it('without a good key count by address', async () => {
    const stranger = app.http('parley_of-nobody');
    const path = `/api/tenants/${tenants[0]?.id ?? ''}`;
    expect(await callAfter('somebody else', stranger, path)).toBe(401);
    const statuses = [
      await callAfter('127.0.0.1', stranger, path),
      await callAfter('::ffff:127.0.0.1', stranger, path),
    ];
    expect(statuses).toContain(429);
  });
});
