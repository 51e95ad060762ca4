import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { createAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';
import { SessionsService } from '../auth/sessions.service.js';
import { ChatsService } from '../chats/chats.service.js';
import { Clock } from '../common/clock.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { ClusterBus } from '../infra/events/cluster-bus.js';
import { PgSignalListener, type PgSignals } from '../infra/events/pg-signals.js';
import { isAllowedOrigin } from '../infra/http/origins.js';
import type { Principal } from '../infra/http/request-context.js';
import { toAppError } from '../infra/http/to-app-error.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import { MessageWriter } from '../messages/message-writer.js';
import { ReceiptsWriter } from '../messages/receipts-writer.js';
import { PresenceService } from '../presence/presence.service.js';
import { adapterPublisher } from './adapter-publisher.js';
import type { ClientServer, ClientSocket } from './client-socket.js';
import { corkWrites } from './cork-writes.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import { RealtimeDispatcher } from './realtime.dispatcher.js';
import { RealtimeFanout } from './realtime.fanout.js';
import { RealtimeGateway } from './realtime.gateway.js';
import { rooms } from './rooms.js';
import { TypingService } from './typing.service.js';

/** Largest packet a client may send, in bytes. */
const MAX_PACKET_BYTES = 256 * 1024;
/** How long a socket may take to read what was written before it is closed, in milliseconds. */
const CLOSE_PATIENCE_MS = 3_000;
/** How often sessions that have run out are looked for among the live sockets, in milliseconds. */
const SESSION_SWEEP_MS = 60_000;

/**
 * The Socket.IO server: who may connect, in which rooms they are, and when they must go.
 *
 * A socket is in its rooms before `connect` fires. Membership that changes while it connects reaches it through the
 * signal of the changing transaction, because its rooms are joined, its user's first, before its chats are read.
 */
@Injectable()
export class RealtimeServer {
  private io: ClientServer | undefined;
  private cancelSweep: (() => void) | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly sessions: SessionsService,
    private readonly chats: ChatsService,
    private readonly presence: PresenceService,
    private readonly subscriptions: PresenceSubscriptions,
    private readonly typing: TypingService,
    private readonly dispatcher: RealtimeDispatcher,
    private readonly gateway: RealtimeGateway,
    private readonly fanout: RealtimeFanout,
    private readonly messageWriter: MessageWriter,
    private readonly receiptsWriter: ReceiptsWriter,
    private readonly signals: PgSignalListener,
    private readonly bus: ClusterBus,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  attach(httpServer: HttpServer): void {
    const io: ClientServer = new Server(httpServer, {
      path: '/socket.io',
      serveClient: false,
      maxHttpBufferSize: MAX_PACKET_BYTES,
      cors: {
        origin: (origin, allow) => {
          allow(null, origin !== undefined && isAllowedOrigin(this.config.corsOrigins, origin));
        },
        credentials: true,
      },
    });
    const { publisher, subscriber } = this.bus;
    if (publisher && subscriber) io.adapter(createAdapter(adapterPublisher(publisher, this.log), subscriber));
    corkWrites(io);
    this.io = io;
    this.dispatcher.use(this.gateway.handlers);
    this.fanout.start(io);
    io.use((socket, next) => {
      this.admit(socket).then(
        () => {
          next();
        },
        (thrown: unknown) => {
          next(this.connectError(thrown));
        },
      );
    });
    io.on('connection', (socket) => {
      this.connected(socket);
    });
    this.signals.on('sessions-revoked', ({ sessionIds, reason }) => {
      for (const sessionId of sessionIds) this.closeSession(sessionId, reason);
    });
    this.signals.on('chat-access-changed', (signal) => {
      this.followMembership(signal);
    });
    this.signals.onReconnect(() => {
      this.catchUp();
    });
    this.bus.onRestore(() => {
      io.local.emit('resync', {});
    });
    this.cancelSweep = this.clock.every(SESSION_SWEEP_MS, () => {
      this.sweepSessions();
    });
  }

  /** Answers what has begun, then closes every socket so that its client comes back to another instance. */
  async close(): Promise<void> {
    this.cancelSweep?.();
    await this.dispatcher.drain();
    await Promise.all([this.messageWriter.drained(), this.receiptsWriter.drained()]);
    await this.closeTransports();
    await this.presence.settled();
  }

  /**
   * Closing the transport, unlike disconnecting, lets Socket.IO clients reconnect by themselves. What was written
   * before reaches them first; who does not read is cut off after a while.
   */
  private async closeTransports(): Promise<void> {
    if (!this.io) return;
    const { engine } = this.io;
    const connections = [...this.io.of('/').sockets.values()].map((socket) => socket.conn);
    const closed = Promise.all(connections.map((connection) => once(connection, 'close')));
    for (const connection of connections) connection.close();
    const cutOff = setTimeout(() => engine.close(), CLOSE_PATIENCE_MS);
    await closed;
    clearTimeout(cutOff);
    engine.close();
  }

  private async admit(socket: ClientSocket): Promise<void> {
    const token: unknown = socket.handshake.auth.token;
    const principal = await this.authenticate(token);
    socket.data.principal = principal;
    await socket.join([rooms.user(principal.userId), rooms.session(principal.sessionId)]);
    await socket.join((await this.chats.listChatIds(principal.userId)).map(rooms.chat));
    // A revocation that came before the session's room was joined has found nobody there.
    await this.authenticate(token);
    socket.handshake.auth = {};
  }

  private async authenticate(token: unknown): Promise<Principal> {
    return this.sessions.authenticate(typeof token === 'string' ? token : '');
  }

  private connectError(thrown: unknown): Error {
    const error = toAppError(thrown);
    if (error.status >= 500) this.log.error({ err: error.cause ?? error }, 'a socket could not connect');
    return Object.assign(new Error(error.message), { data: { code: error.code, message: error.message } });
  }

  private connected(socket: ClientSocket): void {
    const { userId } = socket.data.principal;
    const socketId = socket.id;
    this.metrics.sockets.inc();
    this.presence.connected(userId, socketId);
    socket.onAny((event: string, ...args: unknown[]) => {
      this.dispatcher.receive(socket, event, args);
    });
    socket.once('disconnect', () => {
      this.metrics.sockets.dec();
      this.typing.socketClosed(socketId);
      this.subscriptions.unsubscribe(socketId);
      this.presence.disconnected(userId, socketId);
    });
  }

  private closeSession(sessionId: string, reason: string): void {
    const room = this.io?.local.in(rooms.session(sessionId));
    room?.emit('session-revoked', { reason });
    room?.disconnectSockets(true);
  }

  /** Applies a change of membership to the sockets here, those still connecting included. */
  private followMembership({ chatId, userIds, change }: PgSignals['chat-access-changed']): void {
    const adapter = this.io?.of('/').adapter;
    if (!adapter || change === 'block') return;
    for (const userId of userIds) {
      for (const socketId of adapter.rooms.get(rooms.user(userId)) ?? []) {
        if (change === 'joined') void adapter.addAll(socketId, new Set([rooms.chat(chatId)]));
        else for (const room of [rooms.chat(chatId), rooms.open(chatId)]) void adapter.del(socketId, room);
      }
    }
  }

  /** Signals were lost: rights may have ended and chats begun meanwhile. */
  private catchUp(): void {
    this.sweepSessions();
    this.rejoinChats().catch((error: unknown) => {
      this.log.error({ err: error }, 'memberships could not be looked up again');
    });
  }

  private async rejoinChats(): Promise<void> {
    for (const socket of this.io?.of('/').sockets.values() ?? []) {
      const chatRooms = new Set((await this.chats.listChatIds(socket.data.principal.userId)).map(rooms.chat));
      for (const room of socket.rooms) {
        if (room.startsWith(rooms.chat('')) && !chatRooms.has(room)) await socket.leave(room);
      }
      await socket.join([...chatRooms]);
      socket.emit('resync', {});
    }
  }

  private sweepSessions(): void {
    const sockets = [...(this.io?.of('/').sockets.values() ?? [])];
    const sessionIds = [...new Set(sockets.map((socket) => socket.data.principal.sessionId))];
    this.sessions
      .findEnded(sessionIds)
      .then((ended) => {
        for (const { sessionId, reason } of ended) this.closeSession(sessionId, reason);
      })
      .catch((error: unknown) => {
        this.log.error({ err: error }, 'sessions could not be looked up again');
      });
  }
}
