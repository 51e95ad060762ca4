import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import type { MessageAddress } from '../../common/ids.js';
import { codePointLength } from '../../infra/http/validators.js';
import { chatReader } from '../../infra/storage/signed-urls.js';
import { MediaService } from '../../media/media.service.js';
import { MessageChannel, type ChannelSent } from '../../messages/message-channel.js';
import type { SendInput } from '../../messages/message-writer.js';
import { ConversationsService, type OpenConversation } from '../conversations/conversations.service.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { BusinessReactions } from './business-reactions.js';
import type { OutgoingMessage } from './outgoing.js';
import { fileContent, textContent } from './outgoing-content.js';
import { MAX_CAPTION } from './send-content.dto.js';
import { SendService } from './send.service.js';

/** What agents do in conversations, over REST and sockets: the messages module hands it on to here. */
@Injectable()
export class AgentSends implements OnModuleInit {
  constructor(
    private readonly channel: MessageChannel,
    private readonly sends: SendService,
    private readonly reactions: BusinessReactions,
    private readonly conversations: ConversationsService,
    private readonly tenants: TenantsService,
    private readonly media: MediaService,
  ) {}

  onModuleInit(): void {
    this.channel.registerOutgoing({
      send: (input, originSocketId) => this.send(input, originSocketId),
      react: (userId, address, emoji) => this.react(userId, address, emoji),
    });
  }

  private async send(input: SendInput, originSocketId: string | null): Promise<ChannelSent> {
    const to = await this.require(input.chatId);
    const tenant = await this.tenants.get(to.tenantId);
    if (input.forwarded) throw new AppError('NOT_IN_WHATSAPP');
    const accepted = await this.sends.accept(tenant, to, await this.messageOf(input), {
      senderId: input.senderId,
      clientId: input.clientId,
      originSocketId,
      marks: 'ALL',
    });
    if (accepted.outcome === 'CREATED') return { created: true, message: accepted.message };
    return { created: false, address: { chatId: accepted.chatId, seq: accepted.seq } };
  }

  private async messageOf({ chatId, text, mediaId, replyToSeq }: SendInput): Promise<OutgoingMessage> {
    if (mediaId === null) return { ...textContent(text ?? ''), replyToSeq };
    const file = (await this.media.viewFor(chatReader(chatId), [mediaId])).get(mediaId);
    if (!file) throw new AppError('MEDIA_NOT_FOUND');
    if (text !== null && codePointLength(text) > MAX_CAPTION) {
      throw new AppError('NOT_IN_WHATSAPP', {
        message: `The text of a file has at most ${MAX_CAPTION} characters in WhatsApp.`,
        details: [{ field: 'text', message: `must be text of 1 to ${MAX_CAPTION} characters with a file` }],
      });
    }
    const wish = { wanted: null, caption: text, fileName: null, field: 'mediaId', captionField: 'text' };
    return { ...fileContent(file, wish), mediaId, replyToSeq };
  }

  private async react(userId: string, address: MessageAddress, emoji: string | null): Promise<void> {
    const { tenantId } = await this.require(address.chatId);
    await this.reactions.react({ tenantId, address, userId, emoji, idempotencyKey: null });
  }

  private async require(chatId: string): Promise<OpenConversation> {
    const found = await this.conversations.byChat(chatId);
    if (!found) throw new AppError('CHAT_NOT_FOUND');
    return found;
  }
}
