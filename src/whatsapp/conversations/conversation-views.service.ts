import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ChannelChats, type ChannelChat } from '../../chats/channel-chats.js';
import type { WhatsappErrorBody } from '../../chats/message.dto.js';
import { messageId, type MessageAddress } from '../../common/ids.js';
import { MessageChannel, type ChannelFacts } from '../../messages/message-channel.js';
import type { RecipientReceiptBody } from '../../messages/messages.dto.js';
import {
  ConversationViewsRepository,
  type ConversationViewRow,
  type WhatsappFactsRow,
} from './conversation-views.repository.js';

/** Of whom nothing at all is known. */
const NAMELESS = 'Unknown customer';

/** What chats and messages show of the customer at the other end, and of what crossed Meta's wire. */
@Injectable()
export class ConversationViews implements OnModuleInit {
  constructor(
    private readonly repository: ConversationViewsRepository,
    private readonly channelChats: ChannelChats,
    private readonly messageChannel: MessageChannel,
  ) {}

  onModuleInit(): void {
    this.channelChats.registerDescriptions((chatIds) => this.describe(chatIds));
    this.messageChannel.registerFacts({
      factsOf: (addresses) => this.factsOf(addresses),
      receiptsOf: (address) => this.receiptsOf(address),
    });
  }

  private async describe(chatIds: readonly string[]): Promise<Map<string, ChannelChat>> {
    const rows = await this.repository.listConversations(chatIds);
    return new Map(rows.map((row) => [row.chat_id, toChannelChat(row)]));
  }

  private async factsOf(addresses: readonly MessageAddress[]): Promise<Map<string, ChannelFacts>> {
    const rows = await this.repository.listFacts(addresses);
    return new Map(rows.map((row) => [messageId(row.chat_id, row.seq), toFacts(row)]));
  }

  /** The one recipient is the customer. */
  private async receiptsOf(address: MessageAddress): Promise<RecipientReceiptBody[] | null> {
    const row = await this.repository.findReceipt(address);
    return (
      row && [
        {
          userId: row.customer_id,
          deliveredAt: row.delivered_at?.toISOString() ?? null,
          readAt: row.read_at?.toISOString() ?? null,
        },
      ]
    );
  }
}

function toChannelChat(row: ConversationViewRow): ChannelChat {
  const { customer_id: id, wa_id: waId, user_id: userId, phone, name } = row;
  return {
    name: name ?? row.username ?? phone ?? waId ?? userId ?? NAMELESS,
    whatsapp: {
      tenantId: row.tenant_id,
      customer: { id, waId, userId, phone, name },
      windowExpiresAt: row.window_expires_at?.toISOString() ?? null,
      botPaused: row.bot_paused,
    },
  };
}

function toFacts(row: WhatsappFactsRow): ChannelFacts {
  return {
    status: row.status,
    whatsapp: {
      waMessageId: row.wamid,
      direction: row.direction,
      from: row.from,
      to: row.to,
      sentAt: row.sent_at?.toISOString() ?? null,
      error: toError(row.error),
      payload: row.payload,
    },
  };
}

/** What is kept of an error besides stays with the operator. */
function toError(error: unknown): WhatsappErrorBody | null {
  if (error === null || typeof error !== 'object') return null;
  const { code, message, title, details } = error as Record<string, unknown>;
  return {
    code: textOf(code) ?? 'UNKNOWN',
    message: textOf(message) ?? textOf(title) ?? '',
    details: textOf(details),
  };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}
