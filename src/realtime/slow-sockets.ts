import type { Socket as TcpSocket } from 'node:net';
import type { Log } from '../infra/observability/log.js';
import type { Metrics } from '../infra/observability/metrics.js';
import type { ClientServer } from './client-socket.js';

/** A connection may owe its client so many bytes at the end of a turn of the event loop. */
export const MAX_UNREAD_BYTES = 512 * 1024;
/** And so many at any moment. */
export const MAX_BURST_BYTES = 896 * 1024;

/** What Engine.IO hands to a transport (engine.io 6). */
interface EnginePacket {
  data?: string | Buffer;
  options?: { wsPreEncodedFrame?: Buffer[] };
}

/** Engine.IO's transports, as far as they lead to the connection under them (engine.io 6, ws 8). */
interface EngineTransport {
  name: string;
  /** A WebSocket's. */
  socket?: { _socket?: TcpSocket; terminate(): void };
  /** The poll that is being answered. */
  req?: { socket?: TcpSocket } | null;
}

/** An Engine.IO connection with what is counted of it. */
interface Connection {
  transport: EngineTransport;
  on(event: 'packetCreate', listener: (this: Connection, packet: EnginePacket) => void): void;
  on(event: 'flush', listener: (this: Connection) => void): void;
  close(discard: boolean): void;
  /** Bytes that wait in Engine.IO for the transport. */
  unsent?: number;
  /** The TCP connection that carried the last answer to a poll. */
  lastPoll?: TcpSocket | undefined;
  isJudged?: boolean;
  isCut?: boolean;
}

/**
 * Cuts off clients that do not read, before what waits for one costs 1 MB: what waits in Engine.IO for the transport,
 * and what the transport has not been able to write. Their next sync brings what they missed.
 *
 * Counted as packets are made and handed on, so a packet costs an addition. A burst that a client reads is over by the
 * end of the turn; one that is not, or is too large even so, ends the connection.
 */
export class SlowSockets {
  constructor(
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  watch(io: ClientServer): void {
    const { judge, judgeLater } = this;
    // One listener for all connections: an idle socket must cost little.
    const count = function (this: Connection, packet: EnginePacket): void {
      this.unsent = (this.unsent ?? 0) + sizeOf(packet);
      const unread = unreadBytes(this);
      if (unread > MAX_BURST_BYTES) judge(this, MAX_BURST_BYTES);
      else if (unread > MAX_UNREAD_BYTES) judgeLater(this);
    };
    const handOver = function (this: Connection): void {
      this.unsent = 0;
      if (this.transport.name === 'polling') this.lastPoll = this.transport.req?.socket;
    };
    io.engine.on('connection', (connection: Connection) => {
      connection.on('packetCreate', count);
      connection.on('flush', handOver);
    });
  }

  /** Gives what was written in this turn the time to leave. */
  private readonly judgeLater = (connection: Connection): void => {
    if (connection.isJudged) return;
    connection.isJudged = true;
    setImmediate(() => {
      connection.isJudged = false;
      this.judge(connection, MAX_UNREAD_BYTES);
    });
  };

  private readonly judge = (connection: Connection, limit: number): void => {
    const bytes = unreadBytes(connection);
    if (bytes <= limit || connection.isCut) return;
    connection.isCut = true;
    this.metrics.slowSockets.inc();
    this.log.warn({ bytes, transport: connection.transport.name }, 'a client that does not read was cut off');
    const { transport, lastPoll } = connection;
    // What waits in the connection goes with it; a goodbye would wait behind it.
    if (transport.socket) transport.socket.terminate();
    else {
      connection.close(true);
      if (lastPoll && lastPoll.writableLength > 0) lastPoll.destroy();
    }
  };
}

function unreadBytes({ unsent = 0, transport, lastPoll }: Connection): number {
  const tcp = transport.socket?._socket ?? lastPoll;
  return unsent + (tcp?.writableLength ?? 0);
}

function sizeOf({ data, options }: EnginePacket): number {
  const frame = options?.wsPreEncodedFrame;
  if (frame) return (frame[0]?.length ?? 0) + (frame[1]?.length ?? 0);
  if (data === undefined) return 1;
  return typeof data === 'string' ? Buffer.byteLength(data) : data.length;
}
