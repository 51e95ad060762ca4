import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { ClusterBus } from '../infra/events/cluster-bus.js';
import { Log } from '../infra/observability/log.js';
import type { PresenceBody, PresenceSource } from '../users/public-users.service.js';
import { GRACE_MS, PresenceStore, type PresenceChanges, type WentOffline } from './presence-store.js';
import { PresenceRepository } from './presence.repository.js';

/** Told which user's presence to look at again; with `viewerId`, only what that one viewer may know has changed. */
export type PresenceHandler = (userId: string, viewerId?: string) => void;

interface LocalUser {
  connections: Set<string>;
  /** Set while the user has no connection and the grace runs. */
  leaving: { atMs: number; cancel: () => void } | null;
}

/** A user who left this instance, or null for one who came. */
type Move = { leftAtMs: number } | null;

const TOPIC = 'presence-changed';

interface ChangedPayload {
  userIds: string[];
  viewerId?: string;
}

/**
 * Who is online: whoever has a connection to any instance, or had one less than five seconds ago.
 *
 * Connections are counted here, per instance; the store knows the users of all. An announcement carries no state:
 * whoever hears it asks for the present one, so announcements may come late, twice or out of order.
 */
@Injectable()
export class PresenceService implements PresenceSource, OnModuleInit, BeforeApplicationShutdown {
  private readonly here = new Map<string, LocalUser>();
  private moves = new Map<string, Move>();
  private draining: Promise<void> | undefined;
  private stopped = false;
  private readonly handlers: PresenceHandler[] = [];

  constructor(
    private readonly store: PresenceStore,
    private readonly repository: PresenceRepository,
    private readonly bus: ClusterBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.store.start((changes) => void this.announce(changes));
    this.bus.on<ChangedPayload>(TOPIC, ({ userIds, viewerId }) => {
      for (const userId of userIds) {
        for (const handler of this.handlers) handler(userId, viewerId);
      }
    });
  }

  /** Writes down when everybody left; who does not come back to another instance is announced from there. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    for (const { leaving } of this.here.values()) leaving?.cancel();
    await this.draining;
    const alone = await this.store.leave();
    const now = this.clock.nowMs();
    await this.writeLastSeen(
      alone.map((userId) => ({ userId, lastSeenAtMs: this.here.get(userId)?.leaving?.atMs ?? now })),
    );
  }

  /** A signed-in connection to this instance is open; ids of connections are unique among a user's. */
  connected(userId: string, connectionId: string): void {
    if (this.stopped) return;
    const user = this.here.get(userId);
    if (user) {
      user.leaving?.cancel();
      user.leaving = null;
      user.connections.add(connectionId);
      return;
    }
    this.here.set(userId, { connections: new Set([connectionId]), leaving: null });
    this.enqueue(userId, null);
  }

  /** The connection is closed; unknown ones are ignored. */
  disconnected(userId: string, connectionId: string): void {
    const user = this.here.get(userId);
    if (!user?.connections.delete(connectionId) || user.connections.size > 0 || this.stopped) return;
    const atMs = this.clock.nowMs();
    const cancel = this.clock.after(GRACE_MS, () => {
      this.here.delete(userId);
      this.enqueue(userId, { leftAtMs: atMs });
    });
    user.leaving = { atMs, cancel };
  }

  /** Resolves once everyone who came or whose grace is over has been recorded and told. */
  async settled(): Promise<void> {
    await this.draining;
  }

  /** Who of `userIds` is online on any instance, whoever asks. */
  async isOnline(userIds: readonly string[]): Promise<Map<string, boolean>> {
    const elsewhere = userIds.filter((userId) => !this.here.has(userId));
    const online = elsewhere.length > 0 ? await this.store.onlineAmong(elsewhere) : new Set<string>();
    return new Map(userIds.map((userId) => [userId, this.here.has(userId) || online.has(userId)]));
  }

  /** What `viewerId` may know of each of `userIds`; who may know nothing learns "offline, never seen". */
  async presenceOf(viewerId: string, userIds: readonly string[]): Promise<Map<string, PresenceBody>> {
    const rows = userIds.length > 0 ? await this.repository.listVisible(viewerId, userIds) : [];
    const visible = rows.filter((row) => row.visible);
    const online = await this.isOnline(visible.map((row) => row.userId));
    const presence = new Map<string, PresenceBody>(
      userIds.map((userId) => [userId, { online: false, lastSeenAt: null }]),
    );
    for (const { userId, lastSeenAt } of visible) {
      presence.set(userId, {
        online: online.get(userId) ?? false,
        lastSeenAt: lastSeenAt?.toISOString() ?? null,
      });
    }
    return presence;
  }

  /** A user's true presence: only for those whom `visibleTo` names. While online, `lastSeenAt` is of the time before. */
  async stateOf(userId: string): Promise<PresenceBody> {
    const [online, lastSeenAt] = await Promise.all([
      this.isOnline([userId]),
      this.repository.findLastSeen(userId),
    ]);
    return { online: online.get(userId) ?? false, lastSeenAt: lastSeenAt?.toISOString() ?? null };
  }

  /** Those among `viewerIds` whom blocks and the user's setting allow to know the user's presence. */
  async visibleTo(userId: string, viewerIds: readonly string[]): Promise<Set<string>> {
    return new Set(viewerIds.length > 0 ? await this.repository.listAllowedViewers(userId, viewerIds) : []);
  }

  /** Calls `handler` on every instance for every user whose presence changed, or who may know of it. */
  onChange(handler: PresenceHandler): void {
    this.handlers.push(handler);
  }

  /** Lets all subscribers of a user, or one of them, be looked at again on every instance. */
  reconsider(userId: string, viewerId?: string): void {
    this.publish({ userIds: [userId], ...(viewerId !== undefined && { viewerId }) });
  }

  /** Who comes and goes in one turn of the event loop, or while the last are told, goes to the store together. */
  private enqueue(userId: string, move: Move): void {
    this.moves.set(userId, move);
    this.draining ??= this.drain();
  }

  private async drain(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.moves.size > 0) {
      const moves = this.moves;
      this.moves = new Map();
      const arrived = [...moves].filter(([, move]) => move === null).map(([userId]) => userId);
      const departed = [...moves].filter(([, move]) => move !== null).map(([userId]) => userId);
      const { online, offline } = await this.store.move(arrived, departed);
      await this.announce({
        online,
        offline: offline.map((userId) => ({ userId, lastSeenAtMs: moves.get(userId)?.leftAtMs ?? null })),
      });
    }
    this.draining = undefined;
  }

  private async announce({ online, offline }: PresenceChanges): Promise<void> {
    await this.writeLastSeen(offline);
    const userIds = [...online, ...offline.map(({ userId }) => userId)];
    if (userIds.length > 0) this.publish({ userIds });
  }

  private async writeLastSeen(offline: readonly WentOffline[]): Promise<void> {
    const times = offline.flatMap(({ userId, lastSeenAtMs }) =>
      lastSeenAtMs === null ? [] : { userId, at: new Date(lastSeenAtMs) },
    );
    if (times.length === 0) return;
    try {
      await this.repository.writeLastSeen(times);
    } catch (error) {
      this.log.warn({ err: error, users: times.length }, 'when people were last seen could not be written');
    }
  }

  private publish(payload: ChangedPayload): void {
    this.bus.publish(TOPIC, payload);
  }
}
