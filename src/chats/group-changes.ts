import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { IDS_PER_SIGNAL, signalOnCommit } from '../infra/events/pg-signals.js';
import { ChatMessages } from './chat-messages.js';
import { ChatUpdated, MembershipUpdated } from './chats.events.js';
import { ChatsService, type Membership } from './chats.service.js';
import { MembersRepository } from './members.repository.js';
import type { EventMessageBody } from './message.dto.js';

/** A group under its lock, and who changes it. */
export interface GroupInChange {
  tx: PrismaTransaction;
  me: Membership;
  at: Date;
  /** Writes a SYSTEM message and returns its seq. Who made it has seen it, unless they are gone by it. */
  say: (text: string) => Promise<number>;
  /** Writes the SYSTEM message that says who comes or goes; their rows are for the caller of this to change. */
  sayMembers: (text: string) => Promise<number>;
}

/**
 * The frame of every change of a group: under the chat's lock, with a SYSTEM message for each change, of which members
 * are told after the commit.
 */
@Injectable()
export class GroupChanges {
  constructor(
    private readonly chats: ChatsService,
    private readonly chatMessages: ChatMessages,
    private readonly repository: MembersRepository,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /**
   * A member's place in a group as it is now, so that what cannot be is refused without a lock.
   *
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP
   */
  async require(userId: string, chatId: string): Promise<Membership> {
    return asGroup(await this.chats.requireMember(userId, chatId));
  }

  /**
   * Runs `change` in a transaction. What it said is told after the commit, between the events that `tell` makes of its
   * result (who came must be in the room before, who went must be out of it) and ChatUpdated.
   *
   * @param prepare takes the locks that come before the chat's
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP, and what `prepare` and `change` throw
   */
  async run<T>(
    userId: string,
    chatId: string,
    change: (group: GroupInChange) => Promise<T>,
    tell: (result: T, membersSeq: number) => object[] = () => [],
    prepare?: (tx: PrismaTransaction) => Promise<void>,
  ): Promise<T> {
    const { result, said, membersSeq } = await this.prisma.inTransaction(async (tx) => {
      await prepare?.(tx);
      const me = asGroup(await this.chats.lockAsMember(tx, userId, chatId));
      const at = this.clock.now();
      const messages: EventMessageBody[] = [];
      let lastMembersSeq = me.membersSeq;
      const say = async (text: string): Promise<number> => {
        const message = await this.chatMessages.appendSystem(tx, chatId, text, at);
        messages.push(message);
        return message.seq;
      };
      const sayMembers = async (text: string): Promise<number> => {
        lastMembersSeq = await say(text);
        await this.repository.setMembersSeqs(tx, [chatId], [lastMembersSeq]);
        return lastMembersSeq;
      };
      const done = await change({ tx, me, at, say, sayMembers });
      const last = messages.at(-1);
      if (last) await this.repository.moveMarks(tx, chatId, userId, last.seq, at);
      return { result: done, said: messages, membersSeq: lastMembersSeq };
    });
    if (said.length > 0) {
      for (const event of tell(result, membersSeq)) this.events.publish(event);
      for (const message of said) this.chatMessages.announce(message, membersSeq);
      this.events.publish(new ChatUpdated(chatId, membersSeq));
      // Their marks have moved over what was said, which their other devices cannot tell from it.
      this.events.publish(new MembershipUpdated(chatId, userId));
    }
    return result;
  }

  /** Tells every instance, when `tx` commits, that what these people may do in a chat has changed. */
  static async signal(
    tx: PrismaTransaction,
    chatId: string,
    userIds: readonly string[],
    change: 'joined' | 'left',
    seq: number,
  ): Promise<void> {
    for (let start = 0; start < userIds.length; start += IDS_PER_SIGNAL) {
      const some = userIds.slice(start, start + IDS_PER_SIGNAL);
      await signalOnCommit(tx, 'chat-access-changed', { chatId, userIds: some, change, seq });
    }
  }
}

/** @throws AppError NOT_A_GROUP_ADMIN for members who are neither owner nor admin */
export function assertAdmin({ role }: Membership): void {
  if (role === 'MEMBER') throw new AppError('NOT_A_GROUP_ADMIN');
}

/** @throws AppError NOT_THE_GROUP_OWNER */
export function assertOwner({ role }: Membership): void {
  if (role !== 'OWNER') throw new AppError('NOT_THE_GROUP_OWNER');
}

function asGroup(membership: Membership): Membership {
  if (membership.chatType !== 'GROUP') throw new AppError('NOT_A_GROUP');
  return membership;
}
