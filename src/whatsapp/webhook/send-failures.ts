import { Injectable } from '@nestjs/common';
import type { WhatsappErrorBody } from '../../chats/message.dto.js';
import type { AppliedStatus } from '../../messages/channel-messages.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { classify } from '../graph/error-classes.js';
import { TenantTroubles } from '../outbound/tenant-troubles.js';
import { TenantsService } from '../tenants/tenants.service.js';

/** Why a message failed may concern more than the message. */
@Injectable()
export class SendFailures {
  constructor(
    private readonly tenants: TenantsService,
    private readonly troubles: TenantTroubles,
    private readonly conversations: ConversationsService,
  ) {}

  /** @param at by Meta's clock */
  async look(error: WhatsappErrorBody, { tenantId, chatId }: AppliedStatus, at: Date): Promise<void> {
    if (tenantId === null || chatId === null) return;
    const code = Number(error.code);
    const errorClass = classify(Number.isFinite(code) ? code : null, null);
    await this.troubles.heed(tenantId, errorClass, error);
    if (errorClass !== 'OPTED_OUT') return;
    const customer = await this.conversations.byChat(chatId);
    if (!customer) return;
    const { waId, userId } = customer;
    await this.conversations.setOptedOut(await this.tenants.get(tenantId), { waId, userId }, true, at);
  }
}
