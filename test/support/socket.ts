import { io, type Socket } from 'socket.io-client';
import { eventsOf, type EventsContract } from './events-check.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test says what it expects of a payload field by field
type Loose = any;

export interface Received {
  event: string;
  payload: Loose;
}

export interface Ack<T = Loose> {
  status: 'success' | 'error';
  data: T;
  code?: string;
  message?: string;
  details?: { field: string; message: string }[];
  retryAfterMs?: number;
}

export interface SocketAuth {
  token?: string;
  deviceId?: string;
  deviceName?: string;
}

/** How long a test waits, in real time, for what must come. */
const PATIENCE_MS = 5_000;

interface Waiter {
  matches: (received: Received) => boolean;
  resolve: (received: Received) => void;
}

/**
 * A person's device. Every event it is sent is kept in `received`, in order, and checked against the `/docs/events` of
 * its server: what that does not describe, or describes otherwise, fails the test.
 */
export class TestSocket {
  readonly received: Received[] = [];
  /** Resolves with Socket.IO's reason when the connection ends. */
  readonly closed: Promise<string>;
  private readonly pending: Received[] = [];
  private readonly waiters = new Set<Waiter>();

  private constructor(
    readonly io: Socket,
    private readonly contract: EventsContract,
  ) {
    this.closed = new Promise((resolve) => {
      io.once('disconnect', resolve);
    });
    io.onAny((event: string, payload: unknown) => {
      this.take({ event, payload });
    });
  }

  /** Resolves when `connect` has fired; @throws ConnectError */
  static async connect(url: string, auth: SocketAuth, transports = ['websocket']): Promise<TestSocket> {
    const contract = await eventsOf(url);
    const client = io(url, {
      transports,
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      auth,
    });
    const socket = new TestSocket(client, contract);
    await new Promise<void>((resolve, reject) => {
      client.once('connect', resolve);
      client.once('connect_error', (error: Error & { data?: { code?: string } }) => {
        client.disconnect();
        reject(new ConnectError(error.message, error.data?.code));
      });
      client.connect();
    });
    return socket;
  }

  get connected(): boolean {
    return this.io.connected;
  }

  /** Sends an event and resolves with its acknowledgement, which is checked against `/docs/events`. */
  async emit<T = Loose>(event: string, ...payload: unknown[]): Promise<Ack<T>> {
    const ack = await this.emitUndocumented<T>(event, ...payload);
    this.contract.checkAcknowledgement(event, ack);
    return ack;
  }

  /** The same for an event that `/docs/events` does not know. */
  async emitUndocumented<T = Loose>(event: string, ...payload: unknown[]): Promise<Ack<T>> {
    return (await this.io.timeout(PATIENCE_MS).emitWithAck(event, ...payload)) as Ack<T>;
  }

  /** The data of a successful acknowledgement. @throws Error for any other */
  async ok<T = Loose>(event: string, ...payload: unknown[]): Promise<T> {
    const ack = await this.emit<T>(event, ...payload);
    if (ack.status !== 'success') throw new Error(`${event} was refused: ${JSON.stringify(ack)}`);
    return ack.data;
  }

  /**
   * The payload of the next event of this name that no earlier call has been given, whether it is here already or
   * still to come. @throws Error naming what did come when it does not within five seconds
   */
  async next<T = Loose>(event: string, predicate: (payload: T) => boolean = () => true): Promise<T> {
    const matches = (one: Received): boolean => one.event === event && predicate(one.payload as T);
    const index = this.pending.findIndex(matches);
    const [here] = index === -1 ? [] : this.pending.splice(index, 1);
    if (here) return here.payload as T;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const came = this.received.map((one) => `${one.event} ${JSON.stringify(one.payload)}`).join('\n');
        reject(new Error(`${event} did not come. Received so far:\n${came || 'nothing'}`));
      }, PATIENCE_MS);
      const waiter: Waiter = {
        matches,
        resolve: (received) => {
          clearTimeout(timer);
          resolve(received.payload as T);
        },
      };
      this.waiters.add(waiter);
    });
  }

  /** The payloads of all events of this name so far. */
  all<T = Loose>(event: string): T[] {
    return this.received.filter((one) => one.event === event).map((one) => one.payload as T);
  }

  /**
   * Resolves when everything that this server emitted to this socket before has arrived. An event caused by somebody
   * else's action is among it once that action has been answered; one caused on another instance is not: there,
   * wait for a later event on the same way instead.
   */
  async barrier(): Promise<void> {
    await this.emitUndocumented('barrier');
  }

  /** After a `barrier`, @throws Error if an event of this name (that `predicate` accepts) has come. */
  async expectNone<T = Loose>(event: string, predicate: (payload: T) => boolean = () => true): Promise<void> {
    await this.barrier();
    const found = this.all<T>(event).filter(predicate);
    if (found.length > 0) throw new Error(`${event} should not have come: ${JSON.stringify(found)}`);
  }

  /** Forgets what has been received. */
  forget(): void {
    this.received.length = 0;
    this.pending.length = 0;
  }

  /** Leaves as a client does that says goodbye. */
  disconnect(): void {
    this.io.disconnect();
  }

  private take(received: Received): void {
    this.contract.checkEvent(received.event, received.payload);
    this.received.push(received);
    for (const waiter of this.waiters) {
      if (!waiter.matches(received)) continue;
      this.waiters.delete(waiter);
      waiter.resolve(received);
      return;
    }
    this.pending.push(received);
  }
}

/** The server's refusal of a connection; `code` is from its `data`. */
export class ConnectError extends Error {
  constructor(
    message: string,
    readonly code: string | undefined,
  ) {
    super(message);
    this.name = 'ConnectError';
  }
}
