import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import type { Principal } from '../infra/http/request-context.js';
import type { ServerToClientEvents } from './server-events.js';

/** What the server remembers of a signed-in socket. */
export interface SocketData {
  principal: Principal;
  /** Events of one socket pass the rate limiter one after the other, so that none overtakes another. */
  admission?: Promise<void>;
  /** How many of them wait. */
  waiting?: number;
  /** The device that this socket connected with. */
  deviceId?: string;
  /** An answer that must come before the socket is closed, though its own request closes it. */
  lastWord?: Promise<unknown>;
}

export type ClientSocket = Socket<DefaultEventsMap, ServerToClientEvents, DefaultEventsMap, SocketData>;
export type ClientServer = Server<DefaultEventsMap, ServerToClientEvents, DefaultEventsMap, SocketData>;
