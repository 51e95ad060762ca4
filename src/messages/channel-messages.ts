import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Batches } from '../common/batches.js';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { messageId, parseMessageId } from '../common/ids.js';
import type {
  EventMessageBody,
  MessageStatus,
  MessageType,
  WhatsappErrorBody,
  WhatsappMessageBody,
} from '../chats/message.dto.js';
import { EventBus } from '../infra/events/event-bus.js';
import { isNotReady } from '../infra/http/to-app-error.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import type { MediaBody } from '../media/media.dto.js';
import {
  ChannelMessagesRepository,
  type AppendedRow,
  type AppendRow,
  type AppliedStatusRow,
  type StatusRow,
} from './channel-messages.repository.js';
import { ChannelRevisions } from './channel-revisions.js';
import { MessageCreated, MessageStatusChanged, TeamRead } from './messages.events.js';
import { searchTermsOf } from './search-terms.js';

/** One message that came or is to go through a channel. */
export interface ChannelMessage {
  chatId: string;
  tenantId: string;
  phoneNumberId: string;
  /** A user's id for what an agent sends, else null. */
  senderId: string | null;
  /** The client's own id of an agent's send. */
  clientId?: string | null;
  type: MessageType;
  text: string | null;
  /** With its view for all (`chatReader(chatId)`). */
  media?: { id: string; view: MediaBody } | null;
  replyToSeq?: number | null;
  /** Instead of `replyToSeq`: looked up in the same chat; unknown ones reply to nothing. */
  replyToWamid?: string | null;
  forwarded?: boolean;
  status: MessageStatus;
  direction: 'IN' | 'OUT';
  wamid: string | null;
  from: string | null;
  to: string | null;
  /** By Meta's clock. */
  sentAt: Date | null;
  error?: WhatsappErrorBody | null;
  idempotencyKey?: string | null;
  /** Must be storable: see `storable`. */
  payload: Record<string, unknown>;
  /** OUT, to be sent by the queue: READY, from this time on. */
  dispatchAt?: Date | null;
  /** IN: the bot is to look at it. */
  botPending?: boolean;
  /** IN: its file is still to be fetched. */
  mediaPending?: boolean;
  isHistory?: boolean;
  /** Opens the window for free text until then. */
  windowUntil?: Date | null;
  /** What becomes of the team's read mark: it moves here, or does so if nothing before was unread. Default: nothing. */
  marks?: 'ALL' | 'FOLLOW' | null;
  /** The socket that sends it, which the event leaves out. */
  originSocketId?: string | null;
}

export type ChannelOutcome =
  /** Committed, and everybody was told. */
  | {
      outcome: 'CREATED';
      message: EventMessageBody;
      agentsSeq: number;
      tenantId: string;
      /** Free text may be sent from now on, and could not be before. */
      windowOpened: boolean;
    }
  /** REPEATED: the same wamid, or sender and client id. KEY_USED: the same idempotency key. Both with the first's address. */
  | { outcome: 'REPEATED' | 'KEY_USED'; chatId: string; seq: number; messageId: string }
  /** The chat was merged into another, with which it goes on. */
  | { outcome: 'CLOSED'; chatId: string }
  | { outcome: 'NO_CHAT' };

/** A status that a channel has told of one message. */
export interface ChannelStatus {
  wamid: string;
  /** Another name under which the message may be known. */
  altWamid?: string | null;
  /** Null when it was not told: then the message is found by its wamid alone. */
  phoneNumberId: string | null;
  /** Our own id of the message, which went out with it. */
  callback?: string | null;
  status: 'sent' | 'delivered' | 'read' | 'played' | 'failed';
  at: Date;
  /** Of `failed`. */
  error?: WhatsappErrorBody | null;
  /** Of one in a group. */
  participant?: string | null;
  /** As it came, for those kept for later; must be storable. */
  item: object;
}

export interface AppliedStatus {
  outcome: 'APPLIED' | 'SAME' | 'PENDING';
  /** Of the message, unless it is PENDING. */
  chatId: string | null;
  seq: number | null;
  tenantId: string | null;
  /** As it stands now. */
  status: MessageStatus | null;
  isNewStatus: boolean;
}

/** What one call commits is told in one turn, payloads included, and must not look like too much to read. */
const MAX_APPENDS = 50;
const MAX_STATUSES = 200;
/** The inbox bounds what waits by its size; this only stands between a mistake and the memory. */
const MAX_WAITING = 100_000;

/**
 * The door for channels, beside `MessagesService.send` for people: what comes and goes through one is written here, told
 * like every other message, and its statuses applied. A promise resolves after the commit.
 */
@Injectable()
export class ChannelMessages {
  private readonly appends: Batches<ChannelMessage, ChannelOutcome>;
  private readonly statuses: Batches<ChannelStatus, AppliedStatus>;

  constructor(
    private readonly repository: ChannelMessagesRepository,
    private readonly revisions: ChannelRevisions,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {
    const options = {
      maxWaiting: MAX_WAITING,
      onFull: () => new AppError('NOT_READY', { retryAfterMs: 1000 }),
      isHopeless: isNotReady,
    };
    this.appends = new Batches((inputs) => this.append(inputs), { ...options, maxSize: MAX_APPENDS });
    this.statuses = new Batches((inputs) => this.apply(inputs), { ...options, maxSize: MAX_STATUSES });
  }

  /** Writes a message. Those of one caller to one chat get their seqs in the order of the calls. */
  async write(message: ChannelMessage): Promise<ChannelOutcome> {
    return this.appends.add(message);
  }

  /** Applies a status, forward only; one of an unknown message is kept until it appears. */
  async applyStatus(status: ChannelStatus): Promise<AppliedStatus> {
    return this.statuses.add(status);
  }

  /** Tells everybody of a status that was committed elsewhere: when a send was accepted, refused, or is tried again. */
  tellStatus(
    address: { chatId: string; seq: number },
    status: MessageStatus,
    at: Date,
    tenant: { id: string; agentsSeq: number },
  ): void {
    const { chatId, seq } = address;
    this.events.publish(
      new MessageStatusChanged(chatId, messageId(chatId, seq), seq, status, at, tenant.agentsSeq, tenant.id),
    );
  }

  /** Resolves once nothing waits and nothing is in flight. */
  async drained(): Promise<void> {
    await Promise.all([this.appends.drained(), this.statuses.drained()]);
  }

  private async append(messages: readonly ChannelMessage[]): Promise<ChannelOutcome[]> {
    const at = this.clock.now();
    const rows = await this.repository.append(messages.map(toAppendRow), at);
    const later = new Map(
      rows
        .filter(({ outcome }) => outcome === 'STATUS')
        .map((row) => [messageId(row.chat_id, row.seq), row.status]),
    );
    const outcomes = rows
      .filter(({ ord }) => ord > 0)
      .map((row) => {
        const message = messages[row.ord - 1];
        if (!message) throw new Error('a channel message was answered that was not written');
        return this.settle(message, row, later.get(messageId(row.chat_id, row.seq)), at);
      });
    await this.tellChanged(
      rows.filter(({ outcome }) => outcome === 'CHANGED'),
      outcomes,
    );
    return outcomes;
  }

  /** What was told of a message before it came has changed it already. Everything is committed: nothing may fail here. */
  private async tellChanged(
    rows: readonly AppendedRow[],
    outcomes: readonly ChannelOutcome[],
  ): Promise<void> {
    for (const { chat_id: chatId, seq, agents_seq: agentsSeq } of rows) {
      const created = outcomes.find(
        (one) => one.outcome === 'CREATED' && one.message.chatId === chatId && one.message.seq === seq,
      );
      const id = created?.outcome === 'CREATED' ? created.tenantId : null;
      if (id === null) continue;
      await this.revisions.tell({ chatId, seq }, { id, agentsSeq }).catch((error: unknown) => {
        this.log.error({ err: error }, 'a change of a message could not be told');
      });
    }
  }

  private settle(
    message: ChannelMessage,
    row: AppendedRow,
    laterStatus: MessageStatus | undefined,
    at: Date,
  ): ChannelOutcome {
    switch (row.outcome) {
      case 'CREATED': {
        this.metrics.messages.inc();
        const body = toBody(message, row, laterStatus ?? message.status, at);
        this.events.publish(
          new MessageCreated(
            body,
            message.originSocketId ?? null,
            'WHATSAPP',
            row.agents_seq,
            message.tenantId,
          ),
        );
        if (row.team_read_seq !== null) {
          this.events.publish(
            new TeamRead(
              row.chat_id,
              row.team_read_seq,
              message.originSocketId ?? null,
              row.agents_seq,
              message.tenantId,
            ),
          );
        }
        return {
          outcome: 'CREATED',
          message: body,
          agentsSeq: row.agents_seq,
          tenantId: message.tenantId,
          windowOpened: row.window_opened,
        };
      }
      case 'REPEATED':
      case 'KEY_USED': {
        const { chat_id: chatId, seq } = row;
        return { outcome: row.outcome, chatId, seq, messageId: messageId(chatId, seq) };
      }
      case 'CLOSED':
        return { outcome: 'CLOSED', chatId: row.chat_id };
      case 'NO_CHAT':
      case 'STATUS':
      case 'CHANGED':
        return { outcome: 'NO_CHAT' };
    }
  }

  private async apply(statuses: readonly ChannelStatus[]): Promise<AppliedStatus[]> {
    const rows = await this.repository.applyStatuses(statuses.map(toStatusRow), this.clock.now());
    this.tellLast(rows, statuses);
    return rows.map((row) => ({
      outcome: row.outcome,
      chatId: row.chat_id,
      seq: row.seq,
      tenantId: row.tenant_id,
      status: row.status,
      isNewStatus: row.is_new_status,
    }));
  }

  /** Several statuses of one message in one call have one outcome, which is told once. */
  private tellLast(rows: readonly AppliedStatusRow[], statuses: readonly ChannelStatus[]): void {
    const told = new Set<string>();
    for (const row of rows) {
      const { chat_id: chatId, seq, tenant_id: tenantId, agents_seq: agentsSeq, status } = row;
      if (!row.is_new_status || chatId === null || seq === null || tenantId === null || status === null)
        continue;
      const id = messageId(chatId, seq);
      if (told.has(id)) continue;
      told.add(id);
      const at = statuses[row.ord - 1]?.at ?? this.clock.now();
      this.tellStatus({ chatId, seq }, status, at, { id: tenantId, agentsSeq: agentsSeq ?? 0 });
    }
  }
}

function toAppendRow(message: ChannelMessage): AppendRow {
  return {
    chat_id: message.chatId,
    key:
      message.clientId === null || message.clientId === undefined
        ? `s:${randomUUID()}`
        : `c:${message.clientId}`,
    sender_id: message.senderId ?? undefined,
    type: message.type,
    text: message.text ?? undefined,
    terms: message.text === null ? undefined : (searchTermsOf(message.text) ?? undefined),
    media_id: message.media?.id,
    reply_to_seq: message.replyToSeq ?? undefined,
    reply_to_wamid: message.replyToWamid ?? undefined,
    forwarded: message.forwarded === true ? true : undefined,
    side: {
      tenant_id: message.tenantId,
      phone_number_id: message.phoneNumberId,
      direction: message.direction,
      status: message.status,
      wamid: message.wamid,
      from: message.from,
      to: message.to,
      sent_at: message.sentAt,
      error: message.error,
      idempotency_key: message.idempotencyKey,
      payload: message.payload,
      dispatch: message.dispatchAt ? 'READY' : null,
      next_attempt_at: message.dispatchAt,
      bot_pending: message.botPending,
      media_pending: message.mediaPending,
      is_history: message.isHistory,
      window_until: message.windowUntil,
      marks: message.marks,
    },
  };
}

function toStatusRow(status: ChannelStatus): StatusRow {
  const callback = status.callback ? parseMessageId(status.callback) : null;
  return {
    wamid: status.wamid,
    alt_wamid: status.altWamid ?? undefined,
    phone_number_id: status.phoneNumberId ?? undefined,
    callback_chat_id: callback?.chatId,
    callback_seq: callback?.seq,
    status: status.status,
    at: status.at.toISOString(),
    error: status.error ?? undefined,
    participant: status.participant ?? undefined,
    item: status.item,
  };
}

function toBody(
  message: ChannelMessage,
  row: AppendedRow,
  status: MessageStatus,
  at: Date,
): EventMessageBody {
  const whatsapp: WhatsappMessageBody = {
    waMessageId: message.wamid,
    direction: message.direction,
    from: message.from,
    to: message.to,
    sentAt: message.sentAt?.toISOString() ?? null,
    error: message.error ?? null,
    payload: message.payload,
  };
  return {
    id: messageId(row.chat_id, row.seq),
    chatId: row.chat_id,
    seq: row.seq,
    rev: 1,
    clientId: message.clientId ?? null,
    senderId: message.senderId,
    type: message.type,
    text: message.text,
    media: message.media?.view ?? null,
    mentions: [],
    replyTo:
      row.reply_seq === null || row.reply_type === null
        ? null
        : {
            id: messageId(row.chat_id, row.reply_seq),
            senderId: row.reply_sender_id,
            type: row.reply_type,
            text: row.reply_deleted ? null : row.reply_text,
          },
    forwarded: message.forwarded ?? false,
    reactions: [],
    status,
    editedAt: null,
    deletedAt: null,
    createdAt: at.toISOString(),
    whatsapp,
  };
}
