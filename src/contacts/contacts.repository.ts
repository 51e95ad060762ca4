import { Injectable } from '@nestjs/common';
import type { Pair } from '../common/pairs.js';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { ContactStatus } from './contacts.dto.js';

export interface ContactRow {
  id: string;
  requesterId: string;
  addresseeId: string;
  status: ContactStatus;
  createdAt: Date;
}

export interface BlockRow {
  blockedId: string;
  createdAt: Date;
}

/** Where a page of a list that is newest first begins: after the row with this time and id. */
export interface After {
  createdAt: Date;
  id: string;
}

/** `exclusive` for who changes something between two people, `shared` for who builds on how it stands. */
export type PairLock = 'exclusive' | 'shared';

const CONTACT_FIELDS = {
  id: true,
  requesterId: true,
  addresseeId: true,
  status: true,
  createdAt: true,
} as const;

@Injectable()
export class ContactsRepository {
  constructor(private readonly database: Database) {}

  /**
   * Serialises all that happens between two people until `tx` ends, also while there is no row to lock yet; no
   * other lock may be taken before it. Neither account can be deleted meanwhile.
   *
   * @returns false if one of the accounts does not exist
   */
  async lockPair(tx: PrismaTransaction, { userLo, userHi }: Pair, mode: PairLock): Promise<boolean> {
    const people = await tx.$queryRaw<unknown[]>`
      SELECT id FROM app_user WHERE id IN (${userLo}::uuid, ${userHi}::uuid) ORDER BY id FOR KEY SHARE`;
    const name = `contact ${userLo} ${userHi}`;
    if (mode === 'shared') {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(hashtextextended(${name}, 0))`;
    } else {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${name}, 0))`;
      // Who brings people into a group locks rows like this one, and chats after them.
      await tx.$executeRaw`
        SELECT 1 FROM contact WHERE user_lo = ${userLo}::uuid AND user_hi = ${userHi}::uuid FOR UPDATE`;
    }
    return people.length === 2;
  }

  /** Keeps accounts from being deleted until `tx` ends. @returns those that exist */
  async lockPeople(tx: PrismaTransaction, userIds: readonly string[]): Promise<string[]> {
    const people = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM app_user WHERE id = ANY (${userIds}::uuid[]) ORDER BY id FOR KEY SHARE`;
    return people.map((person) => person.id);
  }

  /**
   * Keeps a person's accepted contacts among `otherIds` as they are until `tx` ends: neither can such a contact end,
   * nor a block begin, since a block touches the row of its contact. Rows instead of one advisory lock a pair, of which
   * a group of 1,024 would use up the server's.
   *
   * @returns those of `otherIds` who are accepted contacts
   */
  async lockContacts(tx: PrismaTransaction, userId: string, otherIds: readonly string[]): Promise<string[]> {
    const contacts = await tx.$queryRaw<{ other_id: string }[]>`
      SELECT o.id AS other_id
      FROM unnest(${otherIds}::uuid[]) AS o (id)
      JOIN contact c ON c.user_lo = least(o.id, ${userId}::uuid) AND c.user_hi = greatest(o.id, ${userId}::uuid)
      WHERE c.status = 'ACCEPTED'
      ORDER BY c.user_lo, c.user_hi FOR SHARE OF c`;
    return contacts.map((contact) => contact.other_id);
  }

  /** Those of `otherIds` between whom and the person there is a block, whoever made it. */
  async listBlockedAmong(
    tx: PrismaTransaction,
    userId: string,
    otherIds: readonly string[],
  ): Promise<string[]> {
    const blocked = await tx.$queryRaw<{ id: string }[]>`
      SELECT o.id FROM unnest(${otherIds}::uuid[]) AS o (id)
      WHERE EXISTS (SELECT FROM block b WHERE b.blocker_id = o.id AND b.blocked_id = ${userId}::uuid)
         OR EXISTS (SELECT FROM block b WHERE b.blocker_id = ${userId}::uuid AND b.blocked_id = o.id)`;
    return blocked.map((person) => person.id);
  }

  async findByPair(tx: PrismaTransaction, pair: Pair): Promise<ContactRow | null> {
    return tx.contact.findUnique({ where: { userLo_userHi: pair }, select: CONTACT_FIELDS });
  }

  async findById(id: string): Promise<ContactRow | null> {
    const rows = await this.database.query<ContactRow>(
      {
        name: 'contacts.find-by-id',
        text: `
          SELECT id, requester_id AS "requesterId", addressee_id AS "addresseeId", status, created_at AS "createdAt"
          FROM contact WHERE id = $1`,
      },
      [id],
    );
    return rows[0] ?? null;
  }

  /** In no order; ids of nothing are left out. */
  async listByIds(ids: readonly string[]): Promise<ContactRow[]> {
    return this.database.query<ContactRow>(
      {
        name: 'contacts.list-by-ids',
        text: `
          SELECT id, requester_id AS "requesterId", addressee_id AS "addresseeId", status, created_at AS "createdAt"
          FROM contact WHERE id = ANY ($1::uuid[])`,
      },
      [ids],
    );
  }

  async insert(tx: PrismaTransaction, pair: Pair, contact: ContactRow): Promise<void> {
    await tx.contact.create({ data: { ...contact, ...pair, updatedAt: contact.createdAt } });
  }

  /** @returns false if the row is gone */
  async setAccepted(tx: PrismaTransaction, id: string, at: Date): Promise<boolean> {
    const { count } = await tx.contact.updateMany({
      where: { id, status: 'PENDING' },
      data: { status: 'ACCEPTED', updatedAt: at },
    });
    return count === 1;
  }

  /** @returns false if the row is gone already */
  async remove(tx: PrismaTransaction, id: string): Promise<boolean> {
    const { count } = await tx.contact.deleteMany({ where: { id } });
    return count === 1;
  }

  /** Whether either of the two has blocked the other. */
  async isBlocked(tx: PrismaTransaction, { userLo, userHi }: Pair): Promise<boolean> {
    const count = await tx.block.count({
      where: {
        OR: [
          { blockerId: userLo, blockedId: userHi },
          { blockerId: userHi, blockedId: userLo },
        ],
      },
    });
    return count > 0;
  }

  async findBlock(tx: PrismaTransaction, blockerId: string, blockedId: string): Promise<BlockRow | null> {
    return tx.block.findUnique({
      where: { blockerId_blockedId: { blockerId, blockedId } },
      select: { blockedId: true, createdAt: true },
    });
  }

  async insertBlock(tx: PrismaTransaction, blockerId: string, block: BlockRow): Promise<void> {
    await tx.block.create({ data: { blockerId, ...block } });
  }

  async removeBlock(tx: PrismaTransaction, blockerId: string, blockedId: string): Promise<void> {
    await tx.block.deleteMany({ where: { blockerId, blockedId } });
  }

  /** A person's contacts of one status, newest first, without those a block stands between. */
  async listContacts(
    userId: string,
    status: ContactStatus,
    after: After | null,
    limit: number,
  ): Promise<ContactRow[]> {
    return this.database.query<ContactRow>(
      {
        name: 'contacts.list-contacts',
        text: `
          SELECT c.id, c.requester_id AS "requesterId", c.addressee_id AS "addresseeId", c.status,
            c.created_at AS "createdAt"
          FROM contact c
          WHERE (c.requester_id = $1 OR c.addressee_id = $1) AND c.status = $2::contact_status
            AND NOT EXISTS (
              SELECT FROM block b WHERE b.blocker_id = c.requester_id AND b.blocked_id = c.addressee_id)
            AND NOT EXISTS (
              SELECT FROM block b WHERE b.blocker_id = c.addressee_id AND b.blocked_id = c.requester_id)
            AND ($3::timestamptz IS NULL OR (c.created_at, c.id) < ($3::timestamptz, $4::uuid))
          ORDER BY c.created_at DESC, c.id DESC
          LIMIT $5`,
      },
      [userId, status, after?.createdAt ?? null, after?.id ?? null, limit],
    );
  }

  /** Whom a person has blocked, newest first. */
  async listBlocks(blockerId: string, after: After | null, limit: number): Promise<BlockRow[]> {
    return this.database.query<BlockRow>(
      {
        name: 'contacts.list-blocks',
        text: `
          SELECT blocked_id AS "blockedId", created_at AS "createdAt"
          FROM block
          WHERE blocker_id = $1
            AND ($2::timestamptz IS NULL OR (created_at, blocked_id) < ($2::timestamptz, $3::uuid))
          ORDER BY created_at DESC, blocked_id DESC
          LIMIT $4`,
      },
      [blockerId, after?.createdAt ?? null, after?.id ?? null, limit],
    );
  }

  /** Forgets everyone a person knew, asked, blocked or was blocked by. */
  async removeAllOf(tx: PrismaTransaction, userId: string): Promise<void> {
    await tx.contact.deleteMany({ where: { OR: [{ requesterId: userId }, { addresseeId: userId }] } });
    await tx.block.deleteMany({ where: { OR: [{ blockerId: userId }, { blockedId: userId }] } });
    // What the trigger has just written for the account itself, and all it was to be told before.
    await tx.removedContact.deleteMany({ where: { userId } });
  }
}
