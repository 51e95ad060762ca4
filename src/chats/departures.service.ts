import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { AccountRemoval, type AfterCommit } from '../users/account-removal.js';
import { ChatMessages } from './chat-messages.js';
import { ChatUpdated, MembersLeft, MembershipUpdated } from './chats.events.js';
import { GroupChanges } from './group-changes.js';
import { groupTexts } from './group-texts.js';
import { MembersRepository } from './members.repository.js';
import type { EventMessageBody } from './message.dto.js';

/** Takes whoever deletes their account out of all their chats; a group they own passes to somebody else. */
@Injectable()
export class DeparturesService implements OnModuleInit {
  constructor(
    private readonly repository: MembersRepository,
    private readonly chatMessages: ChatMessages,
    private readonly accountRemoval: AccountRemoval,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.accountRemoval.onDelete((tx, userId) => this.removeFromAll(tx, userId));
  }

  private async removeFromAll(tx: PrismaTransaction, userId: string): Promise<AfterCommit> {
    const at = this.clock.now();
    const memberships = await this.repository.lockChatsOf(tx, userId);
    const groups = memberships.filter((membership) => membership.is_group);
    const owned = groups.filter((group) => group.role === 'OWNER').map((group) => group.chat_id);
    const successors = await this.repository.listSuccessors(tx, owned, userId);
    await this.repository.lockForDeparture(tx, userId, successors);

    const successorOf = new Map(successors.map((successor) => [successor.chat_id, successor]));
    const said: EventMessageBody[] = [];
    for (const { chat_id: chatId } of groups) {
      const text = groupTexts.deleted(successorOf.get(chatId)?.name);
      said.push(await this.chatMessages.appendSystem(tx, chatId, text, at));
    }
    const groupIds = said.map((message) => message.chatId);
    const seqs = said.map((message) => message.seq);
    await this.repository.setMembersSeqs(tx, groupIds, seqs);
    await this.repository.leave(tx, userId, groupIds, seqs, at);
    await this.repository.setOwners(tx, successors);
    await this.repository.forget(tx, userId, at);

    const seqOf = new Map(said.map((message) => [message.chatId, message.seq]));
    for (const { chat_id: chatId } of memberships) {
      await GroupChanges.signal(tx, chatId, [userId], 'left', seqOf.get(chatId) ?? 0);
    }
    return () => {
      for (const message of said) {
        const { chatId, seq } = message;
        this.events.publish(new MembersLeft(chatId, [userId]));
        const successor = successorOf.get(chatId);
        if (successor) this.events.publish(new MembershipUpdated(chatId, successor.user_id));
        this.chatMessages.announce(message, seq);
        this.events.publish(new ChatUpdated(chatId, seq));
      }
    };
  }
}
