import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { messagesBody, metaJson } from '../fakes/graph-webhooks.js';
import { startApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { inbound } from './support/bodies.js';
import { APP_SECRET, deliver, registerTenant, settled, takeIn, type TestTenant } from './support/channel.js';

const CLAIM_MS = 60_000;
const PERIOD_MS = 10_000;
const HOUR_MS = 3_600_000;

let app: TestApp;
let second: TestApp | undefined;
let tenant: TestTenant;

beforeEach(async () => {
  app = await startApp({ env: { APP_SECRET } });
  tenant = await registerTenant(app);
});

afterEach(async () => {
  await second?.close();
  second = undefined;
  await app.close();
});

function saying(text: string): Record<string, unknown> {
  return inbound(tenant, '919937320320', { type: 'text', text: { body: text } });
}

/** As a process leaves it that dies after the commit. */
async function leave(text: string, claimedForMs: number | null): Promise<void> {
  const now = app.clock.nowMs();
  await app.sql('INSERT INTO webhook_event (received_at, body, claimed_until) VALUES ($1, $2, $3)', [
    new Date(now),
    Buffer.from(metaJson(saying(text))),
    claimedForMs === null ? null : new Date(now + claimedForMs),
  ]);
}

async function texts(): Promise<string[]> {
  const rows = await app.sql<{ text: string }>(
    'SELECT text FROM message WHERE text IS NOT NULL ORDER BY seq',
  );
  return rows.map(({ text }) => text);
}

async function openEvents(): Promise<{ attempts: number }[]> {
  return app.sql('SELECT attempts FROM webhook_event WHERE processed_at IS NULL');
}

/** Makes the database refuse messages as one that cannot serve now. Returns what ends it. */
async function takeDatabaseAway(): Promise<() => Promise<void>> {
  await app.sql(`CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03', MESSAGE = 'away'; END $$`);
  await app.sql('CREATE TRIGGER away BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION away()');
  return async () => {
    await app.sql('DROP TRIGGER away ON message');
  };
}

describe('what a dead process left', () => {
  it('is done by another', async () => {
    await leave('left', null);
    app.clock.advance(PERIOD_MS);
    await settled(app);
    expect(await texts()).toEqual(['left']);
  });

  it('is left to whoever has it as long as it may be alive', async () => {
    await leave('had', CLAIM_MS);
    await leave('left', null);
    app.clock.advance(PERIOD_MS);
    await eventually(openEvents, (open) => open.length === 1);
    expect(await texts()).toEqual(['left']);
    expect(await openEvents()).toEqual([{ attempts: 0 }]);
    app.clock.advance(CLAIM_MS);
    await settled(app);
    expect(await texts()).toEqual(['left', 'had']);
  });

  it('is done by one process of two', async () => {
    second = await startApp({ env: { APP_SECRET }, shareDatabaseWith: app });
    for (let index = 0; index < 150; index++) await leave(`left ${index}`, null);
    app.clock.advance(PERIOD_MS);
    await settled(app);
    const rows = await app.sql<{ attempts: number; n: number }>(
      'SELECT attempts, count(*)::int AS n FROM webhook_event GROUP BY 1',
    );
    expect(rows).toEqual([{ attempts: 1, n: 150 }]);
    expect(new Set(await texts()).size).toBe(150);
  });

  it('is done at the start of the next one', async () => {
    await leave('left', null);
    second = await startApp({ env: { APP_SECRET }, shareDatabaseWith: app });
    await settled(app);
    expect(await texts()).toEqual(['left']);
  });

  it('becomes a dead letter when it ends every process that begins it', async () => {
    await leave('deadly', null);
    await app.sql('UPDATE webhook_event SET attempts = 10');
    app.clock.advance(PERIOD_MS);
    await settled(app);
    expect(await texts()).toEqual([]);
    expect(await app.sql('SELECT reason, path FROM webhook_dead_letter')).toEqual([
      { reason: 'FAILED', path: '' },
    ]);
  });
});

describe('while the database cannot serve', () => {
  it('an event stays open, and is applied once afterwards', async () => {
    const giveBack = await takeDatabaseAway();
    await deliver(app, saying('patience'));
    await eventually(
      async () => {
        await openEvents();
        return app.logs.filter((line) => line.includes('could not be applied now'));
      },
      (lines) => lines.length > 0,
    );
    expect(await openEvents()).toHaveLength(1);
    expect(await app.sql('SELECT 1 FROM webhook_dead_letter')).toEqual([]);
    await giveBack();
    app.clock.advance(CLAIM_MS + PERIOD_MS);
    await settled(app);
    expect(await texts()).toEqual(['patience']);
  });
});

describe('a process that is stopped', () => {
  it('finishes what it has taken in', async () => {
    second = await startApp({ env: { APP_SECRET }, shareDatabaseWith: app });
    const sent = Array.from({ length: 50 }, (_, index) => `last ${index}`);
    await Promise.all(sent.map((text) => deliver(second as TestApp, saying(text))));
    await second.close();
    second = undefined;
    expect(await openEvents()).toEqual([]);
    expect(new Set(await texts())).toEqual(new Set(sent));
  });
});

describe('what is old', () => {
  it('is forgotten after seven days, unless a dead letter came from it', async () => {
    await takeIn(app, saying('old'));
    await takeIn(app, messagesBody(tenant, ['bad'] as never, null));
    await app.sql("UPDATE webhook_event SET received_at = received_at - interval '7 days'");
    await takeIn(app, saying('young'));
    app.clock.advance(HOUR_MS);
    const left = await eventually(bodies, (all) => all.length === 2);
    expect(left[0]).toContain('bad');
    expect(left[1]).toContain('young');
    expect(await app.sql('SELECT 1 FROM webhook_dead_letter')).toHaveLength(1);
  });

  it('is forgotten of dead letters after 90 days, and of unknown messages after 31', async () => {
    await takeIn(app, messagesBody(tenant, ['bad'] as never, null));
    await app.sql("UPDATE webhook_dead_letter SET created_at = created_at - interval '90 days'");
    await app.sql(
      `INSERT INTO pending_status (wamid, status, at, item, received_at)
        SELECT 'wamid.' || days, 'sent', $1, '{}', $1::timestamptz - days * interval '1 day' FROM unnest(ARRAY[30, 31]) AS days`,
      [app.clock.now()],
    );
    app.clock.advance(HOUR_MS);
    await eventually(
      () => app.sql('SELECT 1 FROM webhook_dead_letter UNION ALL SELECT 1 FROM pending_status'),
      (rows) => rows.length === 1,
    );
    expect(await app.sql('SELECT wamid FROM pending_status')).toEqual([{ wamid: 'wamid.30' }]);
  });
});

async function bodies(): Promise<string[]> {
  const rows = await app.sql<{ body: Buffer }>('SELECT body FROM webhook_event ORDER BY id');
  return rows.map(({ body }) => body.toString());
}
