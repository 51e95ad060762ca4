import { Injectable } from '@nestjs/common';
import { groupBy } from '../common/group-by.js';
import { AgentsRepository, type AgentRow } from './agents.repository.js';
import { ChannelChats, type ChannelChat } from './channel-chats.js';
import type { ChatForMemberRow } from './chats.repository.js';

/** What a tenant's conversation has instead of members of its own. */
export interface ConversationPart {
  /** The first ones, the viewer before all others. */
  agents: readonly AgentRow[];
  agentCount: number;
  channel: ChannelChat | undefined;
}

export interface ConversationPartsOfPage {
  byChat: ReadonlyMap<string, ConversationPart>;
  /** All agents in it, each once a tenant. */
  agents: readonly AgentRow[];
}

const NONE: ConversationPartsOfPage = { byChat: new Map(), agents: [] };

/** Looks up the parts of a page's conversations, each tenant once; a page without any pays nothing. */
@Injectable()
export class ConversationParts {
  constructor(
    private readonly repository: AgentsRepository,
    private readonly channelChats: ChannelChats,
  ) {}

  /** @param limit the most agents of one conversation */
  async of(
    viewerId: string,
    rows: readonly ChatForMemberRow[],
    limit: number,
  ): Promise<ConversationPartsOfPage> {
    const places = rows.flatMap(({ id, tenant_id: tenantId }) => (tenantId === null ? [] : { id, tenantId }));
    if (places.length === 0) return NONE;
    const tenantIds = [...new Set(places.map(({ tenantId }) => tenantId))];
    const [agents, counts, channels] = await Promise.all([
      this.repository.listFirst(tenantIds, viewerId, limit),
      this.repository.count(tenantIds),
      this.channelChats.describe(places.map(({ id }) => id)),
    ]);
    const agentsOf = groupBy(agents, (agent) => agent.tenant_id);
    const countOf = new Map(counts.map((row) => [row.tenant_id, row.count]));
    const byChat = new Map(
      places.map(({ id, tenantId }) => [
        id,
        {
          agents: agentsOf.get(tenantId) ?? [],
          agentCount: countOf.get(tenantId) ?? 0,
          channel: channels.get(id),
        },
      ]),
    );
    return { byChat, agents };
  }
}
