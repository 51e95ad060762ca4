import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { useApp } from '../support/app.js';
import { newWamid } from './support/bodies.js';
import { registerTenant } from './support/channel.js';
import { change, message, take } from './support/taking.js';

/**
 * Statuses of several messages come in any order, any number of times, before their messages or after, in batches or
 * alone, some without the number: the end is the one that coming once and in order has.
 */
const app = useApp();
const MESSAGES = 4;
const STEPS = ['sent', 'delivered', 'read', 'played', 'failed'] as const;
const CUSTOMER = '16505551234';

interface Told {
  message: number;
  step: (typeof STEPS)[number];
  /** Meta tells a step with one time, and two errors at most. */
  variant: number;
}

/** Either a status, or the message itself. */
type Event = { told: Told; bare: boolean } | { message: number };

const told: fc.Arbitrary<Told> = fc.record({
  message: fc.nat(MESSAGES - 1),
  step: fc.constantFrom(...STEPS),
  variant: fc.nat(1),
});

const runs = fc.array(told, { minLength: 1, maxLength: 14 }).chain((steps) => {
  const events: Event[] = [
    ...steps.map((one) => ({ told: one, bare: one.variant === 1 })),
    ...Array.from({ length: MESSAGES }, (_, index) => ({ message: index })),
  ];
  return fc.record({
    steps: fc.constant(steps),
    order: fc.shuffledSubarray(events, { minLength: events.length }),
    again: fc.subarray(events),
    cuts: fc.array(fc.boolean(), { minLength: events.length, maxLength: events.length }),
  });
});

const RANKS = { sent: 1, failed: 2, delivered: 3, read: 4, played: 4 } as const;
const SHOWN = ['', 'SENT', 'FAILED', 'DELIVERED', 'READ'];

/** What the steps say of one message, by their meaning alone. */
function expected(steps: readonly Told[], index: number) {
  const own = steps.filter((one) => one.message === index);
  const timesOf = (...names: string[]) =>
    own.filter((one) => names.includes(one.step)).map((one) => timeOf(one).getTime());
  const first = (...names: string[]) => {
    const times = timesOf(...names);
    return times.length === 0 ? null : new Date(Math.min(...times));
  };
  const failed = own.filter((one) => one.step === 'failed').sort((a, b) => a.variant - b.variant)[0];
  return {
    status: SHOWN[Math.max(1, ...own.map((one) => RANKS[one.step]))],
    delivered_at: first('delivered'),
    read_at: first('read', 'played'),
    played_at: first('played'),
    failed_at: first('failed'),
    code: failed ? String(errorOf(failed).code) : null,
  };
}

function timeOf({ step, variant }: Told): Date {
  return new Date((1_760_000_000 + STEPS.indexOf(step) * 10 + variant) * 1000);
}

function errorOf({ variant }: Told) {
  return { code: 131_047 + variant, title: 'Failed', error_data: { details: `variant ${variant}` } };
}

it('end in the same state, whichever way they come', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ steps, order, again, cuts }) => {
      const tenant = await registerTenant(app);
      const wamids = Array.from({ length: MESSAGES }, () => newWamid());
      const bodyOf = (event: Event): unknown => {
        if ('message' in event) {
          const id = wamids[event.message]!;
          // Half of the messages came from the customer: those have statuses too.
          const from = event.message % 2 === 0 ? CUSTOMER : tenant.displayPhoneNumber;
          const text = { from, id, timestamp: '1760000000', type: 'text', text: { body: id } };
          return message(tenant, text, { contacts: [{ wa_id: CUSTOMER }] });
        }
        const { message: index, step } = event.told;
        const timestamp = String(timeOf(event.told).getTime() / 1000);
        const errors = step === 'failed' ? { errors: [errorOf(event.told)] } : {};
        const statuses = [{ id: wamids[index], status: step, timestamp, ...errors }];
        return event.bare
          ? { entry: [{ id: tenant.wabaId, changes: [{ field: 'messages', value: { statuses } }] }] }
          : change(tenant, 'messages', { statuses });
      };
      let batch: Promise<unknown>[] = [];
      for (const [index, event] of [...order, ...again].entries()) {
        batch.push(take(app, bodyOf(event)));
        if (cuts[index] !== true) continue;
        await Promise.all(batch);
        batch = [];
      }
      await Promise.all(batch);

      const rows = await app.sql(
        `SELECT wamid, status, delivered_at, read_at, played_at, failed_at, error ->> 'code' AS code
          FROM whatsapp_message WHERE tenant_id = $1`,
        [tenant.id],
      );
      const byWamid = new Map(rows.map(({ wamid, ...row }) => [wamid, row]));
      expect(wamids.map((wamid) => byWamid.get(wamid))).toEqual(
        wamids.map((_, index) => expected(steps, index)),
      );
      expect(await app.sql('SELECT FROM pending_status WHERE wamid = ANY ($1)', [wamids])).toEqual([]);
    }),
    { numRuns: 60 },
  );
}, 120_000);
