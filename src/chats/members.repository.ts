import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { MemberRole } from './chats.dto.js';
import type { MemberRow } from './chats.repository.js';

/** Where a page of members starts: after the member with these values. */
export interface MemberListPosition {
  joinedAt: Date;
  userId: string;
}

/** Who takes a group over from its owner. */
export interface SuccessorRow {
  chat_id: string;
  user_id: string;
  name: string;
}

/** A person's place in one chat, for whoever ends them all. */
export interface OwnMembershipRow {
  chat_id: string;
  is_group: boolean;
  role: MemberRole;
}

/** Who is in which chat. Functions with `tx` want the locks of its chats held. */
@Injectable()
export class MembersRepository {
  constructor(private readonly database: Database) {}

  /**
   * Present members in the order in which they joined.
   *
   * @param namePrefix a beginning of the folded name (`nameKeyOf`), empty for everybody
   */
  async list(
    chatId: string,
    namePrefix: string,
    after: MemberListPosition | null,
    limit: number,
  ): Promise<MemberRow[]> {
    return this.database.query<MemberRow>(
      {
        name: 'members.list',
        text: `SELECT m.chat_id, m.user_id, m.role, m.joined_at
          FROM member m JOIN app_user u ON u.id = m.user_id
          WHERE m.chat_id = $1 AND m.left_at IS NULL AND starts_with(u.name_key, $2)
            AND ($3::timestamptz IS NULL OR (m.joined_at, m.user_id) > ($3, $4::uuid))
          ORDER BY m.joined_at, m.user_id LIMIT $5`,
      },
      [chatId, namePrefix, after?.joinedAt ?? null, after?.userId ?? null, limit],
    );
  }

  /** The named ones among the present members, in no order. */
  async listPresentAmong(chatId: string, userIds: readonly string[]): Promise<MemberRow[]> {
    return this.database.query<MemberRow>(
      {
        name: 'members.list-present-among',
        text: `SELECT m.chat_id, m.user_id, m.role, m.joined_at FROM member m
          WHERE m.chat_id = $1 AND m.user_id = ANY ($2::uuid[]) AND m.left_at IS NULL`,
      },
      [chatId, userIds],
    );
  }

  /**
   * Locks the rows of these people in a chat, those who left included, against receipts, whose writer does not take
   * the chat's lock. Returns who of them is present, with their role.
   */
  async lockMembers(
    tx: PrismaTransaction,
    chatId: string,
    userIds: readonly string[],
  ): Promise<Map<string, MemberRole>> {
    const rows = await tx.$queryRaw<{ user_id: string; role: MemberRole; present: boolean }[]>`
      SELECT user_id, role, left_at IS NULL AS present FROM member
      WHERE chat_id = ${chatId}::uuid AND user_id = ANY (${userIds}::uuid[])
      ORDER BY user_id FOR NO KEY UPDATE`;
    return new Map(rows.flatMap((row) => (row.present ? [[row.user_id, row.role] as const] : [])));
  }

  async countPresent(tx: PrismaTransaction, chatId: string): Promise<number> {
    return tx.member.count({ where: { chatId, leftAt: null } });
  }

  /** The names of these people by id. */
  async namesOf(tx: PrismaTransaction, userIds: readonly string[]): Promise<Map<string, string>> {
    const people = await tx.user.findMany({
      where: { id: { in: [...userIds] } },
      select: { id: true, name: true },
    });
    return new Map(people.map(({ id, name }) => [id, name]));
  }

  /**
   * Makes people present members of a group, also those who have been in it before: they see the SYSTEM message of
   * their joining at `systemSeq` and what follows it, have read it, and begin with new settings.
   */
  async join(
    tx: PrismaTransaction,
    chatId: string,
    userIds: readonly string[],
    systemSeq: number,
    at: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      INSERT INTO member (chat_id, user_id, joined_at, joined_seq, delivered_seq, read_seq, shown_read_seq, pushed_seq)
      SELECT ${chatId}::uuid, p.id, ${at}, ${systemSeq - 1}::int, ${systemSeq}::int, ${systemSeq}::int,
        ${systemSeq}::int, ${systemSeq}::int
      FROM unnest(${userIds}::uuid[]) AS p (id) ORDER BY p.id
      ON CONFLICT (chat_id, user_id) DO UPDATE SET
        role = 'MEMBER', joined_at = excluded.joined_at, joined_seq = excluded.joined_seq, left_at = NULL,
        left_seq = NULL, joined_tx = pg_current_xact_id(), delivered_seq = excluded.delivered_seq,
        read_seq = excluded.read_seq, shown_read_seq = excluded.shown_read_seq, pushed_seq = excluded.pushed_seq,
        muted_until = NULL, pinned = false, archived = false, marked_unread = false`;
  }

  /** Ends the membership of a person in groups at once: the last message they may be told of stands before each seq. */
  async leave(
    tx: PrismaTransaction,
    userId: string,
    chatIds: readonly string[],
    systemSeqs: readonly number[],
    at: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE member m SET left_at = ${at}, left_seq = l.seq - 1
      FROM unnest(${chatIds}::uuid[], ${systemSeqs}::int[]) AS l (chat_id, seq)
      WHERE m.chat_id = l.chat_id AND m.user_id = ${userId}::uuid AND m.left_at IS NULL`;
  }

  async setRole(tx: PrismaTransaction, chatId: string, userId: string, role: MemberRole): Promise<void> {
    await tx.member.update({ where: { chatId_userId: { chatId, userId } }, data: { role } });
  }

  /** Notes the SYSTEM message that says who came or went, for each chat. */
  async setMembersSeqs(
    tx: PrismaTransaction,
    chatIds: readonly string[],
    systemSeqs: readonly number[],
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE chat c SET members_seq = l.seq
      FROM unnest(${chatIds}::uuid[], ${systemSeqs}::int[]) AS l (chat_id, seq) WHERE c.id = l.chat_id`;
  }

  /** Moves a person's marks over a message of their own making, as sending does. */
  async moveMarks(
    tx: PrismaTransaction,
    chatId: string,
    userId: string,
    seq: number,
    at: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      WITH moved AS (
        UPDATE member SET delivered_seq = ${seq}::int, read_seq = ${seq}::int, shown_read_seq = ${seq}::int,
          marked_unread = false
        WHERE chat_id = ${chatId}::uuid AND user_id = ${userId}::uuid AND left_at IS NULL
        RETURNING chat_id, user_id)
      INSERT INTO receipt (chat_id, user_id, kind, through_seq, at)
      SELECT m.chat_id, m.user_id, k.kind, ${seq}::int, ${at}
      FROM moved m CROSS JOIN unnest('{DELIVERED,READ}'::receipt_kind[]) AS k (kind)
      ON CONFLICT DO NOTHING`;
  }

  /** Who takes each group over when `ownerId` goes: the oldest admin, else the oldest member; none of an empty one. */
  async listSuccessors(
    tx: PrismaTransaction,
    chatIds: readonly string[],
    ownerId: string,
  ): Promise<SuccessorRow[]> {
    return tx.$queryRaw<SuccessorRow[]>`
      SELECT DISTINCT ON (m.chat_id) m.chat_id, m.user_id, u.name
      FROM member m JOIN app_user u ON u.id = m.user_id
      WHERE m.chat_id = ANY (${chatIds}::uuid[]) AND m.left_at IS NULL AND m.user_id <> ${ownerId}::uuid
      ORDER BY m.chat_id, m.role = 'ADMIN' DESC, m.joined_at, m.user_id`;
  }

  /**
   * Locks, in id order, every chat the person is or was in, and returns where they are present. No other chat can get
   * them meanwhile: their account is locked.
   */
  async lockChatsOf(tx: PrismaTransaction, userId: string): Promise<OwnMembershipRow[]> {
    await tx.$queryRaw`
      SELECT 1 FROM chat c WHERE c.id IN (SELECT chat_id FROM member WHERE user_id = ${userId}::uuid)
      ORDER BY c.id FOR NO KEY UPDATE`;
    return tx.$queryRaw<OwnMembershipRow[]>`
      SELECT m.chat_id, c.type = 'GROUP' AS is_group, m.role
      FROM member m JOIN chat c ON c.id = m.chat_id
      WHERE m.user_id = ${userId}::uuid AND m.left_at IS NULL ORDER BY m.chat_id`;
  }

  /** Locks a person's own rows and those of who takes over from them, in the one order of member rows. */
  async lockForDeparture(
    tx: PrismaTransaction,
    userId: string,
    successors: readonly SuccessorRow[],
  ): Promise<void> {
    const chatIds = successors.map((successor) => successor.chat_id);
    const userIds = successors.map((successor) => successor.user_id);
    await tx.$queryRaw`
      SELECT 1
      FROM (
        SELECT chat_id, user_id FROM member WHERE user_id = ${userId}::uuid
        UNION SELECT * FROM unnest(${chatIds}::uuid[], ${userIds}::uuid[])) t (chat_id, user_id)
      JOIN member m ON m.chat_id = t.chat_id AND m.user_id = t.user_id
      ORDER BY m.chat_id, m.user_id FOR NO KEY UPDATE OF m`;
  }

  /** Makes each successor the owner of their chat. */
  async setOwners(tx: PrismaTransaction, successors: readonly SuccessorRow[]): Promise<void> {
    const chatIds = successors.map((successor) => successor.chat_id);
    const userIds = successors.map((successor) => successor.user_id);
    await tx.$executeRaw`
      UPDATE member m SET role = 'OWNER'
      FROM unnest(${chatIds}::uuid[], ${userIds}::uuid[]) AS s (chat_id, user_id)
      WHERE m.chat_id = s.chat_id AND m.user_id = s.user_id`;
  }

  /** Ends every membership that is left, and takes the person's name off the chats they created. */
  async forget(tx: PrismaTransaction, userId: string, at: Date): Promise<void> {
    await tx.member.updateMany({ where: { userId, leftAt: null }, data: { leftAt: at } });
    await tx.$executeRaw`
      UPDATE chat SET created_by_id = nullif(created_by_id, ${userId}::uuid)
      WHERE id IN (SELECT chat_id FROM member WHERE user_id = ${userId}::uuid)
        AND (type = 'PRIVATE' OR created_by_id = ${userId}::uuid)`;
  }
}
