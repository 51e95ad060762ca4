import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { messageId, type MessageAddress } from '../common/ids.js';
import { storableText } from '../common/storable.js';
import type { EventMessageBody, MessageType, WhatsappErrorBody } from '../chats/message.dto.js';
import { retryingDeadlocks } from '../infra/database/database.js';
import { EventBus } from '../infra/events/event-bus.js';
import { chatReader } from '../infra/storage/signed-urls.js';
import { MediaService } from '../media/media.service.js';
import {
  ChannelRevisionsRepository,
  type ChangedRow,
  type ChangeRow,
  type Completion,
} from './channel-revisions.repository.js';
import { NO_MARKS, toEventBody } from './message-mapper.js';
import { MessageViews } from './message-views.js';
import { MessageDeleted, MessageEdited, MessageReacted } from './messages.events.js';
import { MessagesRepository } from './messages.repository.js';
import { canonicalEmoji } from './reaction-emoji.js';
import { searchTermsOf } from './search-terms.js';

/** A change that a channel tells of a message which crossed it. */
export interface ChannelChange {
  tenantId: string;
  phoneNumberId: string;
  /** Of the change itself: told twice, it is made once. */
  wamid: string;
  targetWamid: string;
  /** Who made it: the customer, or the business. */
  direction: 'IN' | 'OUT';
  /** By Meta's clock: of several, the latest stands. */
  at: Date;
  what:
    | { kind: 'EDIT'; text: string | null; payload: object }
    | { kind: 'REVOKE' }
    /** `emoji` is null when it is taken back. */
    | { kind: 'REACTION'; emoji: string | null };
}

const MAX_EMOJI = 40;

/** What a channel tells of messages that have crossed it, and what is added to them later: new revisions for all. */
@Injectable()
export class ChannelRevisions {
  constructor(
    private readonly repository: ChannelRevisionsRepository,
    private readonly messages: MessagesRepository,
    private readonly views: MessageViews,
    private readonly media: MediaService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /** Keeps a change and makes it, now or when its message appears; tells everybody who sees the message. */
  async change(change: ChannelChange): Promise<void> {
    const rows = await retryingDeadlocks(() => this.repository.change(toRow(change), this.clock.now()));
    for (const row of rows) await this.tellChange(row);
  }

  /** Adds the file of a message; false when the message has one, or is gone. The medium is then nobody's. */
  async attach({ chatId, seq }: MessageAddress, mediaId: string): Promise<boolean> {
    return this.complete({ chatId, seq }, { mediaId });
  }

  /** Puts a message's content in the place of what could not be shown; false when there is content. */
  async fill(
    { chatId, seq }: MessageAddress,
    content: { type: MessageType; text: string | null; payload: object; mediaPending: boolean },
  ): Promise<boolean> {
    const { type, text, payload, mediaPending } = content;
    const terms = text === null ? null : searchTermsOf(text);
    const fill = { type, text, terms, payload, media_pending: mediaPending };
    return this.complete({ chatId, seq }, { fill });
  }

  /** Notes why the file of a message will never come. */
  async giveUpFile(address: MessageAddress, error: WhatsappErrorBody): Promise<void> {
    await this.complete(address, { error });
  }

  /** Forgets changes that were told so long ago that nothing depends on them any more. */
  async forgetOld(until: Date): Promise<void> {
    await this.repository.deleteOld(until);
  }

  /** Tells everybody what a message is now, whatever was changed of it. */
  async tell({ chatId, seq }: MessageAddress, tenant: { id: string; agentsSeq: number }): Promise<void> {
    const message = await this.read({ chatId, seq });
    if (!message) return;
    const { id, rev } = message;
    this.events.publish(
      message.deletedAt === null
        ? new MessageEdited(message, tenant.agentsSeq, [], tenant.id)
        : new MessageDeleted(chatId, id, seq, rev, tenant.id, tenant.agentsSeq, [], tenant.id),
    );
  }

  private async complete(address: MessageAddress, completion: Completion): Promise<boolean> {
    const { chatId, seq } = address;
    const row = await retryingDeadlocks(() => this.repository.complete(chatId, seq, completion));
    if (!row) return false;
    await this.tell(address, { id: row.tenant_id, agentsSeq: row.agents_seq });
    return true;
  }

  private async tellChange(row: ChangedRow): Promise<void> {
    const { chat_id: chatId, seq, rev, actor_id: actorId, agents_seq: agentsSeq, tenant_id: tenantId } = row;
    const id = messageId(chatId, seq);
    switch (row.kind) {
      case 'EDIT':
        await this.tell({ chatId, seq }, { id: tenantId, agentsSeq });
        break;
      case 'REVOKE':
        this.events.publish(new MessageDeleted(chatId, id, seq, rev, actorId, agentsSeq, [], tenantId));
        if (row.media_id !== null) await this.media.releaseUnused([row.media_id]);
        break;
      case 'REACTION': {
        const { emoji, action } = row;
        if (emoji === null || action === null) break;
        this.events.publish(
          new MessageReacted(chatId, id, rev, actorId, emoji, action, agentsSeq, [], tenantId),
        );
      }
    }
  }

  private async read({ chatId, seq }: MessageAddress): Promise<EventMessageBody | null> {
    // Nobody is called like a chat: nothing of it is starred or hidden.
    const rows = await this.messages.listAt(chatId, [chatId], [seq]);
    const [body] = await this.views.of(chatReader(chatId), rows, () => NO_MARKS);
    return body ? toEventBody(body) : null;
  }
}

function toRow(change: ChannelChange): ChangeRow {
  return {
    tenant_id: change.tenantId,
    phone_number_id: change.phoneNumberId,
    wamid: change.wamid,
    kind: change.what.kind,
    target_wamid: change.targetWamid,
    direction: change.direction,
    at: change.at,
    change: detailsOf(change.what),
  };
}

function detailsOf(what: ChannelChange['what']): object {
  switch (what.kind) {
    case 'EDIT': {
      const { text, payload } = what;
      return { text, terms: text === null ? null : searchTermsOf(text), payload };
    }
    case 'REACTION':
      return { emoji: what.emoji === null ? null : emojiOf(what.emoji) };
    case 'REVOKE':
      return {};
  }
}

/** One that is newer than the server knows is shown as it came. */
function emojiOf(text: string): string {
  return canonicalEmoji(text) ?? storableText(text.slice(0, MAX_EMOJI));
}
