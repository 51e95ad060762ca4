import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientServer } from './client-socket.js';

/** A client connects again after each refusal, but not often. */
const MAX_CONNECTS = 20;
/** Socket.IO's packet type for a connection to a namespace (socket.io-protocol 5). */
const CONNECT = '0';
const METHODS: readonly (string | undefined)[] = ['GET', 'POST', 'OPTIONS'];

interface EngineConnection {
  on(event: 'packet', listener: (packet: { type: string; data?: unknown }) => void): void;
  close(discard: boolean): void;
}

/**
 * Ends connections that ask for thousands of sockets: Socket.IO makes one, and signs it in, for each CONNECT that comes
 * before the first is answered, and one small request holds many. Methods that long polling does not know are refused
 * too, which Engine.IO answers with 500.
 */
export function refuseFloods(io: ClientServer): void {
  io.engine.on('connection', (connection: EngineConnection) => {
    let connects = 0;
    connection.on('packet', ({ type, data }) => {
      if (type !== 'message' || typeof data !== 'string' || !data.startsWith(CONNECT)) return;
      connects++;
      if (connects > MAX_CONNECTS) connection.close(true);
    });
  });
  io.engine.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
    if (METHODS.includes(request.method)) next();
    else response.writeHead(405, { Allow: 'GET, POST, OPTIONS' }).end();
  });
}
