import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError, validationError, type ErrorDetail } from '../common/errors.js';
import { isId, newId } from '../common/ids.js';
import { pairOf } from '../common/pairs.js';
import { BlockHooks } from '../contacts/block-hooks.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { signalOnCommit } from '../infra/events/pg-signals.js';
import { Cursors } from '../infra/http/cursors.js';
import type { Page } from '../infra/http/envelope.js';
import { ChatAccess } from './chat-access.js';
import { ChatViews } from './chat-views.js';
import type {
  ChatBody,
  ChatType,
  CreateChatDto,
  EventChatBody,
  ListChatsQuery,
  MemberRole,
} from './chats.dto.js';
import { ChatCreated } from './chats.events.js';
import { ChatsRepository, type ChatForMemberRow } from './chats.repository.js';

/** A present member's place in a chat. */
export interface Membership {
  userId: string;
  chatId: string;
  chatType: ChatType;
  /** Whose room its events go to: the chat's, or that of the tenant whose conversation it is. */
  audienceId: string;
  role: MemberRole;
  /** The first message they may see. */
  firstSeq: number;
  lastSeq: number;
  /** The seq of the SYSTEM message that last changed who is a member; of a WHATSAPP chat, the tenant's `agents_seq`. */
  membersSeq: number;
  deliveredSeq: number;
  readSeq: number;
}

export interface ChatPage {
  chats: ChatBody[];
  page: Page;
}

/** Chats and who is in them. */
@Injectable()
export class ChatsService implements OnModuleInit {
  constructor(
    private readonly repository: ChatsRepository,
    private readonly views: ChatViews,
    private readonly access: ChatAccess,
    private readonly contacts: ContactsService,
    private readonly blockHooks: BlockHooks,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.blockHooks.register(async (tx, pair) => {
      const chatId = await this.repository.lockPrivateChat(tx, pair);
      if (!chatId) return;
      const userIds = [pair.userLo, pair.userHi];
      await signalOnCommit(tx, 'chat-access-changed', { chatId, userIds, change: 'block', seq: 0 });
    });
  }

  /**
   * Creates the private chat of two people, or answers the one there is.
   *
   * @throws AppError NOT_A_CONTACT, BLOCKED, USER_NOT_FOUND, VALIDATION_FAILED
   */
  async createPrivate(creatorId: string, dto: CreateChatDto): Promise<{ chat: ChatBody; created: boolean }> {
    const [otherId = '', ...more] = dto.participantIds;
    const problems: ErrorDetail[] = (['name', 'image'] as const).flatMap((field) =>
      (dto[field] ?? undefined) === undefined ? [] : { field, message: 'is for a GROUP' },
    );
    if (more.length > 0) problems.push(NOT_ONE_PERSON);
    if (problems.length > 0) throw validationError(problems);
    if (otherId === creatorId) {
      throw validationError([{ field: 'participantIds', message: 'must be another person' }]);
    }
    if (!isId(otherId)) throw new AppError('USER_NOT_FOUND');
    const pair = pairOf(creatorId, otherId);

    const existing = await this.repository.findPrivateChatId(pair);
    if (existing) return { chat: await this.get(creatorId, existing), created: false };

    const createdId = await this.prisma.inTransaction(async (tx) => {
      await this.contacts.assertMayChat(tx, creatorId, otherId);
      const id = await this.repository.insertPrivateChat(tx, newId(), pair, creatorId, this.clock.now());
      if (id) {
        const userIds = [creatorId, otherId];
        await signalOnCommit(tx, 'chat-access-changed', { chatId: id, userIds, change: 'joined', seq: 0 });
      }
      return id;
    });
    if (createdId) this.events.publish(new ChatCreated(createdId, [creatorId, otherId], 0));
    const chatId = createdId ?? (await this.repository.findPrivateChatId(pair));
    if (!chatId) throw new AppError('CHAT_NOT_FOUND');
    return { chat: await this.get(creatorId, chatId), created: createdId !== null };
  }

  /** @throws AppError INVALID_CURSOR */
  async list(userId: string, query: ListChatsQuery): Promise<ChatPage> {
    const scope = `chats:${userId}:${query.archived}`;
    const position = query.cursor === undefined ? null : this.cursors.decode(scope, query.cursor);
    const after = position && {
      pinned: Boolean(position[0]),
      updatedAt: new Date(String(position[1])),
      id: String(position[2]),
    };
    const rows = await this.repository.listForMember(userId, query.archived, after, query.limit + 1);
    const shown = rows.slice(0, query.limit);
    const last = shown.at(-1);
    return {
      chats: await this.views.of(userId, shown),
      page: {
        nextCursor:
          last && rows.length > query.limit
            ? this.cursors.encode(scope, [last.pinned, last.updated_at.toISOString(), last.id])
            : null,
      },
    };
  }

  /** @throws AppError CHAT_NOT_FOUND */
  async get(userId: string, chatId: string): Promise<ChatBody> {
    const row = isId(chatId) ? await this.repository.findForMember(userId, chatId) : null;
    const [body] = row ? await this.views.of(userId, [row]) : [];
    if (!body) throw new AppError('CHAT_NOT_FOUND');
    return body;
  }

  /**
   * Chats as a present member sees them, in the order of `chatIds` and with a fixed number of queries; those the person
   * is not in are left out.
   */
  async viewMany(userId: string, chatIds: readonly string[]): Promise<ChatBody[]> {
    const wanted = [...new Set(chatIds)].filter(isId);
    if (wanted.length === 0) return [];
    const rows = await this.repository.listForMemberAmong(userId, wanted);
    const rowOf = new Map(rows.map((row) => [row.id, row]));
    return this.views.of(
      userId,
      wanted.flatMap((id) => rowOf.get(id) ?? []),
    );
  }

  /** A chat as its events to all members carry it, addresses signed for `chatReader`; null if there is none. */
  async eventBodyOf(chatId: string): Promise<EventChatBody | null> {
    const row = await this.repository.findChat(chatId);
    return row && this.views.toEventBody(row);
  }

  /** The one door to a chat. @throws AppError CHAT_NOT_FOUND for everyone but present members */
  async requireMember(userId: string, chatId: string): Promise<Membership> {
    const membership = await this.findMembership(userId, chatId);
    if (!membership) throw new AppError('CHAT_NOT_FOUND');
    return membership;
  }

  async findMembership(userId: string, chatId: string): Promise<Membership | null> {
    const row = isId(chatId) ? await this.repository.findForMember(userId, chatId) : null;
    return row && toMembership(userId, row);
  }

  /**
   * Locks the chat against sends and all that changes it or its members until `tx` ends, and answers the caller's
   * place in it as it stands then. Every change of a chat, its members or its messages begins here.
   *
   * @throws AppError CHAT_NOT_FOUND for everyone but present members
   */
  async lockAsMember(tx: PrismaTransaction, userId: string, chatId: string): Promise<Membership> {
    const isThere = isId(chatId) && (await this.repository.lockChat(tx, chatId));
    const row = isThere ? await this.repository.findForMemberIn(tx, userId, chatId) : null;
    if (!row) throw new AppError('CHAT_NOT_FOUND');
    return toMembership(userId, row);
  }

  /**
   * Whether someone may take part in a chat's live life (typing): a present member whom no block silences.
   *
   * @returns what the chat is, and whose room its events go to
   * @throws AppError CHAT_NOT_FOUND, BLOCKED
   */
  async requireLiveAccess(
    userId: string,
    chatId: string,
  ): Promise<Pick<Membership, 'chatType' | 'audienceId'>> {
    const access = isId(chatId) ? await this.access.find(userId, chatId) : null;
    if (!access) throw new AppError('CHAT_NOT_FOUND');
    if (access.blocked) throw new AppError('BLOCKED');
    return { chatType: access.type, audienceId: access.tenant_id ?? chatId };
  }

  /** The lowest marks among the present members other than `userId`. */
  async othersMarks(userId: string, chatId: string): Promise<{ deliveredSeq: number; readSeq: number }> {
    const [others] = await this.repository.listOthers([chatId], userId);
    return { deliveredSeq: others?.delivered_seq ?? 0, readSeq: others?.read_seq ?? 0 };
  }

  /** The person's place in those of the chats that they are present in, with the others' lowest marks, by chat. */
  async listMemberships(
    userId: string,
    chatIds: readonly string[],
  ): Promise<Map<string, { mine: Membership; others: { deliveredSeq: number; readSeq: number } }>> {
    const [rows, others] = await Promise.all([
      this.repository.listForMemberAmong(userId, chatIds),
      this.repository.listOthers(chatIds, userId),
    ]);
    const othersOf = new Map(others.map((row) => [row.chat_id, row]));
    return new Map(
      rows.map((row) => {
        const marks = othersOf.get(row.id);
        return [
          row.id,
          {
            mine: toMembership(userId, row),
            others: { deliveredSeq: marks?.delivered_seq ?? 0, readSeq: marks?.read_seq ?? 0 },
          },
        ];
      }),
    );
  }

  /** Every chat the person is a present member of. */
  async listChatIds(userId: string): Promise<string[]> {
    return this.repository.listChatIds(userId);
  }
}

const NOT_ONE_PERSON = { field: 'participantIds', message: 'must be a list of one id in a PRIVATE chat' };

function toMembership(userId: string, row: ChatForMemberRow): Membership {
  return {
    userId,
    chatId: row.id,
    chatType: row.type,
    audienceId: row.tenant_id ?? row.id,
    role: row.role,
    firstSeq: Math.max(row.joined_seq, row.cleared_seq) + 1,
    lastSeq: row.last_seq,
    membersSeq: row.members_seq,
    deliveredSeq: row.delivered_seq,
    readSeq: row.read_seq,
  };
}
