import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { createAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';
import { SessionsService } from '../auth/sessions.service.js';
import { Clock } from '../common/clock.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { HandshakeDeviceDto } from '../devices/devices.dto.js';
import { DevicesService } from '../devices/devices.service.js';
import { ClusterBus } from '../infra/events/cluster-bus.js';
import { PgSignalListener } from '../infra/events/pg-signals.js';
import { isAllowedOrigin } from '../infra/http/origins.js';
import type { Principal } from '../infra/http/request-context.js';
import { toAppError } from '../infra/http/to-app-error.js';
import { validateInput } from '../infra/http/validate.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import { LowestMarks } from '../messages/lowest-marks.js';
import { MessageWriter } from '../messages/message-writer.js';
import { ReceiptsWriter } from '../messages/receipts-writer.js';
import { PresenceService } from '../presence/presence.service.js';
import { adapterPublisher } from './adapter-publisher.js';
import { ChatDelivery } from './chat-delivery.js';
import { ChatRooms } from './chat-rooms.js';
import type { ClientServer, ClientSocket } from './client-socket.js';
import { corkWrites } from './cork-writes.js';
import { PresenceSubscriptions } from './presence-subscriptions.js';
import { RealtimeDispatcher } from './realtime.dispatcher.js';
import { RealtimeFanout } from './realtime.fanout.js';
import { RealtimeGateway } from './realtime.gateway.js';
import { refuseFloods } from './refuse-floods.js';
import { rooms } from './rooms.js';
import { SlowSockets } from './slow-sockets.js';
import { TypingService } from './typing.service.js';

/** Largest packet a client may send, in bytes. */
const MAX_PACKET_BYTES = 1_000_000;
/** How long a socket may take to read what was written before it is closed, in milliseconds. */
const CLOSE_PATIENCE_MS = 3_000;
/** How often they are looked up while signals cannot be heard, in milliseconds. */
const DEAF_SWEEP_MS = 1_000;
/**
 * A device that vanished is noticed after at most the sum, and told offline five seconds later: within the 45 seconds
 * of the contract. Milliseconds.
 */
export const PINGS: PingTimes = { pingInterval: 20_000, pingTimeout: 18_000 };
/** How often sessions that have run out are looked for among the live sockets, in milliseconds. */
const SESSION_SWEEP_MS = 60_000;

/** How often a socket is asked whether it is there, and how long it may take to answer, in milliseconds. */
export interface PingTimes {
  pingInterval: number;
  pingTimeout: number;
}

/**
 * The Socket.IO server: who may connect, in which rooms they are, and when they must go.
 *
 * A socket is in its rooms before `connect` fires, its user's first (see `ChatRooms`).
 */
@Injectable()
export class RealtimeServer {
  private io: ClientServer | undefined;
  /** The connections of WebSockets. */
  private readonly upgraded = new Set<Duplex>();
  private cancelSweep: (() => void) | undefined;
  private deafSweep: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly sessions: SessionsService,
    private readonly devices: DevicesService,
    private readonly chatRooms: ChatRooms,
    private readonly delivery: ChatDelivery,
    private readonly presence: PresenceService,
    private readonly subscriptions: PresenceSubscriptions,
    private readonly typing: TypingService,
    private readonly dispatcher: RealtimeDispatcher,
    private readonly gateway: RealtimeGateway,
    private readonly fanout: RealtimeFanout,
    private readonly messageWriter: MessageWriter,
    private readonly receiptsWriter: ReceiptsWriter,
    private readonly lowestMarks: LowestMarks,
    private readonly signals: PgSignalListener,
    private readonly bus: ClusterBus,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  attach(httpServer: HttpServer, pings: PingTimes = PINGS): void {
    const io: ClientServer = new Server(httpServer, {
      path: '/socket.io',
      serveClient: false,
      maxHttpBufferSize: MAX_PACKET_BYTES,
      ...pings,
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
    this.joinCluster(io);
    refuseFloods(io);
    corkWrites(io);
    new SlowSockets(this.metrics, this.log).watch(io);
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

  /** Tells the sockets of the other instances what happens here: for a process that serves none itself. */
  tellOthers(): void {
    const io: ClientServer = new Server();
    this.joinCluster(io);
    this.fanout.start(io);
  }

  /** Answers what has begun, then closes every socket so that its client comes back to another instance. */
  async close(): Promise<void> {
    this.cancelSweep?.();
    clearInterval(this.deafSweep);
    await this.dispatcher.drain();
    await Promise.all([this.messageWriter.drained(), this.receiptsWriter.drained()]);
    await this.lowestMarks.drained();
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

  private joinCluster(io: ClientServer): void {
    const { publisher, subscriber } = this.bus;
    if (!publisher || !subscriber) return;
    const telling = adapterPublisher(publisher, (error) => {
      this.bus.lose(error);
    });
    io.adapter(createAdapter(telling, subscriber));
  }

  private async admit(socket: ClientSocket): Promise<void> {
    // A client may send null for it.
    const auth = socket.handshake.auth as Record<string, unknown> | null;
    const { token, deviceId, deviceName } = auth ?? {};
    const device = validateInput(HandshakeDeviceDto, { deviceId, deviceName });
    const principal = await this.authenticate(token);
    socket.data.principal = principal;
    const known = await this.devices.connecting(principal, device);
    if (known !== null) socket.data.deviceId = known;
    await socket.join([rooms.user(principal.userId), rooms.session(principal.sessionId)]);
    await this.chatRooms.enter(socket);
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
    const { deviceId } = socket.data;
    const socketId = socket.id;
    this.metrics.sockets.inc();
    this.presence.connected(userId, socketId);
    if (deviceId !== undefined) this.devices.seen(userId, deviceId);
    socket.onAny((event: string, ...args: unknown[]) => {
      this.dispatcher.receive(socket, event, args);
    });
    socket.once('disconnect', () => {
      this.metrics.sockets.dec();
      this.typing.socketClosed(socketId);
      this.subscriptions.unsubscribe(socketId);
      this.presence.disconnected(userId, socketId);
      if (deviceId !== undefined) this.devices.seen(userId, deviceId);
    });
  }

  private closeSession(sessionId: string, reason: string): void {
    const namespace = this.io?.of('/');
    for (const socketId of [...(namespace?.adapter.rooms.get(rooms.session(sessionId)) ?? [])]) {
      const socket = namespace?.sockets.get(socketId);
      if (socket) void this.closeAfterLastWord(socket, reason);
    }
  }

  private async closeAfterLastWord(socket: ClientSocket, reason: string): Promise<void> {
    if (socket.data.lastWord) {
      await socket.data.lastWord;
      // The answer is sent in the turn in which it is known.
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.emit('session-revoked', { reason });
    socket.disconnect(true);
  }

  /** Signals were lost: rights may have ended and chats begun meanwhile. */
  private catchUp(): void {
    this.sweepSessions();
    this.rejoinChats().catch((error: unknown) => {
      this.log.error({ err: error }, 'memberships could not be looked up again');
    });
  }

  private async rejoinChats(): Promise<void> {
    const { cuts } = this.delivery;
    let waiting = [...(this.io?.of('/').sockets.values() ?? [])];
    while (waiting.length > 0 && cuts === this.delivery.cuts) {
      const failed: ClientSocket[] = [];
      for (const socket of waiting) {
        try {
          await this.chatRooms.reenter(socket);
          socket.emit('resync', {});
        } catch (error) {
          this.log.error({ err: error }, 'memberships could not be looked up again: they are once more');
          failed.push(socket);
        }
      }
      waiting = failed.filter((socket) => socket.connected);
      if (waiting.length > 0) await sleep(DEAF_SWEEP_MS, undefined, { ref: false });
    }
    this.delivery.startAfresh(cuts);
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
