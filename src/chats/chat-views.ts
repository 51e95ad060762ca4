import { Injectable } from '@nestjs/common';
import { groupBy } from '../common/group-by.js';
import { SignedUrls, chatReader } from '../infra/storage/signed-urls.js';
import { PublicUsers } from '../users/public-users.service.js';
import type { PublicUserBody } from '../users/users.dto.js';
import { ChannelChats } from './channel-chats.js';
import { ChatMessages, type ChatHead } from './chat-messages.js';
import type { ChatBody, EventChatBody, MemberBody } from './chats.dto.js';
import {
  ChatsRepository,
  type ChatForMemberRow,
  type ChatRow,
  type MemberRow,
  type OthersRow,
} from './chats.repository.js';
import { ConversationParts } from './conversation-parts.js';

const MAX_MEMBERS_SHOWN = 50;
/** What a private chat is called once the other person has deleted their account. */
const DELETED_ACCOUNT = 'Deleted account';

/** Builds what a member sees of their chats, a whole page with a fixed number of queries. */
@Injectable()
export class ChatViews {
  constructor(
    private readonly repository: ChatsRepository,
    private readonly publicUsers: PublicUsers,
    private readonly messages: ChatMessages,
    private readonly conversations: ConversationParts,
    private readonly channelChats: ChannelChats,
    private readonly urls: SignedUrls,
  ) {}

  /** The bodies of `rows` in their order. */
  async of(userId: string, rows: readonly ChatForMemberRow[]): Promise<ChatBody[]> {
    if (rows.length === 0) return [];
    const chatIds = rows.flatMap((row) => (row.tenant_id === null ? row.id : []));
    const [members, others, conversations] = await Promise.all([
      this.repository.listMembers(chatIds, userId, MAX_MEMBERS_SHOWN),
      this.repository.listOthers(chatIds, userId),
      this.conversations.of(userId, rows, MAX_MEMBERS_SHOWN),
    ]);
    const othersOf = new Map(others.map((row) => [row.chat_id, row]));
    const membersOf = groupBy(members, (member) => member.chat_id);
    const [users, lastMessages] = await Promise.all([
      this.publicUsers.view(userId, [
        ...new Set([...members, ...conversations.agents].map((member) => member.user_id)),
      ]),
      this.messages.lastOf(
        userId,
        rows.filter(hasVisibleMessage).map((row) => toHead(row, othersOf.get(row.id))),
      ),
    ]);
    return rows.map((row) => {
      const conversation = conversations.byChat.get(row.id);
      const chatMembers = toMembers(conversation?.agents ?? membersOf.get(row.id) ?? [], users);
      const other =
        row.type === 'PRIVATE' ? chatMembers.find((member) => member.user.id !== userId)?.user : undefined;
      return {
        id: row.id,
        type: row.type,
        name:
          row.type === 'PRIVATE'
            ? (other?.name ?? DELETED_ACCOUNT)
            : (conversation?.channel?.name ?? row.name ?? ''),
        image: row.type === 'PRIVATE' ? (other?.profilePic ?? null) : this.imageOf(row, userId),
        createdById: row.created_by_id,
        createdAt: row.created_at.toISOString(),
        updatedAt: row.updated_at.toISOString(),
        lastSeq: row.last_seq,
        lastMessage: lastMessages.get(row.id) ?? null,
        unreadCount: row.last_seq - Math.max(row.read_seq, row.cleared_seq, row.joined_seq),
        members: chatMembers,
        memberCount: conversation?.agentCount ?? othersOf.get(row.id)?.member_count ?? chatMembers.length,
        others: toHead(row, othersOf.get(row.id)).others,
        my: {
          role: row.role,
          firstSeq: Math.max(row.joined_seq, row.cleared_seq) + 1,
          readSeq: row.read_seq,
          deliveredSeq: row.delivered_seq,
          mutedUntil: row.muted_until?.toISOString() ?? null,
          pinned: row.pinned,
          archived: row.archived,
          markedUnread: row.marked_unread,
        },
        ...(conversation?.channel && { whatsapp: conversation.channel.whatsapp }),
      };
    });
  }

  /** What all members see, for one packet to all of them: the picture's address is good for each. */
  async toEventBody(row: ChatRow): Promise<EventChatBody> {
    const channel =
      row.type === 'WHATSAPP' ? (await this.channelChats.describe([row.id])).get(row.id) : undefined;
    return {
      id: row.id,
      type: row.type,
      name: channel?.name ?? row.name ?? '',
      image: this.imageOf(row, chatReader(row.id)),
      createdById: row.created_by_id,
      createdAt: row.created_at.toISOString(),
      updatedAt: row.updated_at.toISOString(),
      lastSeq: row.last_seq,
      memberCount: row.member_count,
      ...(channel && { whatsapp: channel.whatsapp }),
    };
  }

  private imageOf(row: { image_id: string | null }, readerId: string): string | null {
    return row.image_id === null ? null : this.urls.sign(row.image_id, readerId);
  }
}

function hasVisibleMessage(row: ChatForMemberRow): boolean {
  return row.last_seq > Math.max(row.joined_seq, row.cleared_seq);
}

function toHead(row: ChatForMemberRow, others: OthersRow | undefined): ChatHead {
  return {
    chatId: row.id,
    firstSeq: Math.max(row.joined_seq, row.cleared_seq) + 1,
    lastSeq: row.last_seq,
    mine: { deliveredSeq: row.delivered_seq, readSeq: row.read_seq },
    others: { deliveredSeq: others?.delivered_seq ?? 0, readSeq: others?.read_seq ?? 0 },
  };
}

/** Members in the order of `rows`; who has no account any more is left out. */
export function toMembers(
  rows: readonly Pick<MemberRow, 'user_id' | 'role' | 'joined_at'>[],
  users: ReadonlyMap<string, PublicUserBody>,
): MemberBody[] {
  return rows.flatMap((row) => {
    const user = users.get(row.user_id);
    return user ? [{ user, role: row.role, joinedAt: row.joined_at.toISOString() }] : [];
  });
}
