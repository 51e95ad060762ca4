import type { Redis } from 'ioredis';
import type { Clock } from '../common/clock.js';
import { newId } from '../common/ids.js';
import type { ClusterBus } from '../infra/events/cluster-bus.js';
import type { Log } from '../infra/observability/log.js';
import { MemoryPresenceStore } from './memory.presence-store.js';
import { BEAT, DEADLINES_KEY, ELSEWHERE, GOODBYE, MOVE, REPLACE } from './presence-scripts.js';
import { GRACE_MS, PresenceStore, type PresenceChanges } from './presence-store.js';

const BEAT_MS = 10_000;
/**
 * After so long without a heartbeat an instance is dead. The others look at every beat of theirs, so a killed one is
 * noticed within 45 s of its last.
 */
const DEAD_AFTER_MS = 35_000;
const GOODBYE_TOPIC = 'presence-goodbye';

/**
 * Shares who is online with the other instances.
 *
 * Invariant: while `inStep`, Redis has exactly the users of `local` under this instance's id. Whatever may have
 * broken that (a failed command, a reconnect, being taken for dead) clears it, and the whole set is sent again; a
 * user who comes or goes meanwhile makes it be sent once more.
 */
export class RedisPresenceStore extends PresenceStore {
  private readonly instanceId = newId();
  private readonly local = new MemoryPresenceStore();
  private onChanges: (changes: PresenceChanges) => void = () => undefined;
  private inStep = false;
  private movesSoFar = 0;
  private lossReported = false;
  private stopped = false;
  private stopBeating: () => void = () => undefined;
  private readonly onReady = (): void => {
    this.inStep = false;
    void this.beat();
  };

  constructor(
    private readonly redis: Redis,
    private readonly bus: ClusterBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    super();
  }

  override start(onChanges: (changes: PresenceChanges) => void): void {
    this.onChanges = onChanges;
    this.redis.on('ready', this.onReady);
    this.stopBeating = this.clock.every(BEAT_MS, () => void this.beat());
    this.bus.on(GOODBYE_TOPIC, () => {
      this.clock.after(GRACE_MS, () => void this.beat());
    });
    if (this.redis.status === 'ready') this.onReady();
  }

  override async move(
    arrived: readonly string[],
    departed: readonly string[],
  ): Promise<{ online: string[]; offline: string[] }> {
    const moved = await this.local.move(arrived, departed);
    this.movesSoFar++;
    if (!this.inStep) return moved;
    try {
      const answer = await this.run(MOVE, [arrived.length, ...arrived, ...departed]);
      if (answer) return toMoved(answer);
      await this.sendAll();
    } catch (error) {
      this.loseStep(error);
      return moved;
    }
    const elsewhere = await this.onlineAmong(departed);
    return { online: [], offline: moved.offline.filter((userId) => !elsewhere.has(userId)) };
  }

  override async onlineAmong(userIds: readonly string[]): Promise<Set<string>> {
    const online = await this.local.onlineAmong(userIds);
    const others = userIds.filter((userId) => !online.has(userId));
    if (others.length === 0) return online;
    try {
      for (const userId of (await this.run(ELSEWHERE, others)) as string[]) online.add(userId);
    } catch (error) {
      this.report(error);
    }
    return online;
  }

  override async leave(): Promise<string[]> {
    this.stopped = true;
    this.stopBeating();
    this.redis.off('ready', this.onReady);
    try {
      if (!this.inStep) return this.local.users;
      const alone = (await this.run(GOODBYE, [this.clock.nowMs() + GRACE_MS])) as string[];
      this.bus.publish(GOODBYE_TOPIC, {});
      return alone;
    } catch (error) {
      this.report(error);
      return this.local.users;
    }
  }

  private async beat(): Promise<void> {
    if (this.stopped) return;
    try {
      if (!this.inStep) {
        await this.sendAll();
        return;
      }
      const dead = await this.run(BEAT, this.lease());
      if (dead) this.tell({ online: [], offline: toWentOffline(dead as string[]) });
      else await this.sendAll();
    } catch (error) {
      this.loseStep(error);
    }
  }

  private async sendAll(): Promise<void> {
    this.inStep = false;
    let movesBefore;
    do {
      movesBefore = this.movesSoFar;
      const answer = await this.run(REPLACE, [...this.lease(), ...this.local.users]);
      const { online, offline } = toMoved(answer);
      this.tell({ online, offline: offline.map((userId) => ({ userId, lastSeenAtMs: null })) });
    } while (this.movesSoFar > movesBefore);
    this.inStep = true;
    this.lossReported = false;
  }

  private lease(): [now: number, deadline: number] {
    const now = this.clock.nowMs();
    return [now, now + DEAD_AFTER_MS];
  }

  private tell(changes: PresenceChanges): void {
    if (changes.online.length > 0 || changes.offline.length > 0) this.onChanges(changes);
  }

  private async run(script: string, values: readonly (string | number)[]): Promise<unknown> {
    // ioredis would keep the command until it has tried to reconnect, and whoever asks would wait for that.
    if (this.redis.status !== 'ready') throw new Error('Redis is not connected');
    return this.redis.call('EVAL', [script, 1, DEADLINES_KEY, this.instanceId, ...values]);
  }

  private loseStep(error: unknown): void {
    this.inStep = false;
    this.report(error);
  }

  private report(error: unknown): void {
    if (!this.lossReported) this.log.warn({ err: error }, 'presence is known of this instance alone');
    this.lossReported = true;
  }
}

function toMoved(answer: unknown): { online: string[]; offline: string[] } {
  const [online = [], offline = []] = answer as string[][];
  return { online, offline };
}

function toWentOffline(flat: readonly string[]): PresenceChanges['offline'] {
  const offline: PresenceChanges['offline'] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const [userId = '', at = ''] = flat.slice(i, i + 2);
    offline.push({ userId, lastSeenAtMs: at === '' ? null : Number(at) });
  }
  return offline;
}
