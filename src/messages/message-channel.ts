import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import type { MessageAddress } from '../common/ids.js';
import type { EventMessageBody, MessageStatus, WhatsappMessageBody } from '../chats/message.dto.js';
import type { MarksBody, RecipientReceiptBody } from './messages.dto.js';
import type { SendInput } from './message-writer.js';

/** What only a channel knows of a message. */
export interface ChannelFacts {
  status: MessageStatus;
  whatsapp: WhatsappMessageBody;
}

/** What a channel knows of its messages that are stored. */
export interface ChannelFactsSource {
  /** Of each of the messages that has crossed the channel, by message id. */
  factsOf(addresses: readonly MessageAddress[]): Promise<Map<string, ChannelFacts>>;
  /** Who a message that left through the channel has reached, and when; null for any other message. */
  receiptsOf(address: MessageAddress): Promise<RecipientReceiptBody[] | null>;
}

/** A report of somebody of the team that they have read. */
export interface TeamReport {
  userId: string;
  chatId: string;
  /** Above the chat's last seq, it counts as that. */
  upToSeq: number;
  originSocketId: string | null;
}

/** Moves the mark that a team shares. @throws AppError CHAT_NOT_FOUND for who is not of the team */
export type MarkTeamRead = (report: TeamReport) => Promise<MarksBody>;

/** What becomes of a person's message to a channel. */
export type ChannelSent =
  /** Committed as QUEUED, and told to all. */
  | { created: true; message: EventMessageBody }
  /** The same `clientId` was sent before, with this message. */
  | { created: false; address: MessageAddress };

/** What people can do in a channel's chats, where messages do not simply get written. */
export interface OutgoingChannel {
  /**
   * Accepts the message of somebody who may see the chat, the message that it replies to and its medium. One call at a
   * time for each sender and chat.
   *
   * @throws AppError WINDOW_CLOSED, NOT_IN_WHATSAPP, CHAT_NOT_FOUND for who has just stopped being an agent
   */
  send(input: SendInput, originSocketId: string | null): Promise<ChannelSent>;
  /**
   * Sets, or takes back with null, the business's reaction to a message that the caller may see and that is neither
   * deleted nor a SYSTEM message.
   */
  react(userId: string, address: MessageAddress, emoji: string | null): Promise<void>;
}

/** The messages module's side of channels: it imports none of them, they register here. */
@Injectable()
export class MessageChannel {
  private facts: ChannelFactsSource | undefined;
  private markTeamRead: MarkTeamRead | undefined;
  private outgoing: OutgoingChannel | undefined;

  registerFacts(source: ChannelFactsSource): void {
    this.facts = source;
  }

  registerReads(markRead: MarkTeamRead): void {
    this.markTeamRead = markRead;
  }

  registerOutgoing(channel: OutgoingChannel): void {
    this.outgoing = channel;
  }

  /** Of each of the messages that has crossed a channel, by message id. */
  async factsOf(addresses: readonly MessageAddress[]): Promise<Map<string, ChannelFacts>> {
    return addresses.length === 0 || !this.facts ? new Map() : this.facts.factsOf(addresses);
  }

  /** See `ChannelFactsSource.receiptsOf`. */
  async receiptsOf(address: MessageAddress): Promise<RecipientReceiptBody[] | null> {
    return this.facts ? this.facts.receiptsOf(address) : null;
  }

  /** See `MarkTeamRead`. */
  async markRead(report: TeamReport): Promise<MarksBody> {
    if (!this.markTeamRead) throw new AppError('CHAT_NOT_FOUND');
    return this.markTeamRead(report);
  }

  /** @throws AppError CHAT_NOT_FOUND when there is no channel: then nobody has such a chat */
  get out(): OutgoingChannel {
    if (!this.outgoing) throw new AppError('CHAT_NOT_FOUND');
    return this.outgoing;
  }
}
