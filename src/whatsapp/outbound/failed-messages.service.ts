import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { messageId, parseMessageId } from '../../common/ids.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { Page } from '../../infra/http/envelope.js';
import type { PageQuery } from '../../infra/http/page.dto.js';
import { ChannelMessages } from '../../messages/channel-messages.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { sendJob } from './send-jobs.js';
import { SendQueue } from './send-queue.js';
import { SendRepository, type FailedRow } from './send.repository.js';
import type { AcceptedBody, FailedMessageBody } from './sends.dto.js';

/** The dead letters: what was not sent, and what a person has to decide. */
@Injectable()
export class FailedMessages {
  constructor(
    private readonly repository: SendRepository,
    private readonly channel: ChannelMessages,
    private readonly queue: SendQueue,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /** @throws AppError INVALID_CURSOR */
  async list(
    tenant: Tenant,
    { cursor, limit }: PageQuery,
  ): Promise<{ messages: FailedMessageBody[]; page: Page }> {
    const scope = `failed-messages:${tenant.id}`;
    const position = cursor === undefined ? null : this.cursors.decode(scope, cursor);
    const before = position && {
      createdAt: new Date(String(position[0])),
      chatId: String(position[1]),
      seq: Number(position[2]),
    };
    const rows = await this.repository.listFailed(tenant.id, before, limit + 1);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const next = last && [last.created_at.toISOString(), last.chat_id, last.seq];
    return {
      messages: shown.map(toFailed),
      page: { nextCursor: next ? this.cursors.encode(scope, next) : null },
    };
  }

  /**
   * Sends a message once more: one that has failed, or of which nobody knows whether it was sent.
   *
   * @throws AppError MESSAGE_NOT_FOUND, NOT_RETRYABLE
   */
  async retry(tenant: Tenant, id: string): Promise<AcceptedBody> {
    const address = parseMessageId(id);
    if (!address || !(await this.repository.isThere(tenant.id, address)))
      throw new AppError('MESSAGE_NOT_FOUND');
    const at = this.clock.now();
    const agentsSeq = await this.repository.retry(tenant.id, address, at);
    if (agentsSeq === null) throw new AppError('NOT_RETRYABLE');
    this.channel.tellStatus(address, 'QUEUED', at, { id: tenant.id, agentsSeq });
    this.queue.add([sendJob('send', address.chatId, `${address.seq}.${at.getTime()}`)]);
    return { messageId: id, chatId: address.chatId, status: 'queued', idempotency_key: null };
  }
}

function toFailed(row: FailedRow): FailedMessageBody {
  return {
    messageId: messageId(row.chat_id, row.seq),
    chatId: row.chat_id,
    to: row.to,
    type: row.type,
    text: row.text,
    status: row.status,
    error: row.error,
    attempts: row.attempts,
    createdAt: row.created_at.toISOString(),
  };
}
