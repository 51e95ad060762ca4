import { Injectable } from '@nestjs/common';
import { isId } from '../common/ids.js';
import { Log } from '../infra/observability/log.js';
import { PresenceService } from '../presence/presence.service.js';
import type { ClientSocket } from './client-socket.js';
import type { PresenceEvent } from './server-events.js';

interface Subscriber {
  socket: ClientSocket;
  /** What this socket was told last, so that it hears of changes alone. */
  told: string;
}

/**
 * Which sockets of this instance follow whose presence. At every change the viewers' rights are looked up again,
 * so a block or a new setting takes effect on subscriptions that exist.
 */
@Injectable()
export class PresenceSubscriptions {
  private readonly subscribers = new Map<string, Map<string, Subscriber>>();
  private readonly targetsOf = new Map<string, Set<string>>();
  private changed = new Set<string>();
  private telling = false;

  constructor(
    private readonly presence: PresenceService,
    private readonly log: Log,
  ) {
    presence.onChange((userId) => {
      this.changeLater(userId);
    });
  }

  /** Replaces what the socket follows and answers the present state of each, in the order asked. */
  async subscribe(socket: ClientSocket, userIds: readonly string[]): Promise<PresenceEvent[]> {
    this.unsubscribe(socket.id);
    if (!socket.connected) return [];
    const known = [...new Set(userIds)].filter(isId);
    const targets = new Set(known);
    this.targetsOf.set(socket.id, targets);
    for (const userId of known) {
      const subscribers = this.subscribers.get(userId) ?? new Map<string, Subscriber>();
      subscribers.set(socket.id, { socket, told: '' });
      this.subscribers.set(userId, subscribers);
    }
    const states = await this.presence.presenceOf(socket.data.principal.userId, known);
    return known.flatMap((userId) => {
      const state = states.get(userId);
      if (!state) return [];
      const event = { userId, ...state };
      const subscriber = this.subscribers.get(userId)?.get(socket.id);
      if (subscriber?.told === '') subscriber.told = JSON.stringify(event);
      return [event];
    });
  }

  unsubscribe(socketId: string): void {
    for (const userId of this.targetsOf.get(socketId) ?? []) {
      const subscribers = this.subscribers.get(userId);
      subscribers?.delete(socketId);
      if (subscribers?.size === 0) this.subscribers.delete(userId);
    }
    this.targetsOf.delete(socketId);
  }

  private changeLater(userId: string): void {
    if (!this.subscribers.has(userId)) return;
    this.changed.add(userId);
    if (this.telling) return;
    this.telling = true;
    setImmediate(() => {
      void this.tellChanges();
    });
  }

  /** Changes of one turn are told together; one round ends before the next begins, so that the last word is the newest. */
  private async tellChanges(): Promise<void> {
    while (this.changed.size > 0) {
      const changed = this.changed;
      this.changed = new Set();
      const told = await Promise.allSettled([...changed].map((userId) => this.tell(userId)));
      for (const outcome of told) {
        if (outcome.status === 'rejected')
          this.log.error({ err: outcome.reason as unknown }, 'presence could not be told');
      }
    }
    this.telling = false;
  }

  private async tell(userId: string): Promise<void> {
    const subscribers = [...(this.subscribers.get(userId)?.values() ?? [])];
    const viewerIds = [...new Set(subscribers.map(({ socket }) => socket.data.principal.userId))];
    const [allowed, state] = await Promise.all([
      this.presence.visibleTo(userId, viewerIds),
      this.presence.stateOf(userId),
    ]);
    const visible: PresenceEvent = { userId, ...state };
    const hidden: PresenceEvent = { userId, online: false, lastSeenAt: null };
    for (const subscriber of subscribers) {
      const event = allowed.has(subscriber.socket.data.principal.userId) ? visible : hidden;
      const text = JSON.stringify(event);
      if (text === subscriber.told) continue;
      subscriber.told = text;
      subscriber.socket.emit('presence', event);
    }
  }
}
