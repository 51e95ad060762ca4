import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { messageId } from '../common/ids.js';
import type { ChatBody } from '../chats/chats.dto.js';
import { ChatsService } from '../chats/chats.service.js';
import type { MessageBody } from '../chats/message.dto.js';
import type { ContactBody } from '../contacts/contacts.dto.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { MessagesService } from '../messages/messages.service.js';
import { PublicUsers } from '../users/public-users.service.js';
import type { PublicUserBody, UserBody } from '../users/users.dto.js';
import { UsersService } from '../users/users.service.js';
import { SyncCursors, type SyncCursor } from './sync-cursors.js';
import type { SyncBody, SyncDto } from './sync.dto.js';
import { SyncRepository, type FoundChat, type FoundPage } from './sync.repository.js';

/**
 * Hands out what changed for a person since a cursor, page by page: at least once, without gaps.
 *
 * What belongs to a page is found under one snapshot (`sync_page`, which says why nothing is skipped). The bodies are
 * read afterwards and may be newer, but only of what is still the person's to see once they are read: who was removed
 * meanwhile gets neither the chat nor a message of it, and the next round tells of the removal.
 */
@Injectable()
export class SyncService {
  constructor(
    private readonly repository: SyncRepository,
    private readonly cursors: SyncCursors,
    private readonly users: UsersService,
    private readonly publicUsers: PublicUsers,
    private readonly contacts: ContactsService,
    private readonly chats: ChatsService,
    private readonly messages: MessagesService,
  ) {}

  /** @throws AppError INVALID_CURSOR; SYNC_RESET for a cursor of another database, or of a later state of this one */
  async sync(userId: string, dto: SyncDto): Promise<SyncBody> {
    const given = dto.cursor ?? null;
    const cursor = given === null ? null : this.cursors.decode(userId, given);
    const from = cursor?.from ?? null;
    const found = await this.repository.findPage(userId, from, cursor?.position ?? null, dto.limit);
    if (cursor && !isOfThisHistory(cursor, found)) throw new AppError('SYNC_RESET');

    const changed = found.changedUsers ?? [];
    await this.users.expectVersions(new Map(changed.map((id, i) => [id, found.versions?.[i] ?? 0])));
    const [me, contacts, { chats, messages }] = await Promise.all([
      this.viewMe(userId),
      this.contacts.viewMany(userId, found.contacts ?? []),
      this.viewChats(userId, found.chats ?? []),
    ]);
    const users = await this.viewUsers(userId, found, contacts, chats, messages);

    const next = cursor?.next ?? found.xmin;
    const position = found.next ?? null;
    return {
      me,
      users,
      chats: chats.filter((chat) => found.chats?.some(({ id, isNew }) => isNew && id === chat.id)),
      messages,
      contacts,
      removed: {
        chats: found.removedChats ?? [],
        messages: (found.chats ?? []).flatMap(({ id, hidden }) => hidden.map((seq) => messageId(id, seq))),
        contacts: found.removedContacts ?? [],
      },
      cursor: this.cursors.encode(
        userId,
        position
          ? { epoch: found.epoch, from, next, position }
          : { epoch: found.epoch, from: next, next: null, position: null },
      ),
      hasMore: position !== null,
    };
  }

  private async viewMe(userId: string): Promise<UserBody> {
    const profiles = await this.users.profilesOf([userId]);
    return this.users.toBody(profiles.get(userId) ?? (await this.users.getProfile(userId)));
  }

  /** The chats of a page and their messages, without those that the person has lost meanwhile. */
  private async viewChats(
    userId: string,
    found: readonly FoundChat[],
  ): Promise<{ chats: ChatBody[]; messages: MessageBody[] }> {
    if (found.length === 0) return { chats: [], messages: [] };
    const chatIds = found.map((chat) => chat.id);
    const chats = await this.chats.viewMany(userId, chatIds);
    const marksOf = new Map(chats.map(({ id, my, others }) => [id, { mine: my, others }]));
    const messages = await this.messages.viewAt(userId, found.flatMap(addressesOf), marksOf);
    const present = await this.repository.listPresent(userId, chatIds);
    const firstSeqOf = new Map(present.map((row) => [row.chat_id, row.first_seq]));
    const place = new Map(chatIds.map((id, i) => [id, i]));
    return {
      chats: chats.filter((chat) => firstSeqOf.has(chat.id)),
      messages: messages
        .filter((message) => message.seq >= (firstSeqOf.get(message.chatId) ?? Infinity))
        .sort((a, b) => (place.get(a.chatId) ?? 0) - (place.get(b.chatId) ?? 0) || b.seq - a.seq),
    };
  }

  /** Whose profile changed, and whom the client may never have heard of before this page. */
  private async viewUsers(
    userId: string,
    found: FoundPage,
    contacts: readonly ContactBody[],
    chats: readonly ChatBody[],
    messages: readonly MessageBody[],
  ): Promise<PublicUserBody[]> {
    const whole = new Set((found.chats ?? []).flatMap(({ id, isWhole }) => (isWhole ? id : [])));
    const shown = new Map<string, PublicUserBody>();
    const wanted = new Set([...(found.users ?? []), ...messages.flatMap(({ senderId }) => senderId ?? [])]);
    for (const { user } of contacts) {
      shown.set(user.id, user);
      wanted.add(user.id);
    }
    for (const { id, members } of chats) {
      for (const { user } of members) {
        shown.set(user.id, user);
        if (whole.has(id)) wanted.add(user.id);
      }
    }
    wanted.delete(userId);
    const missing = [...wanted].filter((id) => !shown.has(id));
    const others = missing.length > 0 ? await this.publicUsers.view(userId, missing) : shown;
    return [...wanted].flatMap((id) => shown.get(id) ?? others.get(id) ?? []);
  }
}

/** Ids of transactions mean something in one history of one database alone, and there none can be ahead of all. */
function isOfThisHistory({ epoch, from, next }: SyncCursor, found: FoundPage): boolean {
  return epoch === found.epoch && BigInt(next ?? from ?? 0) <= BigInt(found.xmax);
}

function addressesOf({ id, from, size, seqs }: FoundChat): { chatId: string; seq: number }[] {
  const range = Array.from({ length: size }, (_, i) => from + i);
  return [...range, ...seqs].map((seq) => ({ chatId: id, seq }));
}
