import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { messageId } from '../../common/ids.js';
import { Limit } from '../../common/limit.js';
import {
  ChannelMessages,
  type ChannelMessage,
  type ChannelOutcome,
} from '../../messages/channel-messages.js';
import { ChannelRevisions, type ChannelChange } from '../../messages/channel-revisions.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { customerKeys, type CustomerKeys } from '../conversations/customer-keys.js';
import type { CustomerRef } from '../conversations/customer-ref.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { CustomerTurns } from './customer-turns.js';
import { EchoesRepository } from './echoes.repository.js';
import type { ItemContext } from './item-applier.js';
import { ItemRefused } from './item-refused.js';
import { MEDIA_LIVES_MS, MediaWakeups } from './media-wakeups.js';
import { NumberTenants } from './number-tenants.js';
import type { MessageContent } from './parse-content.js';
import type { MetaMessage } from './parse-messages.js';
import type { MetaCall } from './parse-others.js';
import { payloadOf } from './payload.js';

const WINDOW_MS = 24 * 3_600_000;
/** What is older is not answered any more, in milliseconds. */
const ANSWERED_WITHIN_MS = 3_600_000;
const MAX_MOVES = 4;
/** Questions to the database that come one a message: an address book must not take all connections from people. */
const MAX_ASKING = 4;

/** A message without the chat it goes to. */
type Written = Omit<ChannelMessage, 'chatId' | 'tenantId' | 'phoneNumberId' | 'senderId'>;

/** Writes the messages that come from Meta into the conversations of their customers, and changes those that are there. */
@Injectable()
export class MessageApplier {
  private readonly turns = new CustomerTurns();
  private readonly asking = new Limit(MAX_ASKING);

  constructor(
    private readonly door: ChannelMessages,
    private readonly revisions: ChannelRevisions,
    private readonly conversations: ConversationsService,
    private readonly numbers: NumberTenants,
    private readonly echoes: EchoesRepository,
    private readonly media: MediaWakeups,
    private readonly clock: Clock,
  ) {}

  /** @throws ItemRefused for what names no customer */
  async apply(tenant: Tenant, message: MetaMessage, context: ItemContext): Promise<void> {
    const { act } = message;
    if (act.kind !== 'SHOW' && act.kind !== 'RENAME') {
      return this.asking.run(() => this.revisions.change(toChange(tenant, message, act, context)));
    }
    const written = this.toWritten(tenant, message, act.content, context);
    // What the business sent by another way may be a send of ours whose answer is still to come.
    const isEcho = message.direction === 'OUT' && message.origin !== 'HISTORY';
    const outcome = await this.write(
      tenant,
      message.who,
      written,
      isEcho ? (chatId) => this.isOurs(tenant, chatId, message, written, context) : undefined,
    );
    if (outcome) await this.follow(message, act.content, written, outcome);
    if (act.kind === 'RENAME') await this.conversations.rename(tenant, message.who, act.after);
  }

  /** A call becomes a line of the conversation once it has ended. */
  async applyCall(tenant: Tenant, call: MetaCall, { receivedAt }: ItemContext): Promise<void> {
    const { id, direction, from, to, at, seconds } = call;
    const isIn = direction === 'IN';
    const isMissed = isIn && seconds === null;
    await this.write(tenant, call.who, {
      type: 'SYSTEM',
      text: textOfCall(call),
      status: 'SENT',
      direction,
      wamid: id,
      from,
      to,
      sentAt: at,
      payload: payloadOf(call.payload),
      windowUntil: isIn ? new Date((at ?? receivedAt).getTime() + WINDOW_MS) : null,
      marks: isMissed ? null : 'FOLLOW',
    });
  }

  private toWritten(
    tenant: Tenant,
    message: MetaMessage,
    content: MessageContent,
    { source, receivedAt }: ItemContext,
  ): Written {
    const { direction, origin, wamid, from, to, sentAt, status, replyTo, forwarded, who } = message;
    const { type, text, media, error } = content;
    const at = sentAt ?? receivedAt;
    const isIn = direction === 'IN';
    const isNews = isIn && origin === 'LIVE' && type !== 'SYSTEM' && !message.isGroup;
    const age = this.clock.nowMs() - at.getTime();
    return {
      type,
      text,
      replyToWamid: replyTo,
      forwarded,
      status,
      direction,
      wamid,
      from: from ?? (isIn ? (who.waId ?? who.userId ?? null) : null),
      to: to ?? (isIn ? null : (who.waId ?? who.userId ?? null)),
      sentAt,
      error,
      payload: payloadOf(message.payload),
      botPending:
        isNews && (tenant.autoReply || tenant.hasFlows) && source !== 'sample' && age < ANSWERED_WITHIN_MS,
      mediaPending: media !== null && !tenant.isMock && age < MEDIA_LIVES_MS,
      isHistory: origin === 'HISTORY',
      windowUntil: isNews ? new Date(at.getTime() + WINDOW_MS) : null,
      marks: marksOf(message, type),
    };
  }

  /** Whether it is a message of ours of which nobody knew yet whether it was sent: then it is known now. */
  private async isOurs(
    { phoneNumberId }: Tenant,
    chatId: string,
    { wamid, sentAt }: MetaMessage,
    { type, text, payload }: Written,
    { receivedAt }: ItemContext,
  ): Promise<boolean> {
    const seq = await this.echoes.findUnanswered(chatId, wamid, type, text);
    if (seq === null) return false;
    const callback = messageId(chatId, seq);
    const at = sentAt ?? receivedAt;
    await this.door.applyStatus({ wamid, phoneNumberId, callback, status: 'sent', at, item: payload });
    return true;
  }

  private async follow(
    { origin }: MetaMessage,
    content: MessageContent,
    { payload, mediaPending = false }: Written,
    outcome: ChannelOutcome,
  ): Promise<void> {
    if (outcome.outcome === 'CREATED') {
      const { chatId, seq } = outcome.message;
      if (mediaPending) this.media.wake({ chatId, seq });
      return;
    }
    // The content of a message of the history follows it.
    if (outcome.outcome !== 'REPEATED' || origin !== 'HISTORY' || content.type === 'UNSUPPORTED') return;
    const { chatId, seq } = outcome;
    const { type, text } = content;
    const isFilled = await this.revisions.fill({ chatId, seq }, { type, text, payload, mediaPending });
    if (isFilled && mediaPending) this.media.wake({ chatId, seq });
  }

  /** @param isKnown asked before it is written; what is known is not, and the answer is null */
  private async write(
    tenant: Tenant,
    who: CustomerRef,
    written: Written,
    isKnown?: (chatId: string) => Promise<boolean>,
  ): Promise<ChannelOutcome | null> {
    const keys = keysOf(who);
    const turn = `${tenant.id} ${keys.keys[0] ?? ''}`;
    const place =
      isKnown || this.turns.isBusy(turn) ? undefined : this.conversations.located(tenant.id, keys);
    if (place) return this.moving(tenant, keys, written, this.writeTo(tenant, place.chatId, written));
    // The turn ends when the message is on its way, so that those behind share its batch.
    const { sent } = await this.turns.run(turn, async () => {
      const { chatId } =
        this.conversations.located(tenant.id, keys) ??
        (await this.asking.run(() => this.conversations.locate(tenant, keys)));
      if (isKnown && (await isKnown(chatId))) return { sent: null };
      const sent = this.writeTo(tenant, chatId, written);
      sent.catch(() => undefined);
      return { sent };
    });
    return sent && this.moving(tenant, keys, written, sent);
  }

  /** The conversation may have been merged into another, or the tenant be gone, since it was looked up. */
  private async moving(
    tenant: Tenant,
    keys: CustomerKeys,
    written: Written,
    sent: Promise<ChannelOutcome>,
  ): Promise<ChannelOutcome> {
    let outcome = await sent;
    for (let move = 0; outcome.outcome === 'CLOSED' || outcome.outcome === 'NO_CHAT'; move++) {
      if (move === MAX_MOVES) throw new ItemRefused('FAILED', 'its conversation is not to be found');
      this.conversations.forget(tenant.id, keys);
      this.numbers.forget(tenant.phoneNumberId);
      const now = await this.numbers.find(tenant.phoneNumberId);
      if (!now) throw new ItemRefused('UNKNOWN_NUMBER', 'no tenant has this number any more');
      const { chatId } = await this.asking.run(() => this.conversations.locate(now, keys));
      outcome = await this.writeTo(now, chatId, written);
    }
    return outcome;
  }

  private writeTo(tenant: Tenant, chatId: string, written: Written): Promise<ChannelOutcome> {
    const { id: tenantId, phoneNumberId } = tenant;
    return this.door.write({ ...written, chatId, tenantId, phoneNumberId, senderId: null });
  }
}

function keysOf(who: CustomerRef): CustomerKeys {
  const keys = customerKeys(who);
  if (!keys) throw new ItemRefused('BAD_ITEM', 'nothing names the customer');
  return keys;
}

function marksOf({ direction, origin }: MetaMessage, type: MessageContent['type']): 'ALL' | 'FOLLOW' | null {
  if (origin === 'HISTORY' || type === 'SYSTEM') return 'FOLLOW';
  return direction === 'OUT' ? 'ALL' : null;
}

function toChange(
  tenant: Tenant,
  message: MetaMessage,
  act: Exclude<MetaMessage['act'], { kind: 'SHOW' | 'RENAME' }>,
  { receivedAt }: ItemContext,
): ChannelChange {
  const { target, ...what } = act;
  return {
    tenantId: tenant.id,
    phoneNumberId: tenant.phoneNumberId,
    wamid: message.wamid,
    targetWamid: target,
    direction: message.direction,
    at: message.sentAt ?? receivedAt,
    what: what.kind === 'EDIT' ? { ...what, payload: payloadOf(what.payload) } : what,
  };
}

function textOfCall({ direction, seconds }: MetaCall): string {
  if (seconds === null) return direction === 'IN' ? 'Missed call' : 'Call without an answer';
  return `Call of ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} minutes`;
}
