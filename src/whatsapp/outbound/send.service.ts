import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { messageId, type MessageAddress } from '../../common/ids.js';
import { storable } from '../../common/storable.js';
import { chatReader } from '../../infra/storage/signed-urls.js';
import type { MediaBody } from '../../media/media.dto.js';
import { MediaService } from '../../media/media.service.js';
import {
  ChannelMessages,
  type ChannelMessage,
  type ChannelOutcome,
} from '../../messages/channel-messages.js';
import { ConversationsService, type OpenConversation } from '../conversations/conversations.service.js';
import type { Tenant } from '../tenants/tenants.service.js';
import type { Accepted, OutgoingMessage, SendOrigin } from './outgoing.js';
import { ReadReceipts } from './read-receipts.js';
import { sendJob } from './send-jobs.js';
import { pass } from './send-points.js';
import { SendQueue } from './send-queue.js';
import { SendRepository } from './send.repository.js';

/** Accepts messages to customers. Sending them is the dispatcher's. */
@Injectable()
export class SendService {
  constructor(
    private readonly channel: ChannelMessages,
    private readonly repository: SendRepository,
    private readonly conversations: ConversationsService,
    private readonly media: MediaService,
    private readonly reads: ReadReceipts,
    private readonly queue: SendQueue,
    private readonly clock: Clock,
  ) {}

  /**
   * Commits a message as QUEUED, tells everybody, and wakes the queue. A tenant that cannot send at present keeps it.
   *
   * @param message whose reply and medium the sender may use
   * @throws AppError WINDOW_CLOSED for anything but a template while the customer has not written for 24 hours,
   *   CHAT_NOT_FOUND for a conversation that is not the tenant's, MEDIA_NOT_FOUND
   */
  async accept(
    tenant: Tenant,
    to: OpenConversation,
    message: OutgoingMessage,
    origin: SendOrigin,
  ): Promise<Accepted> {
    if (!this.mayWrite(tenant, to, message)) {
      // What was accepted before the window closed is answered as it was.
      const first = await this.findFirst(tenant, to, origin);
      if (!first) throw new AppError('WINDOW_CLOSED');
      return first;
    }
    const media = await this.viewOf(to.chatId, message.mediaId ?? null);
    const written = await this.channel.write(this.toWrite(tenant, to, message, origin, media));
    return this.settle(tenant, message, origin, written);
  }

  private async settle(
    tenant: Tenant,
    message: OutgoingMessage,
    origin: SendOrigin,
    written: ChannelOutcome,
  ): Promise<Accepted> {
    switch (written.outcome) {
      case 'CREATED': {
        pass('committed');
        const { chatId, seq } = written.message;
        this.queue.add([sendJob('send', chatId, seq)]);
        if (origin.marks === 'ALL') this.reads.wake(chatId, seq);
        return { outcome: 'CREATED', message: written.message };
      }
      case 'KEY_USED':
      case 'REPEATED':
        return written;
      case 'CLOSED': {
        const next = await this.conversations.byChat(written.chatId);
        if (next?.mergedIntoId !== null) throw new AppError('CHAT_NOT_FOUND');
        // What it answers stays where it was.
        return this.accept(tenant, next, { ...message, replyToSeq: null }, origin);
      }
      case 'NO_CHAT':
        throw new AppError('CHAT_NOT_FOUND');
    }
  }

  private mayWrite(tenant: Tenant, { windowExpiresAt }: OpenConversation, message: OutgoingMessage): boolean {
    if (message.isTemplate === true || !tenant.enforcesWindow) return true;
    return windowExpiresAt !== null && windowExpiresAt.getTime() > this.clock.nowMs();
  }

  private async findFirst(
    tenant: Tenant,
    { chatId }: OpenConversation,
    { senderId, clientId, idempotencyKey }: SendOrigin,
  ): Promise<Accepted | null> {
    const byKey = idempotencyKey ? await this.repository.findByKey(tenant.id, idempotencyKey) : null;
    if (byKey) return { outcome: 'KEY_USED', ...named(byKey) };
    if (senderId === null || !clientId) return null;
    const byClient = await this.repository.findByClientId(senderId, chatId, clientId);
    return byClient && { outcome: 'REPEATED', ...named(byClient) };
  }

  private async viewOf(
    chatId: string,
    mediaId: string | null,
  ): Promise<{ id: string; view: MediaBody } | null> {
    if (mediaId === null) return null;
    const view = (await this.media.viewFor(chatReader(chatId), [mediaId])).get(mediaId);
    if (!view) throw new AppError('MEDIA_NOT_FOUND');
    return { id: mediaId, view };
  }

  private toWrite(
    tenant: Tenant,
    to: OpenConversation,
    message: OutgoingMessage,
    origin: SendOrigin,
    media: { id: string; view: MediaBody } | null,
  ): ChannelMessage {
    const { senderId, clientId, idempotencyKey, originSocketId, marks } = origin;
    return {
      chatId: to.chatId,
      tenantId: tenant.id,
      phoneNumberId: tenant.phoneNumberId,
      senderId,
      clientId: clientId ?? null,
      type: message.type,
      text: message.text,
      media,
      replyToSeq: message.replyToSeq ?? null,
      status: 'QUEUED',
      direction: 'OUT',
      wamid: null,
      from: tenant.displayPhoneNumber?.replace(/\D/g, '') ?? tenant.phoneNumberId,
      to: message.to ?? recipientOf(to),
      sentAt: null,
      idempotencyKey: idempotencyKey ?? null,
      payload: storable(message.request),
      dispatchAt: this.clock.now(),
      marks,
      originSocketId: originSocketId ?? null,
    };
  }
}

/** The number as Meta writes it, else as somebody else did, else the business-scoped id. */
function recipientOf({ waId, phone, userId }: OpenConversation): string {
  return waId ?? phone?.replace(/\D/g, '') ?? userId ?? '';
}

function named(address: MessageAddress): MessageAddress & { messageId: string } {
  return { ...address, messageId: messageId(address.chatId, address.seq) };
}
