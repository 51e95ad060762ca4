import type { GraphNumber } from '../../fakes/graph-platform.js';
import { FakeGraph } from '../../fakes/graph.js';
import { useApp, type TestApp, type TestAppOptions } from '../../support/app.js';
import { TestClock } from '../../support/clock.js';
import { eventually } from '../../support/eventually.js';
import { inbound, newWamid } from './bodies.js';
import { APP_SECRET, registerTenant, takeIn, type NewTenant, type TestTenant } from './channel.js';

export const CALL_TIMEOUT_MS = 20_000;

/** Meta's stand-in and an app that calls it, for all tests of the file. */
export interface Stage {
  graph: FakeGraph;
  app: TestApp;
  clock: TestClock;
}

export function useStage(options: Omit<TestAppOptions, 'clock'> = {}): Stage {
  const clock = new TestClock();
  const env: Record<string, string> = { APP_SECRET, ...options.env };
  const stage = { clock } as Stage;
  beforeAll(async () => {
    stage.graph = await FakeGraph.start({ now: () => clock.nowMs() });
    env.WHATSAPP_API_BASE = stage.graph.url;
  });
  stage.app = useApp({ ...options, clock, env });
  afterAll(() => stage.graph.close());
  return stage;
}

export type ConnectedTenant = TestTenant & { number: GraphNumber };

/** A tenant whose number Meta's stand-in knows. */
export async function connectTenant({ app, graph }: Stage, given: NewTenant = {}): Promise<ConnectedTenant> {
  const number = graph.addNumber();
  const { displayPhoneNumber, ...known } = number;
  const tenant = await registerTenant(app, { ...known, ...given });
  return { ...tenant, displayPhoneNumber, number };
}

let customers = 0;

/** A number that nobody has used in this file. */
export function newNumber(): string {
  return `49152${String(10_000_000 + customers++)}`;
}

/** The customer writes, and so may be written to for 24 hours. Returns the wamid. */
export async function writes(app: TestApp, tenant: TestTenant, waId: string): Promise<string> {
  const id = newWamid();
  const timestamp = String(Math.floor(app.clock.nowMs() / 1000));
  await takeIn(app, inbound(tenant, waId, { id, timestamp }));
  return id;
}

/** A customer who has just written; their number, as digits. */
export async function makeCustomer(app: TestApp, tenant: TestTenant): Promise<string> {
  const waId = newNumber();
  await writes(app, tenant, waId);
  return waId;
}

export interface Sent {
  messageId: string;
  chatId: string;
}

/** Sends as the tenant's own system; a text unless told otherwise. @throws Error unless it is accepted */
export async function send(tenant: TestTenant, to: string, more: object = { text: 'hello' }): Promise<Sent> {
  const answer = await tenant.http.post(`/api/tenants/${tenant.id}/send`, { to: `+${to}`, ...more });
  if (answer.status !== 202) throw new Error(`not accepted: ${JSON.stringify(answer.body)}`);
  return answer.data as Sent;
}

/** What is stored of a message that is sent. */
export interface StoredSend {
  status: string;
  dispatch: string | null;
  attempts: number;
  wamid: string | null;
  error: { code: string; message: string; details?: string | null } | null;
  next_attempt_at: Date | null;
}

export async function storedOf(app: TestApp, messageId: string): Promise<StoredSend> {
  const [chatId, seq] = messageId.split('.');
  const rows = await app.sql<StoredSend & Record<string, unknown>>(
    `SELECT status, dispatch, attempts, wamid, error, next_attempt_at FROM whatsapp_message
      WHERE chat_id = $1 AND seq = $2`,
    [chatId, seq],
  );
  if (!rows[0]) throw new Error('there is no such message');
  return rows[0];
}

/** Waits until it is as it should be. */
export function awaitStored(
  app: TestApp,
  messageId: string,
  accept: (stored: StoredSend) => boolean,
): Promise<StoredSend> {
  return eventually(() => storedOf(app, messageId), accept);
}

/** Waits until Meta was called for it and what became of it was recorded. */
export function awaitSettled(app: TestApp, messageId: string): Promise<StoredSend> {
  return awaitStored(app, messageId, ({ dispatch }) => dispatch === null || dispatch === 'UNKNOWN');
}
