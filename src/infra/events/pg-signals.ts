import pg from 'pg';
import type { PrismaTransaction } from '../database/prisma.service.js';
import type { Log } from '../observability/log.js';

/**
 * What instances tell each other through PostgreSQL, because it must not depend on Redis: whatever ends a right
 * or makes a kept row wrong.
 * Add a signal here with its payload; a payload must stay below PostgreSQL's 8,000 bytes.
 */
export interface PgSignals {
  /** Sessions that are no longer valid. */
  'sessions-revoked': { sessionIds: string[]; reason: string };
  /**
   * What authorises these people in a chat has changed; at most `IDS_PER_SIGNAL` of them. `seq` is that of the SYSTEM
   * message which says that they joined or left, 0 where there is none. For all conversations of a tenant, `chatId` is
   * the tenant's id and `seq` its `agents_seq`.
   */
  'chat-access-changed': {
    chatId: string;
    userIds: string[];
    change: 'joined' | 'left' | 'block';
    seq: number;
  };
  /** A cached row was changed or removed; `version` is its new one. */
  'cache-stale': { kind: string; key: string; version: number };
}

/** Ids that fit into one signal with room to spare: whoever has more sends several. */
export const IDS_PER_SIGNAL = 100;

export type PgSignalName = keyof PgSignals;

const CHANNEL = 'parley';
const RECONNECT_MS = 500;
/** A connection that no longer carries anything, but was never closed, is found out by asking. */
const HEARTBEAT_MS = 2_000;
const HEARTBEAT_TIMEOUT_MS = 2_000;

/**
 * Sends a signal when the transaction `tx` commits, and not at all if it rolls back.
 */
export async function signalOnCommit<N extends PgSignalName>(
  tx: Pick<PrismaTransaction, '$executeRaw'>,
  name: N,
  payload: PgSignals[N],
): Promise<void> {
  const message = JSON.stringify({ name, payload });
  await tx.$executeRaw`SELECT pg_notify(${CHANNEL}, ${message})`;
}

/**
 * One LISTEN connection. While it is down signals are lost, so whoever keeps what authorises in memory must forget
 * it all when the connection drops (`onDrop`), keep nothing while `connected` is false, and look again at what is
 * open when it is back (`onReconnect`).
 */
export class PgSignalListener {
  private readonly handlers = new Map<string, ((payload: never) => void)[]>();
  private readonly dropHandlers: (() => void)[] = [];
  private readonly reconnectHandlers: (() => void)[] = [];
  private client: pg.Client | undefined;
  private closing = false;
  private reconnectTimer: NodeJS.Timeout | undefined;
  private heartbeat: NodeJS.Timeout | undefined;
  connected = false;

  constructor(
    private readonly connectionString: string,
    private readonly log: Log,
  ) {}

  on<N extends PgSignalName>(name: N, handler: (payload: PgSignals[N]) => void): void {
    const handlers = this.handlers.get(name) ?? [];
    handlers.push(handler);
    this.handlers.set(name, handlers);
  }

  onDrop(handler: () => void): void {
    this.dropHandlers.push(handler);
  }

  onReconnect(handler: () => void): void {
    this.reconnectHandlers.push(handler);
  }

  async connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.connectionString,
      application_name: 'parley signals',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: HEARTBEAT_TIMEOUT_MS,
    });
    client.on('notification', (notification) => {
      this.receive(client, notification.payload ?? '');
    });
    client.on('error', (error) => {
      this.drop(client, error);
    });
    client.on('end', () => {
      this.drop(client, new Error('the connection ended'));
    });
    this.client = client;
    await client.connect();
    await client.query(`LISTEN ${CHANNEL}`);
    this.connected = true;
    this.heartbeat = setInterval(() => {
      client.query('SELECT 1').catch((error: unknown) => {
        this.drop(client, error as Error);
      });
    }, HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.reconnectTimer);
    clearInterval(this.heartbeat);
    await this.client?.end();
  }

  private receive(client: pg.Client, text: string): void {
    try {
      const { name, payload } = JSON.parse(text) as { name: string; payload: never };
      for (const handler of this.handlers.get(name) ?? []) handler(payload);
    } catch (error) {
      // Not understood, it may have ended any right: everything remembered is forgotten, as after a cut.
      this.drop(client, error as Error);
    }
  }

  private drop(client: pg.Client, error: Error): void {
    if (this.closing || client !== this.client) return;
    this.client = undefined;
    clearInterval(this.heartbeat);
    client.end().catch(() => undefined);
    if (this.connected) {
      this.connected = false;
      this.log.warn(
        { err: error },
        'the LISTEN connection dropped: nothing is authorised from memory until it is back',
      );
      for (const handler of this.dropHandlers) handler();
    }
    this.reconnectTimer = setTimeout(() => {
      void this.reconnect();
    }, RECONNECT_MS);
  }

  private async reconnect(): Promise<void> {
    try {
      await this.connect();
      this.log.info('the LISTEN connection is back');
      for (const handler of this.reconnectHandlers) handler();
    } catch (error) {
      const failed = this.client;
      if (failed) this.drop(failed, error as Error);
    }
  }
}
