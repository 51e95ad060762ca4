import { Injectable } from '@nestjs/common';
import { ChatsService, type Membership } from '../chats/chats.service.js';
import { AppError } from '../common/errors.js';
import { Sequences } from '../common/sequences.js';
import { MessageChannel, type ChannelSent } from './message-channel.js';
import type { SendInput } from './message-writer.js';
import { MessagesRepository } from './messages.repository.js';

/**
 * Sends of people to chats that they are no members of, which may be conversations that they reach as agents: those go
 * out through the channel. Sends of one person to one chat go one after the other, in the order of the calls.
 */
@Injectable()
export class ChannelSends {
  private readonly sequences = new Sequences();

  constructor(
    private readonly chats: ChatsService,
    private readonly repository: MessagesRepository,
    private readonly channel: MessageChannel,
  ) {}

  /**
   * @param isMediaMissing its medium is not one that the sender may attach
   * @throws AppError CHAT_NOT_FOUND for who is no agent, MESSAGE_NOT_FOUND (the reply), MEDIA_NOT_FOUND, NOT_IN_WHATSAPP
   *   for mentions, and what the channel refuses
   */
  async send(input: SendInput, isMediaMissing: boolean, originSocketId: string | null): Promise<ChannelSent> {
    return this.sequences.run(`${input.senderId}:${input.chatId}`, async () => {
      const membership = await this.chats.requireMember(input.senderId, input.chatId);
      // They have become a member a moment ago.
      if (membership.chatType !== 'WHATSAPP') throw new AppError('CHAT_NOT_FOUND');
      if (input.mentions.length > 0) {
        throw new AppError('NOT_IN_WHATSAPP', { message: 'Nobody can be mentioned to a customer.' });
      }
      if (isMediaMissing) throw new AppError('MEDIA_NOT_FOUND');
      await this.assertMayReply(membership, input.replyToSeq);
      return this.channel.out.send(input, originSocketId);
    });
  }

  private async assertMayReply(
    { userId, chatId, firstSeq, lastSeq }: Membership,
    seq: number | null,
  ): Promise<void> {
    if (seq === null) return;
    if (seq < firstSeq || seq > lastSeq || (await this.repository.isHidden(userId, chatId, seq))) {
      throw new AppError('MESSAGE_NOT_FOUND', { message: 'The message replied to is not in this chat.' });
    }
  }
}
