import { Injectable } from '@nestjs/common';
import { AgentsJoined, AgentsLeft, ConversationOpened } from '../../chats/chats.events.js';
import { ChatsService } from '../../chats/chats.service.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Log } from '../../infra/observability/log.js';
import { PresenceService } from '../../presence/presence.service.js';
import type { ClientServer } from '../client-socket.js';
import { MembershipsRepository } from '../memberships.repository.js';
import { rooms } from '../rooms.js';

/** Agents whose view is looked up at once. */
const LOOK_UPS_AT_ONCE = 4;

/**
 * Conversations that begin, and agents who come and go. What begins while agents are being told waits for the next round,
 * in which each agent's view of all of it is looked up at once: a rush of new customers costs by agents and rounds.
 */
@Injectable()
export class ConversationsFanout {
  /** By tenant that a round is under way for, the chats that wait for the next one. */
  private readonly waiting = new Map<string, Set<string>>();

  constructor(
    private readonly events: EventBus,
    private readonly chats: ChatsService,
    private readonly presence: PresenceService,
    private readonly memberships: MembershipsRepository,
    private readonly log: Log,
  ) {}

  start(io: ClientServer): void {
    this.events.on(ConversationOpened, async ({ tenantId, chatId }) => {
      const waiting = this.waiting.get(tenantId);
      if (waiting) waiting.add(chatId);
      else await this.tellRounds(io, tenantId, chatId);
    });
    // What they may see is all of a tenant's conversations, or none of them any more: sync tells which.
    for (const change of [AgentsJoined, AgentsLeft]) {
      this.events.on<AgentsJoined | AgentsLeft>(change, ({ userIds }) => {
        if (userIds.length > 0) io.to(userIds.map(rooms.user)).emit('resync', {});
      });
    }
  }

  private async tellRounds(io: ClientServer, tenantId: string, firstChatId: string): Promise<void> {
    let round = new Set([firstChatId]);
    try {
      while (round.size > 0) {
        const next = new Set<string>();
        this.waiting.set(tenantId, next);
        await this.tell(io, tenantId, [...round]);
        round = next;
      }
    } finally {
      this.waiting.delete(tenantId);
    }
  }

  private async tell(io: ClientServer, tenantId: string, chatIds: readonly string[]): Promise<void> {
    const agentIds = await this.online(await this.memberships.listAgentIds(tenantId));
    const queue = agentIds.values();
    const work = async (): Promise<void> => {
      for (const userId of queue) {
        for (const chat of await this.chats.viewMany(userId, chatIds)) {
          io.to(rooms.user(userId)).emit('new-chat', { chat });
        }
      }
    };
    await Promise.all(Array.from({ length: LOOK_UPS_AT_ONCE }, work));
  }

  private async online(userIds: readonly string[]): Promise<readonly string[]> {
    try {
      const online = await this.presence.isOnline(userIds);
      return userIds.filter((userId) => online.get(userId));
    } catch (error) {
      this.log.warn({ err: error }, 'who is online is not known: all agents are told');
      return userIds;
    }
  }
}
