import { classify, isRepeatable, type ErrorClass } from '../../src/whatsapp/graph/error-classes.js';
import { eventually } from '../support/eventually.js';
import { operator } from './support/channel.js';
import {
  awaitSettled,
  awaitStored,
  connectTenant,
  makeCustomer,
  send,
  useStage,
  type ConnectedTenant,
  type StoredSend,
} from './support/sending.js';

interface Row {
  code: number;
  httpStatus: number;
  errorClass: ErrorClass;
  /** Of what is tried again: after how long, in milliseconds, the first time. */
  waitMs?: number;
  /** What becomes of the tenant. */
  tenant?: 'disconnected' | 'restricted';
}

const refused = (httpStatus: number, ...codes: number[]): Row[] =>
  codes.map((code) => ({ code, httpStatus, errorClass: 'REFUSED' }));

/** A row for each code of the table of error codes, and for those that come with two statuses one for each. */
const ROWS: readonly Row[] = [
  { code: 4, httpStatus: 400, errorClass: 'APP_LIMIT', waitMs: 30_000 },
  { code: 4, httpStatus: 429, errorClass: 'APP_LIMIT', waitMs: 30_000 },
  { code: 80007, httpStatus: 400, errorClass: 'APP_LIMIT', waitMs: 30_000 },
  { code: 80007, httpStatus: 429, errorClass: 'APP_LIMIT', waitMs: 30_000 },
  { code: 613, httpStatus: 400, errorClass: 'APP_LIMIT', waitMs: 30_000 },
  { code: 130429, httpStatus: 400, errorClass: 'NUMBER_LIMIT', waitMs: 1_000 },
  { code: 130429, httpStatus: 429, errorClass: 'NUMBER_LIMIT', waitMs: 1_000 },
  { code: 131056, httpStatus: 400, errorClass: 'PAIR_LIMIT', waitMs: 1_000 },
  { code: 134101, httpStatus: 400, errorClass: 'TRY_LATER', waitMs: 600_000 },
  { code: 131053, httpStatus: 400, errorClass: 'TRY_LATER', waitMs: 2_000 },
  { code: 131000, httpStatus: 500, errorClass: 'OUTCOME_UNKNOWN' },
  { code: 1, httpStatus: 500, errorClass: 'OUTCOME_UNKNOWN' },
  { code: 2, httpStatus: 503, errorClass: 'OUTCOME_UNKNOWN' },
  { code: 131016, httpStatus: 503, errorClass: 'OUTCOME_UNKNOWN' },
  { code: 131057, httpStatus: 503, errorClass: 'OUTCOME_UNKNOWN' },
  { code: 133004, httpStatus: 503, errorClass: 'OUTCOME_UNKNOWN' },
  { code: 0, httpStatus: 401, errorClass: 'TOKEN_DEAD', tenant: 'disconnected' },
  { code: 190, httpStatus: 401, errorClass: 'TOKEN_DEAD', tenant: 'disconnected' },
  { code: 131005, httpStatus: 403, errorClass: 'NO_PERMISSION', tenant: 'disconnected' },
  { code: 3, httpStatus: 403, errorClass: 'NO_PERMISSION', tenant: 'disconnected' },
  { code: 10, httpStatus: 403, errorClass: 'NO_PERMISSION', tenant: 'disconnected' },
  { code: 200, httpStatus: 403, errorClass: 'NO_PERMISSION', tenant: 'disconnected' },
  { code: 299, httpStatus: 403, errorClass: 'NO_PERMISSION', tenant: 'disconnected' },
  { code: 131048, httpStatus: 400, errorClass: 'RESTRICTED', tenant: 'restricted' },
  { code: 368, httpStatus: 403, errorClass: 'RESTRICTED', tenant: 'restricted' },
  { code: 131031, httpStatus: 403, errorClass: 'RESTRICTED', tenant: 'restricted' },
  { code: 130497, httpStatus: 403, errorClass: 'RESTRICTED', tenant: 'restricted' },
  { code: 131050, httpStatus: 400, errorClass: 'OPTED_OUT' },
  ...[131042, 131044].map((code): Row => ({ code, httpStatus: 400, errorClass: 'UNPAID' })),
  ...[132005, 132007, 132015, 132016, 132068, 132069].map((code): Row => ({
    code,
    httpStatus: 400,
    errorClass: 'TEMPLATE_STOPPED',
  })),
  ...refused(400, 133016, 131047, 131026, 131049, 130472, 131021, 131030, 131051, 131052),
  ...refused(400, 131008, 131009, 100, 33, 135000, 131037, 131045, 133010, 131062, 131063, 131064),
  ...refused(400, 132000, 132008, 132012, 132018, 137000),
  ...refused(404, 132001),
];

const stage = useStage();

function name({ code, httpStatus }: Row): string {
  return `${code} with HTTP ${httpStatus}`;
}

async function tenantStatus(tenant: ConnectedTenant): Promise<{ status: string }> {
  const answer = await operator(stage.app).get<{ status: string }>(`/api/tenants/${tenant.id}`);
  return answer.data;
}

async function meet(row: Row): Promise<{ tenant: ConnectedTenant; waId: string; messageId: string }> {
  const { app, graph } = stage;
  const tenant = await connectTenant(stage);
  const waId = await makeCustomer(app, tenant);
  graph.planFor(waId, { code: row.code, httpStatus: row.httpStatus, details: 'so it is' });
  const { messageId } = await send(tenant, waId);
  return { tenant, waId, messageId };
}

it('has a row for each of the codes', () => {
  expect(ROWS).toHaveLength(62);
  expect(new Set(ROWS.map(({ code }) => code)).size).toBe(59);
});

describe.each(ROWS.map((row) => [name(row), row] as const))('%s', (_name, row) => {
  const { errorClass, waitMs, code } = row;

  it(`is ${errorClass}, whether it answers a send or comes with a failed status`, () => {
    expect(classify(code, row.httpStatus)).toBe(errorClass);
    expect(classify(code, null)).toBe(errorClass);
    expect(isRepeatable(errorClass)).toBe(waitMs !== undefined);
  });

  it('does to the message and the tenant what it should', async () => {
    const { app, graph, clock } = stage;
    const { tenant, waId, messageId } = await meet(row);
    if (waitMs !== undefined) {
      const waiting = await awaitStored(
        app,
        messageId,
        ({ attempts, dispatch }) => attempts === 1 && dispatch === 'READY',
      );
      expect(waiting).toMatchObject({ status: 'QUEUED', error: null });
      expect(waiting.next_attempt_at?.getTime()).toBe(clock.nowMs() + waitMs);
      clock.advance(waitMs);
      expect(await awaitSettled(app, messageId)).toMatchObject({ status: 'SENT', attempts: 2 });
      expect(graph.sentTo(waId)).toHaveLength(1);
    } else if (row.tenant === 'disconnected') {
      await eventually(
        () => tenantStatus(tenant),
        ({ status }) => status === 'disconnected',
      );
      const isBack = ({ attempts, dispatch }: StoredSend): boolean => attempts === 0 && dispatch === 'READY';
      const waiting = await awaitStored(app, messageId, isBack);
      expect(waiting).toMatchObject({ status: 'QUEUED', error: null });
    } else if (errorClass === 'OUTCOME_UNKNOWN') {
      const open = await awaitSettled(app, messageId);
      expect(open).toMatchObject({
        status: 'QUEUED',
        dispatch: 'UNKNOWN',
        error: { code: 'OUTCOME_UNKNOWN' },
      });
      expect(open.error?.details).toContain(String(code));
    } else {
      const failed = await awaitSettled(app, messageId);
      expect(failed).toMatchObject({
        status: 'FAILED',
        attempts: 1,
        error: { code: String(code), details: 'so it is' },
      });
    }
    const { status } = await tenantStatus(tenant);
    expect(status).toBe(row.tenant ?? 'active');
    if (waitMs === undefined) expect(graph.sentTo(waId)).toHaveLength(0);
  });
});

describe('what has no code that is known', () => {
  it.each([
    [null, 400, 'REFUSED'],
    [null, 404, 'REFUSED'],
    [999_999, 400, 'REFUSED'],
    [null, 401, 'TOKEN_DEAD'],
    [null, 429, 'APP_LIMIT'],
    [null, 500, 'OUTCOME_UNKNOWN'],
    [999_999, 503, 'OUTCOME_UNKNOWN'],
    [null, 302, 'OUTCOME_UNKNOWN'],
    [null, 200, 'OUTCOME_UNKNOWN'],
    [999_999, null, 'REFUSED'],
    [null, null, 'REFUSED'],
  ] as const)('%s with HTTP %s is %s', (code, httpStatus, errorClass) => {
    expect(classify(code, httpStatus)).toBe(errorClass);
  });
});
