import { Injectable } from '@nestjs/common';
import { ChatMessages } from '../../chats/chat-messages.js';
import type { MessageBody } from '../../chats/message.dto.js';
import { messageId } from '../../common/ids.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { Page } from '../../infra/http/envelope.js';
import type { PageQuery } from '../../infra/http/page.dto.js';
import { MessagesService } from '../../messages/messages.service.js';
import { ConversationListsRepository, type ListedConversationRow } from './conversation-lists.repository.js';
import type { ConversationBody } from './conversations.dto.js';

/** Pages of what a tenant and its customers have written: conversations, and the messages of all of them. */
@Injectable()
export class ConversationLists {
  constructor(
    private readonly repository: ConversationListsRepository,
    private readonly chatMessages: ChatMessages,
    private readonly messages: MessagesService,
    private readonly cursors: Cursors,
  ) {}

  /**
   * The conversations of a tenant, the last active first.
   *
   * @param agentId as who sees them; null for the tenant's own system
   * @throws AppError INVALID_CURSOR
   */
  async list(
    tenantId: string,
    agentId: string | null,
    query: PageQuery,
  ): Promise<{ conversations: ConversationBody[]; page: Page }> {
    const scope = `conversations:${tenantId}:${agentId ?? ''}`;
    const position = query.cursor === undefined ? null : this.cursors.decode(scope, query.cursor);
    const after = position && { activeAt: new Date(String(position[0])), chatId: String(position[1]) };
    const rows = await this.repository.list(tenantId, agentId, after, query.limit + 1);
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    const lastMessages = await this.chatMessages.lastOf(agentId ?? tenantId, shown.map(toHead));
    return {
      conversations: shown.map((row) => toBody(tenantId, row, lastMessages.get(row.chat_id) ?? null)),
      page: {
        nextCursor:
          last && rows.length > query.limit
            ? this.cursors.encode(scope, [last.active_at.toISOString(), last.chat_id])
            : null,
      },
    };
  }

  /**
   * The messages of all conversations of a tenant as one of its agents has them, newest first. A page may be short:
   * messages that the agent has hidden are left out of it.
   *
   * @throws AppError INVALID_CURSOR
   */
  async listMessages(
    tenantId: string,
    agentId: string,
    query: PageQuery,
  ): Promise<{ messages: MessageBody[]; page: Page }> {
    const scope = `tenant-messages:${tenantId}:${agentId}`;
    const before = query.cursor === undefined ? null : String(this.cursors.decode(scope, query.cursor)[0]);
    const rows = await this.repository.listMessages(tenantId, agentId, before, query.limit + 1);
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    const bodies = await this.messages.viewAt(
      agentId,
      shown.map((row) => ({ chatId: row.chat_id, seq: row.seq })),
      new Map(),
    );
    const bodyOf = new Map(bodies.map((body) => [body.id, body]));
    return {
      messages: shown.flatMap((row) => bodyOf.get(messageId(row.chat_id, row.seq)) ?? []),
      page: {
        nextCursor: last && rows.length > query.limit ? this.cursors.encode(scope, [last.place]) : null,
      },
    };
  }
}

/** A team has one mark, and all that it was sent is delivered to it. */
function toHead(row: ListedConversationRow) {
  const marks = { deliveredSeq: row.last_seq, readSeq: row.read_seq };
  return {
    chatId: row.chat_id,
    firstSeq: row.cleared_seq + 1,
    lastSeq: row.last_seq,
    mine: marks,
    others: marks,
  };
}

function toBody(
  tenantId: string,
  row: ListedConversationRow,
  lastMessage: MessageBody | null,
): ConversationBody {
  return {
    waId: row.wa_id,
    name: row.name,
    chatId: row.chat_id,
    tenantId,
    lastMessage,
    lastMessageAt: lastMessage && (lastMessage.whatsapp?.sentAt ?? lastMessage.createdAt),
    status: lastMessage?.status ?? null,
    unreadCount: row.last_seq - Math.max(row.read_seq, row.cleared_seq),
  };
}
