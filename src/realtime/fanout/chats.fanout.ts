import { Injectable } from '@nestjs/common';
import {
  ChatCleared,
  ChatCreated,
  ChatUpdated,
  MembersLeft,
  MembershipUpdated,
} from '../../chats/chats.events.js';
import { ChatsService } from '../../chats/chats.service.js';
import { AppError } from '../../common/errors.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Log } from '../../infra/observability/log.js';
import { PresenceService } from '../../presence/presence.service.js';
import { UserUpdated } from '../../users/users.events.js';
import { ChatDelivery } from '../chat-delivery.js';
import type { ClientServer } from '../client-socket.js';
import { MembershipsRepository } from '../memberships.repository.js';
import { rooms } from '../rooms.js';
import { Sequences } from '../../common/sequences.js';

/** From so many people on, a chat is looked up only for those who are online. */
const MANY_PEOPLE = 16;
/** Chats that are looked up at once. */
const LOOK_UPS_AT_ONCE = 4;

/** A chat that one person is told of as they see it. */
interface View {
  userId: string;
  chatId: string;
}

/**
 * Chats and who is in them. What one person sees of a chat is looked up and told in the order of the changes, so that
 * the last word is the newest.
 */
@Injectable()
export class ChatsFanout {
  private readonly sequences = new Sequences();
  /** Whose new name or picture is being told; true when it has changed again meanwhile. */
  private readonly tellingProfiles = new Map<string, boolean>();

  constructor(
    private readonly events: EventBus,
    private readonly chats: ChatsService,
    private readonly presence: PresenceService,
    private readonly delivery: ChatDelivery,
    private readonly memberships: MembershipsRepository,
    private readonly log: Log,
  ) {}

  start(io: ClientServer): void {
    this.events.on(ChatCreated, async ({ chatId, memberIds, membersSeq }) => {
      // Who comes into an old chat is brought in by what follows the signals, which knows since when.
      if (membersSeq === 0) this.delivery.created(chatId, memberIds);
      await this.tellEach(
        io,
        'new-chat',
        memberIds.map((userId) => ({ userId, chatId })),
      );
    });
    this.events.on(ChatUpdated, (update) => this.tellAll(update));
    this.events.on(MembershipUpdated, ({ chatId, userId }) =>
      this.tellEach(io, 'chat-updated', [{ userId, chatId }]),
    );
    this.events.on(MembersLeft, async ({ chatId, userIds }) => {
      await Promise.all(
        userIds.map((userId) =>
          this.sequences.run(keyOf({ userId, chatId }), () => {
            io.to(rooms.user(userId)).emit('chat-removed', { chatId });
          }),
        ),
      );
    });
    this.events.on(ChatCleared, ({ chatId, userId, upToSeq }) => {
      io.to(rooms.user(userId)).emit('chat-cleared', { chatId, upToSeq });
    });
    this.events.on(UserUpdated, async ({ userId, profileChanged }) => {
      if (profileChanged) await this.tellPartners(io, userId);
    });
  }

  /** Tells all members what they all see. */
  private async tellAll({ chatId, membersSeq, audienceId }: ChatUpdated): Promise<void> {
    await this.sequences.run(chatId, async () => {
      const chat = await this.chats.eventBodyOf(chatId);
      if (!chat) return;
      // Read after the chat: whoever has left by then is not told what has changed since.
      const now = await this.memberships.findMembersSeq(audienceId);
      this.delivery.tell({
        audienceId,
        membersSeq: Math.max(membersSeq, now ?? 0),
        event: 'chat-updated',
        payload: { chat },
      });
    });
  }

  /** Tells people whole chats, each as they see it; who is no member any more is left out. */
  private async tellEach(
    io: ClientServer,
    event: 'new-chat' | 'chat-updated',
    views: readonly View[],
  ): Promise<void> {
    const queue = (await this.withAudience(views)).values();
    const work = async (): Promise<void> => {
      for (const { userId, chatId } of queue) {
        await this.sequences.run(keyOf({ userId, chatId }), async () => {
          try {
            const chat = await this.chats.get(userId, chatId);
            io.to(rooms.user(userId)).emit(event, { chat });
          } catch (error) {
            if (!(error instanceof AppError && error.code === 'CHAT_NOT_FOUND')) throw error;
          }
        });
      }
    };
    await Promise.all(Array.from({ length: LOOK_UPS_AT_ONCE }, work));
  }

  /** Leaves out who is not online, where that spares much. */
  private async withAudience(views: readonly View[]): Promise<readonly View[]> {
    if (views.length < MANY_PEOPLE) return views;
    try {
      const online = await this.presence.isOnline(views.map(({ userId }) => userId));
      return views.filter(({ userId }) => online.get(userId));
    } catch (error) {
      this.log.warn({ err: error }, 'who is online is not known: everybody is told');
      return views;
    }
  }

  /**
   * A private chat has the other person's name and picture: whoever has one with this person is told it whole. However
   * often somebody changes their name, it is told once at a time.
   */
  private async tellPartners(io: ClientServer, userId: string): Promise<void> {
    if (this.tellingProfiles.has(userId)) {
      this.tellingProfiles.set(userId, true);
      return;
    }
    try {
      do {
        this.tellingProfiles.set(userId, false);
        const partners = await this.memberships.listPrivatePartners(userId);
        const views = partners.map(({ chat_id, user_id }) => ({ userId: user_id, chatId: chat_id }));
        await this.tellEach(io, 'chat-updated', views);
      } while (this.tellingProfiles.get(userId));
    } finally {
      this.tellingProfiles.delete(userId);
    }
  }
}

function keyOf({ userId, chatId }: View): string {
  return `${chatId}:${userId}`;
}
