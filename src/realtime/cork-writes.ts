import type { Socket as TcpSocket } from 'node:net';
import type { ClientServer } from './client-socket.js';

/** Engine.IO's transport over a WebSocket, as far as it leads to the connection under it (engine.io 6, ws 8). */
interface WebSocketTransport {
  socket?: { _socket?: TcpSocket };
}

/** Engine.IO's connection (engine.io 6). */
interface EngineConnection {
  transport: unknown;
  /** Hands what waits to the transport, if that is ready. */
  flush(): void;
  isFlushing?: boolean;
  on(event: 'upgrade', listener: (transport: unknown) => void): void;
}

/**
 * Lets packets that a socket is sent in one turn of the event loop leave in one system call instead of two each: a
 * batch that commits answers and delivers many at once, and most of the server's time went into those calls.
 * They are handed to the transport together, as the first alone would keep it busy, and are written together.
 */
export function corkWrites(io: ClientServer): void {
  io.engine.on('connection', (connection: EngineConnection) => {
    connection.flush = flushLater;
    cork(connection.transport);
    connection.on('upgrade', cork);
  });
}

function flushLater(this: EngineConnection): void {
  if (this.isFlushing) return;
  this.isFlushing = true;
  process.nextTick(flushNow, this);
}

function flushNow(connection: EngineConnection): void {
  connection.isFlushing = false;
  (Object.getPrototypeOf(connection) as EngineConnection).flush.call(connection);
}

function cork(transport: unknown): void {
  const tcp = (transport as WebSocketTransport).socket?._socket;
  if (!tcp) return;
  const write = tcp.write.bind(tcp) as (...args: unknown[]) => boolean;
  let corked = false;
  const uncork = (): void => {
    corked = false;
    tcp.uncork();
  };
  tcp.write = (...args: unknown[]): boolean => {
    if (!corked) {
      corked = true;
      tcp.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  };
}
