import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { isId } from '../common/ids.js';
import { ContactsService } from '../contacts/contacts.service.js';
import { Cursors } from '../infra/http/cursors.js';
import type { Page } from '../infra/http/envelope.js';
import { nameKeyOf } from '../users/profile.js';
import { PublicUsers } from '../users/public-users.service.js';
import { AgentsRepository } from './agents.repository.js';
import { toMembers } from './chat-views.js';
import { MAX_GROUP_MEMBERS, type ChatBody, type MemberBody, type MemberRole } from './chats.dto.js';
import { ChatCreated, MembersLeft, MembershipUpdated } from './chats.events.js';
import type { MemberRow } from './chats.repository.js';
import { ChatsService } from './chats.service.js';
import { GroupChanges, assertAdmin, assertOwner, type GroupInChange } from './group-changes.js';
import { groupTexts } from './group-texts.js';
import type { ListMembersQuery } from './members.dto.js';
import { MembersRepository } from './members.repository.js';

/**
 * Who is in a group, and as what. While anybody is in a group, exactly one member is its owner.
 *
 * Whatever is refused by what stands already is refused before the lock; all of it is asked again under it.
 */
@Injectable()
export class MembersService {
  constructor(
    private readonly repository: MembersRepository,
    private readonly agents: AgentsRepository,
    private readonly chats: ChatsService,
    private readonly changes: GroupChanges,
    private readonly contacts: ContactsService,
    private readonly publicUsers: PublicUsers,
    private readonly cursors: Cursors,
  ) {}

  /** The present members in the order in which they joined. @throws AppError CHAT_NOT_FOUND, INVALID_CURSOR */
  async list(
    userId: string,
    chatId: string,
    { query, cursor, limit }: ListMembersQuery,
  ): Promise<{ members: MemberBody[]; page: Page }> {
    const { chatType, audienceId } = await this.chats.requireMember(userId, chatId);
    const namePrefix = nameKeyOf(query ?? '');
    const scope = `members:${userId}:${chatId}:${namePrefix}`;
    const position = cursor === undefined ? null : this.cursors.decode(scope, cursor);
    const after = position && { joinedAt: new Date(String(position[0])), userId: String(position[1]) };
    const rows =
      chatType === 'WHATSAPP'
        ? await this.agents.list(audienceId, chatId, namePrefix, after, limit + 1)
        : await this.repository.list(chatId, namePrefix, after, limit + 1);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      members: await this.view(userId, shown),
      page: {
        nextCursor:
          last && rows.length > limit
            ? this.cursors.encode(scope, [last.joined_at.toISOString(), last.user_id])
            : null,
      },
    };
  }

  /**
   * Brings accepted contacts of the caller into a group. Those who are in it already stay as they are; nobody is added
   * if one of the others may not be.
   *
   * @returns the group, and whether anybody came into it
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP, NOT_A_GROUP_ADMIN, USER_NOT_FOUND, BLOCKED, NOT_A_CONTACT, GROUP_FULL
   */
  async add(
    userId: string,
    chatId: string,
    userIds: readonly string[],
  ): Promise<{ chat: ChatBody; added: boolean }> {
    assertAdmin(await this.changes.require(userId, chatId));
    const present = await this.repository.listPresentAmong(chatId, userIds.filter(isId));
    const presentIds = new Set(present.map((member) => member.user_id));
    const newIds = userIds.filter((id) => !presentIds.has(id));
    if (newIds.length >= MAX_GROUP_MEMBERS) throw new AppError('GROUP_FULL');
    const addedIds =
      newIds.length === 0
        ? []
        : await this.changes.run(
            userId,
            chatId,
            (group) => this.bringIn(group, newIds),
            (ids, membersSeq) => [new ChatCreated(chatId, ids, membersSeq)],
            (tx) => this.contacts.assertMayAdd(tx, userId, newIds, 'userIds'),
          );
    return { chat: await this.chats.get(userId, chatId), added: addedIds.length > 0 };
  }

  /**
   * Removes somebody. Once this has returned, nothing that is committed later reaches them.
   *
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP, NOT_A_GROUP_ADMIN, NOT_THE_GROUP_OWNER for an admin who removes the
   *   owner, MEMBER_NOT_FOUND, UNPROCESSABLE for oneself
   */
  async remove(userId: string, chatId: string, memberId: string): Promise<void> {
    assertAdmin(await this.changes.require(userId, chatId));
    if (memberId === userId) {
      throw new AppError('UNPROCESSABLE', {
        message: 'You cannot remove yourself: leave the group instead.',
      });
    }
    if (!isId(memberId)) throw new AppError('MEMBER_NOT_FOUND');
    await this.changes.run(
      userId,
      chatId,
      async ({ tx, me, at, sayMembers }) => {
        assertAdmin(me);
        const roles = await this.repository.lockMembers(tx, chatId, [userId, memberId]);
        const role = roles.get(memberId);
        if (!role) throw new AppError('MEMBER_NOT_FOUND');
        if (role === 'OWNER') assertOwner(me);
        const names = await this.repository.namesOf(tx, [userId, memberId]);
        const seq = await sayMembers(groupTexts.removed(names.get(userId) ?? '', names.get(memberId) ?? ''));
        await this.repository.leave(tx, memberId, [chatId], [seq], at);
        await GroupChanges.signal(tx, chatId, [memberId], 'left', seq);
      },
      () => [new MembersLeft(chatId, [memberId])],
    );
  }

  /**
   * Leaves a group. An owner hands it over to the oldest admin, else the oldest member; the last one leaves it empty.
   *
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP
   */
  async leave(userId: string, chatId: string): Promise<void> {
    await this.changes.run(
      userId,
      chatId,
      async ({ tx, me, at, sayMembers }) => {
        const [successor] =
          me.role === 'OWNER' ? await this.repository.listSuccessors(tx, [chatId], userId) : [];
        const heirs = successor ? [successor] : [];
        await this.repository.lockMembers(tx, chatId, [userId, ...heirs.map((heir) => heir.user_id)]);
        const names = await this.repository.namesOf(tx, [userId]);
        const seq = await sayMembers(groupTexts.left(names.get(userId) ?? '', successor?.name));
        await this.repository.leave(tx, userId, [chatId], [seq], at);
        await this.repository.setOwners(tx, heirs);
        await GroupChanges.signal(tx, chatId, [userId], 'left', seq);
        return heirs.map((heir) => heir.user_id);
      },
      (heirIds) => [
        new MembersLeft(chatId, [userId]),
        ...heirIds.map((heirId) => new MembershipUpdated(chatId, heirId)),
      ],
    );
  }

  /**
   * Gives a member a role. OWNER hands the group over, and the caller is an ADMIN from then on.
   *
   * @throws AppError CHAT_NOT_FOUND, NOT_A_GROUP, NOT_THE_GROUP_OWNER, MEMBER_NOT_FOUND, UNPROCESSABLE for an owner who
   *   would be none
   */
  async setRole(userId: string, chatId: string, memberId: string, role: MemberRole): Promise<MemberBody> {
    assertOwner(await this.changes.require(userId, chatId));
    if (memberId === userId && role !== 'OWNER') {
      throw new AppError('UNPROCESSABLE', {
        message: 'A group has an owner: make somebody else the owner instead.',
      });
    }
    if (!isId(memberId)) throw new AppError('MEMBER_NOT_FOUND');
    await this.changes.run(
      userId,
      chatId,
      (group) => this.give(group, memberId, role),
      (changedIds) => changedIds.map((id) => new MembershipUpdated(chatId, id)),
    );
    const [member] = await this.view(userId, await this.repository.listPresentAmong(chatId, [memberId]));
    if (!member) throw new AppError('MEMBER_NOT_FOUND');
    return member;
  }

  /** Returns those who were not there yet. */
  private async bringIn(
    { tx, me, at, sayMembers }: GroupInChange,
    userIds: readonly string[],
  ): Promise<string[]> {
    assertAdmin(me);
    const { chatId, userId } = me;
    const present = await this.repository.lockMembers(tx, chatId, [userId, ...userIds]);
    const newIds = userIds.filter((id) => !present.has(id));
    if (newIds.length === 0) return [];
    if ((await this.repository.countPresent(tx, chatId)) + newIds.length > MAX_GROUP_MEMBERS) {
      throw new AppError('GROUP_FULL');
    }
    const names = await this.repository.namesOf(tx, [userId, ...newIds]);
    const seq = await sayMembers(
      groupTexts.added(
        names.get(userId) ?? '',
        newIds.map((id) => names.get(id) ?? ''),
      ),
    );
    await this.repository.join(tx, chatId, newIds, seq, at);
    await GroupChanges.signal(tx, chatId, newIds, 'joined', seq);
    return newIds;
  }

  /** Returns whose role changed, besides the caller's, who is told of every change. */
  private async give({ tx, me, say }: GroupInChange, memberId: string, role: MemberRole): Promise<string[]> {
    assertOwner(me);
    const { chatId, userId } = me;
    const roles = await this.repository.lockMembers(tx, chatId, [userId, memberId]);
    const before = roles.get(memberId);
    if (!before) throw new AppError('MEMBER_NOT_FOUND');
    if (before === role) return [];
    const names = await this.repository.namesOf(tx, [userId, memberId]);
    await say(sentences[role](names.get(userId) ?? '', names.get(memberId) ?? ''));
    await this.repository.setRole(tx, chatId, memberId, role);
    if (role === 'OWNER') await this.repository.setRole(tx, chatId, userId, 'ADMIN');
    return [memberId];
  }

  private async view(viewerId: string, rows: readonly MemberRow[]): Promise<MemberBody[]> {
    const users = await this.publicUsers.view(
      viewerId,
      rows.map((row) => row.user_id),
    );
    return toMembers(rows, users);
  }
}

const sentences: Record<MemberRole, (by: string, name: string) => string> = {
  OWNER: groupTexts.madeOwner,
  ADMIN: groupTexts.madeAdmin,
  MEMBER: groupTexts.madeMember,
};
