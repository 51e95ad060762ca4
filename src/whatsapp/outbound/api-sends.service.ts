import { Injectable } from '@nestjs/common';
import { AppError, validationError } from '../../common/errors.js';
import { isId, messageId, parseMessageId, type MessageAddress } from '../../common/ids.js';
import type { ReceivedUpload } from '../../infra/http/form-reader.js';
import type { MediaBody } from '../../media/media.dto.js';
import { MediaService } from '../../media/media.service.js';
import { canonicalEmoji } from '../../messages/reaction-emoji.js';
import { ConversationsService, type OpenConversation } from '../conversations/conversations.service.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { BusinessReactions } from './business-reactions.js';
import type { Accepted, OutgoingMessage, SendOrigin } from './outgoing.js';
import {
  assertFitsType,
  fileContent,
  isFileType,
  otherContent,
  textContent,
  uploadedContent,
} from './outgoing-content.js';
import { OutgoingReactionsRepository } from './reactions.repository.js';
import { readRecipient, type Recipient } from './recipient.js';
import { SendRepository } from './send.repository.js';
import { SendService } from './send.service.js';
import type { AcceptedBody, SendDto } from './sends.dto.js';

/** Meta's own ids of files are digits; ours are not. */
const GRAPH_ID = /^\d{1,64}$/;

/** Sends of a tenant's own systems. */
@Injectable()
export class ApiSends {
  constructor(
    private readonly sends: SendService,
    private readonly reactions: BusinessReactions,
    private readonly conversations: ConversationsService,
    private readonly media: MediaService,
    private readonly repository: SendRepository,
    private readonly reactionKeys: OutgoingReactionsRepository,
  ) {}

  /**
   * @param upload a file of this process that came along; unless it becomes part of a message, nothing of it stays
   * @throws AppError VALIDATION_FAILED, IDEMPOTENCY_CONFLICT, WINDOW_CLOSED, CUSTOMER_NOT_FOUND, MESSAGE_NOT_FOUND,
   *   MEDIA_NOT_FOUND, UNPROCESSABLE, and what an upload is refused with (`MediaService.takeIn`)
   */
  async send(tenant: Tenant, dto: SendDto, upload: ReceivedUpload | undefined): Promise<AcceptedBody> {
    assertFitsType(dto, upload !== undefined);
    const recipient = readRecipient(dto.to);
    const key = dto.idempotency_key ?? null;
    await this.assertUnused(tenant, key);
    if (dto.type === 'reaction') return this.react(tenant, await this.find(tenant, recipient), dto, key);
    const to = await this.open(tenant, recipient);
    const replyToSeq = await this.findReply(tenant, to, dto.replyToId ?? null);
    const rest = { to: recipient.to ?? null, replyToSeq };
    const origin: SendOrigin = { senderId: null, idempotencyKey: key, marks: 'FOLLOW' };
    const accepted = upload
      ? await this.sendUpload(tenant, to, dto, upload, rest, origin)
      : await this.sends.accept(tenant, to, { ...(await this.contentOf(tenant, dto)), ...rest }, origin);
    return toAccepted(accepted, key);
  }

  /**
   * Accepts a message that is ready, such as a template that was filled in.
   *
   * @throws AppError VALIDATION_FAILED, IDEMPOTENCY_CONFLICT, WINDOW_CLOSED, CUSTOMER_NOT_FOUND
   */
  async sendReady(
    tenant: Tenant,
    { to: address, idempotencyKey }: { to: string; idempotencyKey: string | null },
    message: OutgoingMessage,
  ): Promise<AcceptedBody> {
    const recipient = readRecipient(address);
    await this.assertUnused(tenant, idempotencyKey);
    const to = await this.open(tenant, recipient, message.isTemplate);
    const origin: SendOrigin = { senderId: null, idempotencyKey, marks: 'FOLLOW' };
    const accepted = await this.sends.accept(tenant, to, { ...message, to: recipient.to ?? null }, origin);
    return toAccepted(accepted, idempotencyKey);
  }

  /**
   * The customer's conversation. Where only who has written may be written to, nobody else leaves a trace.
   *
   * @param isTemplate whether it may open a conversation
   * @throws AppError WINDOW_CLOSED, CUSTOMER_NOT_FOUND
   */
  private async open(tenant: Tenant, recipient: Recipient, isTemplate = false): Promise<OpenConversation> {
    const found = await this.findOpen(tenant, recipient);
    if (found) return found;
    if (recipient.customerId !== null) throw new AppError('CUSTOMER_NOT_FOUND');
    if (tenant.enforcesWindow && !isTemplate) throw new AppError('WINDOW_CLOSED');
    return this.conversations.open(tenant, recipient.who);
  }

  private async find(tenant: Tenant, recipient: Recipient): Promise<OpenConversation> {
    const found = await this.findOpen(tenant, recipient);
    if (!found) throw new AppError('CUSTOMER_NOT_FOUND');
    return found;
  }

  private async findOpen(tenant: Tenant, { customerId, who }: Recipient): Promise<OpenConversation | null> {
    if (customerId === null) return this.conversations.find(tenant.id, who);
    const chatId = await this.repository.findChatOf(tenant.id, customerId);
    return chatId === null ? null : this.conversations.byChat(chatId);
  }

  private async sendUpload(
    tenant: Tenant,
    to: OpenConversation,
    dto: SendDto,
    upload: ReceivedUpload,
    rest: Pick<OutgoingMessage, 'to' | 'replyToSeq'>,
    origin: SendOrigin,
  ): Promise<Accepted> {
    const file = await this.media.takeIn(upload.path, upload.name);
    try {
      const content = fileContent(file.view(tenant.id), wishOf(dto, 'media'));
      const message = { ...content, ...rest, mediaId: file.id };
      const accepted = await this.sends.accept(tenant, to, message, origin);
      if (accepted.outcome !== 'CREATED') await this.media.releaseUnused([file.id]);
      return accepted;
    } catch (error) {
      await this.media.releaseUnused([file.id]);
      throw error;
    }
  }

  private async contentOf(
    tenant: Tenant,
    dto: SendDto,
  ): Promise<Pick<OutgoingMessage, 'type' | 'text' | 'request' | 'mediaId'>> {
    const { type = 'text', text, mediaId } = dto;
    if (type === 'text') return textContent(text ?? '', dto.previewUrl ?? false);
    if (!isFileType(type)) return otherContent(dto);
    if (mediaId !== undefined && GRAPH_ID.test(mediaId)) return uploadedContent(type, mediaId, dto);
    const file = await this.findMedium(tenant, mediaId ?? '');
    return { ...fileContent(file, wishOf(dto, 'mediaId')), mediaId: file.id };
  }

  private async findMedium(tenant: Tenant, mediaId: string): Promise<MediaBody> {
    const isTheirs = isId(mediaId) && (await this.repository.isMediumOf(tenant.id, mediaId));
    const file = isTheirs ? (await this.media.viewFor(tenant.id, [mediaId])).get(mediaId) : undefined;
    if (!file) throw new AppError('MEDIA_NOT_FOUND');
    return file;
  }

  private async react(
    tenant: Tenant,
    { chatId }: OpenConversation,
    dto: SendDto,
    idempotencyKey: string | null,
  ): Promise<AcceptedBody> {
    const { messageId: id = '', emoji: typed = '' } = dto.reaction ?? {};
    const emoji = typed === '' ? null : canonicalEmoji(typed);
    if (typed !== '' && emoji === null)
      throw validationError([{ field: 'reaction.emoji', message: 'must be exactly one emoji, or empty' }]);
    const address = parseMessageId(id);
    if (address?.chatId !== chatId || !(await this.repository.isThere(tenant.id, address)))
      throw new AppError('MESSAGE_NOT_FOUND');
    const reacted = await this.reactions.react({
      tenantId: tenant.id,
      address,
      userId: tenant.id,
      emoji,
      idempotencyKey,
    });
    if (reacted.outcome === 'KEY_USED') throw conflict(reacted.address);
    return { messageId: id, chatId, status: 'queued', idempotency_key: idempotencyKey };
  }

  private async findReply(tenant: Tenant, to: OpenConversation, id: string | null): Promise<number | null> {
    if (id === null) return null;
    const address = parseMessageId(id);
    if (address?.chatId !== to.chatId || !(await this.repository.isThere(tenant.id, address)))
      throw new AppError('MESSAGE_NOT_FOUND', {
        message: 'The message replied to is not in this conversation.',
      });
    return address.seq;
  }

  /** Answers a repeated send before anything else is looked at; a race is decided by the constraint. */
  private async assertUnused(tenant: Tenant, key: string | null): Promise<void> {
    if (key === null) return;
    const first =
      (await this.repository.findByKey(tenant.id, key)) ??
      (await this.reactionKeys.findByKey(tenant.id, key));
    if (first) throw conflict(first);
  }
}

/** @throws AppError IDEMPOTENCY_CONFLICT */
export function toAccepted(accepted: Accepted, idempotencyKey: string | null): AcceptedBody {
  if (accepted.outcome !== 'CREATED') throw conflict(accepted);
  const { id, chatId } = accepted.message;
  return { messageId: id, chatId, status: 'queued', idempotency_key: idempotencyKey };
}

function conflict({ chatId, seq }: MessageAddress): AppError {
  return new AppError('IDEMPOTENCY_CONFLICT', {
    details: [{ field: 'messageId', message: messageId(chatId, seq) }],
  });
}

function wishOf(dto: SendDto, field: 'media' | 'mediaId'): Parameters<typeof fileContent>[1] {
  const { type = 'text', caption, fileName } = dto;
  return {
    wanted: isFileType(type) ? type : null,
    caption: caption ?? null,
    fileName: fileName ?? null,
    field,
    captionField: 'caption',
  };
}
