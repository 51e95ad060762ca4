import { Injectable } from '@nestjs/common';
import type { Pair } from '../common/pairs.js';
import { Database } from '../infra/database/database.js';
import { Prisma } from '../infra/database/generated/client.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { ChatType, MemberRole } from './chats.dto.js';

/** A chat together with one member's place in it. */
export interface ChatForMemberRow {
  id: string;
  type: ChatType;
  name: string | null;
  image_id: string | null;
  created_by_id: string | null;
  user_lo: string | null;
  user_hi: string | null;
  last_seq: number;
  /** The tenant whose agents are in it, of a WHATSAPP chat. */
  tenant_id: string | null;
  /** The chat's, or the `agents_seq` of its tenant. */
  members_seq: number;
  created_at: Date;
  updated_at: Date;
  role: MemberRole;
  joined_seq: number;
  cleared_seq: number;
  delivered_seq: number;
  read_seq: number;
  muted_until: Date | null;
  pinned: boolean;
  archived: boolean;
  marked_unread: boolean;
}

/** A chat without what is one member's own. */
export interface ChatRow {
  id: string;
  type: ChatType;
  name: string | null;
  image_id: string | null;
  created_by_id: string | null;
  last_seq: number;
  created_at: Date;
  updated_at: Date;
  member_count: number;
}

export interface MemberRow {
  chat_id: string;
  user_id: string;
  role: MemberRole;
  joined_at: Date;
}

export interface OthersRow {
  chat_id: string;
  member_count: number;
  delivered_seq: number;
  read_seq: number;
}

/** What somebody may do in a chat that they are in. */
export interface AccessRow {
  type: ChatType;
  tenant_id: string | null;
  blocked: boolean;
}

/** Where a page of the chat list starts: after the chat with these values. */
export interface ChatListPosition {
  pinned: boolean;
  updatedAt: Date;
  id: string;
}

/** Of a chat `c` and a person's place `m` in it. */
const CHAT_FOR_MEMBER = `
  c.id, c.type, c.name, c.image_id, c.created_by_id, c.user_lo, c.user_hi, c.last_seq, m.tenant_id,
  coalesce((SELECT t.agents_seq FROM tenant t WHERE t.id = m.tenant_id), c.members_seq) AS members_seq, c.created_at,
  c.updated_at,
  m.role, m.joined_seq, m.cleared_seq, m.delivered_seq, m.read_seq, m.muted_until, m.pinned, m.archived, m.marked_unread`;
/** An agent's place in a conversation `k`, of `tenant_agent` `a` and what they have set there, `s`. */
const AGENT_PLACE = `
  k.chat_id, k.tenant_id, a.role, 0 AS joined_seq, coalesce(s.cleared_seq, 0) AS cleared_seq,
  k.last_seq AS delivered_seq, k.read_seq, s.muted_until, coalesce(s.pinned, false) AS pinned,
  coalesce(s.archived, false) AS archived, coalesce(s.marked_unread, false) AS marked_unread`;
const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

@Injectable()
export class ChatsRepository {
  constructor(private readonly database: Database) {}

  /** The chat as a present member has it, or null for everyone else. */
  async findForMember(userId: string, chatId: string): Promise<ChatForMemberRow | null> {
    const rows = await this.database.query<ChatForMemberRow>(
      {
        name: 'chats.find-for-member',
        text: `SELECT ${CHAT_FOR_MEMBER} FROM chat_place m JOIN chat c ON c.id = m.chat_id
          WHERE m.chat_id = $1 AND m.user_id = $2 AND m.left_at IS NULL`,
      },
      [chatId, userId],
    );
    return rows[0] ?? null;
  }

  /** Like `findForMember`, for many chats at once and in no order. */
  async listForMemberAmong(userId: string, chatIds: readonly string[]): Promise<ChatForMemberRow[]> {
    return this.database.query<ChatForMemberRow>(
      {
        name: 'chats.list-for-member-among',
        text: `SELECT ${CHAT_FOR_MEMBER} FROM chat_place m JOIN chat c ON c.id = m.chat_id
          WHERE m.chat_id = ANY ($2::uuid[]) AND m.user_id = $1 AND m.left_at IS NULL`,
      },
      [userId, chatIds],
    );
  }

  /** What all members see of a chat. */
  async findChat(chatId: string): Promise<ChatRow | null> {
    const rows = await this.database.query<ChatRow>(
      {
        name: 'chats.find',
        text: `SELECT c.id, c.type, c.name, c.image_id, c.created_by_id, c.last_seq, c.created_at, c.updated_at,
            (SELECT count(*)::int FROM member m WHERE m.chat_id = c.id AND m.left_at IS NULL)
              + (SELECT count(*)::int FROM conversation k JOIN tenant_agent a ON a.tenant_id = k.tenant_id
                 WHERE k.chat_id = c.id AND a.left_at IS NULL) AS member_count
          FROM chat c WHERE c.id = $1`,
      },
      [chatId],
    );
    return rows[0] ?? null;
  }

  /**
   * A person's chats, pinned first, then by last activity: those they are members of, those of their tenants that they
   * have pinned or archived, and the others of each tenant, of which no more are read than are shown: a planner that
   * does not know the limit would else read them all.
   */
  async listForMember(
    userId: string,
    archived: boolean,
    after: ChatListPosition | null,
    limit: number,
  ): Promise<ChatForMemberRow[]> {
    const isBelowPins = after !== null && !after.pinned;
    return this.database.query<ChatForMemberRow>(
      {
        name: 'chats.list-for-member',
        text: `SELECT * FROM (
            (SELECT ${CHAT_FOR_MEMBER}
             FROM (SELECT *, NULL::uuid AS tenant_id FROM member) m JOIN chat c ON c.id = m.chat_id
             WHERE m.user_id = $1 AND m.left_at IS NULL AND m.archived = $2
               AND ($3::boolean IS NULL OR (m.pinned, c.updated_at, c.id) < ($3, $4::timestamptz, $5::uuid))
             ORDER BY m.pinned DESC, c.updated_at DESC, c.id DESC
             LIMIT $6)
            UNION ALL
            (SELECT ${CHAT_FOR_MEMBER}
             FROM (
               SELECT ${AGENT_PLACE}
               FROM agent_chat s
               JOIN conversation k ON k.chat_id = s.chat_id
               JOIN tenant_agent a ON a.tenant_id = k.tenant_id AND a.user_id = s.user_id AND a.left_at IS NULL
               WHERE s.user_id = $1 AND (s.pinned OR s.archived) AND s.archived = $2) m
             JOIN chat c ON c.id = m.chat_id
             WHERE $3::boolean IS NULL OR (m.pinned, c.updated_at, c.id) < ($3, $4::timestamptz, $5::uuid))
            UNION ALL
            (SELECT ${CHAT_FOR_MEMBER}
             FROM tenant_agent a
             CROSS JOIN LATERAL (
               SELECT ${AGENT_PLACE}
               FROM conversation k LEFT JOIN agent_chat s ON s.user_id = a.user_id AND s.chat_id = k.chat_id
               WHERE k.tenant_id = a.tenant_id AND (k.active_at, k.chat_id) < ($7::timestamptz, $8::uuid)
                 AND s.pinned IS NOT TRUE AND s.archived IS NOT TRUE
               ORDER BY k.active_at DESC, k.chat_id DESC
               LIMIT $6) m
             CROSS JOIN LATERAL (SELECT * FROM chat WHERE id = m.chat_id LIMIT 1) c
             WHERE a.user_id = $1 AND a.left_at IS NULL AND NOT $2)
          ) found
          ORDER BY pinned DESC, updated_at DESC, id DESC
          LIMIT $6`,
      },
      [
        userId,
        archived,
        after?.pinned ?? null,
        after?.updatedAt ?? null,
        after?.id ?? null,
        limit,
        isBelowPins ? after.updatedAt : 'infinity',
        isBelowPins ? after.id : HIGHEST_ID,
      ],
    );
  }

  /** The first `limit` present members of each chat, `firstUserId` before all others. */
  async listMembers(chatIds: readonly string[], firstUserId: string, limit: number): Promise<MemberRow[]> {
    if (chatIds.length === 0) return [];
    return this.database.query<MemberRow>(
      {
        name: 'chats.list-members',
        text: `SELECT m.chat_id, m.user_id, m.role, m.joined_at
          FROM unnest($1::uuid[]) WITH ORDINALITY AS c (id, place)
          CROSS JOIN LATERAL (
            SELECT * FROM member WHERE chat_id = c.id AND left_at IS NULL
            ORDER BY user_id = $2 DESC, joined_at, user_id LIMIT $3) m
          ORDER BY c.place, m.user_id = $2 DESC, m.joined_at, m.user_id`,
      },
      [chatIds, firstUserId, limit],
    );
  }

  /**
   * How many members each chat has, and the lowest marks among the present ones who are not `userId`. When no other
   * is left, as in a private chat whose other account is gone, the highest marks that were left behind stand: a status
   * never goes back.
   */
  async listOthers(chatIds: readonly string[], userId: string): Promise<OthersRow[]> {
    if (chatIds.length === 0) return [];
    return this.database.query<OthersRow>(
      {
        name: 'chats.list-others',
        text: `SELECT m.chat_id, count(*) FILTER (WHERE m.left_at IS NULL)::int AS member_count,
            coalesce(
              min(m.delivered_seq) FILTER (WHERE m.user_id <> $2 AND m.left_at IS NULL),
              max(m.delivered_seq) FILTER (WHERE m.user_id <> $2), 0) AS delivered_seq,
            coalesce(
              min(m.shown_read_seq) FILTER (WHERE m.user_id <> $2 AND m.left_at IS NULL),
              max(m.shown_read_seq) FILTER (WHERE m.user_id <> $2), 0) AS read_seq
          FROM member m WHERE m.chat_id = ANY ($1::uuid[])
          GROUP BY m.chat_id`,
      },
      [chatIds, userId],
    );
  }

  /** Every chat the person is a present member of. */
  async listChatIds(userId: string): Promise<string[]> {
    const rows = await this.database.query<{ chat_id: string }>(
      { name: 'chats.list-ids', text: 'SELECT chat_id FROM member WHERE user_id = $1 AND left_at IS NULL' },
      [userId],
    );
    return rows.map((row) => row.chat_id);
  }

  /** Whether someone is a present member, and whether a block silences the chat. */
  async findAccess(userId: string, chatId: string): Promise<AccessRow | null> {
    const rows = await this.database.query<AccessRow>(
      {
        name: 'chats.find-access',
        text: `SELECT c.type, m.tenant_id, c.type = 'PRIVATE' AND EXISTS (
              SELECT FROM block b
              WHERE (b.blocker_id = c.user_lo AND b.blocked_id = c.user_hi)
                 OR (b.blocker_id = c.user_hi AND b.blocked_id = c.user_lo)) AS blocked
          FROM chat_place m JOIN chat c ON c.id = m.chat_id
          WHERE m.chat_id = $1 AND m.user_id = $2 AND m.left_at IS NULL`,
      },
      [chatId, userId],
    );
    return rows[0] ?? null;
  }

  async findPrivateChatId(pair: Pair): Promise<string | null> {
    const rows = await this.database.query<{ id: string }>(
      { name: 'chats.find-private', text: 'SELECT id FROM chat WHERE user_lo = $1 AND user_hi = $2' },
      [pair.userLo, pair.userHi],
    );
    return rows[0]?.id ?? null;
  }

  /**
   * Creates the pair's private chat with both members, unless it exists: then null, also when another transaction
   * was first.
   */
  async insertPrivateChat(
    tx: PrismaTransaction,
    id: string,
    pair: Pair,
    createdById: string,
    at: Date,
  ): Promise<string | null> {
    const { count } = await tx.chat.createMany({
      data: [{ id, type: 'PRIVATE', ...pair, createdById, createdAt: at, updatedAt: at }],
      skipDuplicates: true,
    });
    if (count === 0) return null;
    await tx.member.createMany({
      data: [pair.userLo, pair.userHi].map((userId) => ({ chatId: id, userId, joinedAt: at })),
    });
    return id;
  }

  /**
   * Locks a chat against sends and all that changes it or its members, until `tx` ends; before it, of a tenant's chat,
   * the tenant against a change of its agents. Look at what the locks protect in a later statement: this one's snapshot
   * is older than they are.
   *
   * @returns false if there is no such chat
   */
  async lockChat(tx: PrismaTransaction, chatId: string): Promise<boolean> {
    // As a condition on no row, the tenant's lock is taken before any row is.
    const rows = await tx.$queryRaw<unknown[]>`
      WITH tenant_lock AS MATERIALIZED (
        SELECT pg_advisory_xact_lock_shared(lock_tenant_key(k.tenant_id)) FROM conversation k
        WHERE k.chat_id = ${chatId}::uuid)
      SELECT 1 FROM chat WHERE id = ${chatId}::uuid AND (SELECT count(*) FROM tenant_lock) >= 0 FOR NO KEY UPDATE`;
    return rows.length > 0;
  }

  /** Like `findForMember`, as it stands in `tx`. */
  async findForMemberIn(
    tx: PrismaTransaction,
    userId: string,
    chatId: string,
  ): Promise<ChatForMemberRow | null> {
    const rows = await tx.$queryRaw<ChatForMemberRow[]>`
      SELECT ${Prisma.raw(CHAT_FOR_MEMBER)} FROM chat_place m JOIN chat c ON c.id = m.chat_id
      WHERE m.chat_id = ${chatId}::uuid AND m.user_id = ${userId}::uuid AND m.left_at IS NULL`;
    return rows[0] ?? null;
  }

  /** Locks the pair's private chat, if there is one, against sends until `tx` ends. */
  async lockPrivateChat(tx: PrismaTransaction, pair: Pair): Promise<string | null> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM chat WHERE user_lo = ${pair.userLo}::uuid AND user_hi = ${pair.userHi}::uuid FOR NO KEY UPDATE`;
    return rows[0]?.id ?? null;
  }
}
