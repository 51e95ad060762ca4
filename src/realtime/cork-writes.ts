import type { Socket as TcpSocket } from 'node:net';
import type { ClientServer } from './client-socket.js';

/** Engine.IO's transport over a WebSocket, as far as it leads to the connection under it (engine.io 6, ws 8). */
interface WebSocketTransport {
  socket?: { _socket?: TcpSocket };
}

/**
 * Lets packets that a socket is sent in one turn of the event loop leave in one system call instead of two each: a
 * batch that commits answers and delivers many at once, and most of the server's time went into those calls.
 */
export function corkWrites(io: ClientServer): void {
  io.engine.on('connection', (connection: ClientServerConnection) => {
    cork(connection.transport);
    connection.on('upgrade', cork);
  });
}

interface ClientServerConnection {
  transport: unknown;
  on(event: 'upgrade', listener: (transport: unknown) => void): void;
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
