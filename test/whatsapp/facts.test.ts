import { describe, expect, it } from '@jest/globals';
import { useApp } from '../support/app.js';
import { newWamid } from './support/bodies.js';
import { registerTenant, type TestTenant } from './support/channel.js';
import { APPROVAL_ROWS } from './support/facts-of-accounts.js';
import { COEXISTENCE_ROWS } from './support/facts-of-coexistence.js';
import { CUSTOMER_ROWS } from './support/facts-of-customers.js';
import { FRAME_ROWS } from './support/facts-of-frames.js';
import { STATUS_ROWS } from './support/facts-of-statuses.js';
import { TYPE_ROWS } from './support/facts-of-types.js';
import { type FactRow, factTenant } from './support/facts.js';
import { message, messagesOf, take } from './support/taking.js';

const app = useApp();

const ROWS: readonly FactRow[] = [
  ...FRAME_ROWS,
  ...TYPE_ROWS,
  ...STATUS_ROWS,
  ...APPROVAL_ROWS,
  ...COEXISTENCE_ROWS,
  ...CUSTOMER_ROWS,
];

describe('what is known of Meta’s webhooks', () => {
  /** The lines of each part of the sheet of facts: one row each. */
  it.each([
    ['1.5', 37],
    ['1.6', 1],
    ['1.7', 13],
    ['1.8', 5],
    ['1.9', 8],
  ])('part %s has %i rows', (part, count) => {
    expect(ROWS.filter((row) => row.part === part)).toHaveLength(count);
    expect(new Set(ROWS.map((row) => `${row.part} ${row.line}`)).size).toBe(ROWS.length);
  });

  it.each(ROWS.map((row) => [row.part, row.line, row] as const))('%s %s', async (_part, _line, row) => {
    const tenant: TestTenant = await registerTenant(app);
    await row.check(factTenant(app, tenant));
    // Whatever it was, the number goes on to receive.
    const wamid = newWamid();
    const text = { from: '16505550199', id: wamid, type: 'text', text: { body: 'still there' } };
    expect(await take(app, message(tenant, text))).toEqual({ applied: 1, refused: [] });
    expect((await messagesOf(app, tenant)).filter((one) => one.text === 'still there')).toHaveLength(1);
  });
});
