import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
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
/** How often they are looked up while signals cannot be heard, in milliseconds. */
const DEAF_SWEEP_MS = 1_000;
/**
 * A device that vanished is noticed after at most the sum, and told offline five seconds later: within the 45 seconds
 * of the contract. Milliseconds.
 */
const PING_INTERVAL_MS = 20_000;
const PING_TIMEOUT_MS = 18_000;
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
  /** The connections of WebSockets. */
  private readonly upgraded = new Set<Duplex>();
  private cancelSweep: (() => void) | undefined;
  private deafSweep: NodeJS.Timeout | undefined;
  /** How many removals this instance has heard of: a list of chats read before one may be too long. */
  private removals = 0;

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
      pingInterval: PING_INTERVAL_MS,
      pingTimeout: PING_TIMEOUT_MS,
      cors: {
        origin: (origin, allow) => {
          allow(null, origin !== undefined && isAllowedOrigin(this.config.corsOrigins, origin));
        },
        credentials: true,
      },
    });
    httpServer.on('upgrade', (_request, connection) => {
      this.upgraded.add(connection);
      connection.once('close', () => this.upgraded.delete(connection));
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
    this.signals.onDrop(() => {
      clearInterval(this.deafSweep);
      this.deafSweep = setInterval(() => {
        this.sweepSessions();
      }, DEAF_SWEEP_MS);
      this.deafSweep.unref();
    });
    this.signals.onReconnect(() => {
      clearInterval(this.deafSweep);
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
    clearInterval(this.deafSweep);
    await this.dispatcher.drain();
    await Promise.all([this.messageWriter.drained(), this.receiptsWriter.drained()]);
    await this.closeTransports();
    await this.presence.settled();
  }

  /**
   * Closing the transport, unlike disconnecting, lets Socket.IO clients reconnect by themselves. What was written
   * before reaches them first; who does not read or does not answer is cut off after a while.
   */
  private async closeTransports(): Promise<void> {
    if (!this.io) return;
    const sockets = [...this.io.of('/').sockets.values()].map((socket) => socket.conn);
    const cutOff = setTimeout(() => {
      for (const connection of this.upgraded) connection.destroy();
    }, CLOSE_PATIENCE_MS);
    const written = Promise.all(sockets.map((socket) => once(socket, 'close')));
    for (const socket of sockets) socket.close();
    await written;
    this.io.engine.close();
    // A WebSocket is over when the client has said goodbye too.
    await Promise.all([...this.upgraded].map((connection) => once(connection, 'close')));
    clearTimeout(cutOff);
  }

  private async admit(socket: ClientSocket): Promise<void> {
    const token: unknown = socket.handshake.auth.token;
    const principal = await this.authenticate(token);
    socket.data.principal = principal;
    await socket.join([rooms.user(principal.userId), rooms.session(principal.sessionId)]);
    await socket.join(await this.presentChatRooms(principal.userId));
    // A revocation that came before the session's room was joined has found nobody there.
    await this.authenticate(token);
    socket.handshake.auth = {};
  }

  /** The rooms of a person's chats, read again if somebody was removed from a chat meanwhile. */
  private async presentChatRooms(userId: string): Promise<string[]> {
    for (;;) {
      const { removals } = this;
      const chatIds = await this.chats.listChatIds(userId);
      if (removals === this.removals) return chatIds.map(rooms.chat);
    }
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
    if (change === 'left') this.removals++;
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
      try {
        await this.rejoinChatsOf(socket);
      } finally {
        socket.emit('resync', {});
      }
    }
  }

  private async rejoinChatsOf(socket: ClientSocket): Promise<void> {
    const chatRooms = await this.presentChatRooms(socket.data.principal.userId);
    if (!socket.connected) return;
    const present = new Set(chatRooms);
    for (const room of socket.rooms) {
      const chatRoom = room.startsWith(rooms.open('')) ? rooms.chat(room.slice(rooms.open('').length)) : room;
      if (chatRoom.startsWith(rooms.chat('')) && !present.has(chatRoom)) await socket.leave(room);
    }
    await socket.join(chatRooms);
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
