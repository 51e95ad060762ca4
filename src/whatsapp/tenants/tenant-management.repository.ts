import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { PrismaTransaction } from '../../infra/database/prisma.service.js';

export interface NewTenantRow {
  id: string;
  name: string;
  phoneNumberId: string;
  displayPhoneNumber: string | null;
  wabaId: string | null;
  accessToken: string;
  isMock: boolean;
  apiKeyHash: string;
  autoReply: boolean;
  enforceWindow: boolean | null;
  messagesPerSecond: number | undefined;
  everyoneIsAgent: boolean;
}

/** What is undefined stays as it is. */
export interface TenantRowChanges {
  name?: string | undefined;
  phoneNumberId?: string | undefined;
  displayPhoneNumber?: string | null | undefined;
  wabaId?: string | null | undefined;
  accessToken?: string | undefined;
  isMock?: boolean | undefined;
  autoReply?: boolean | undefined;
  enforceWindow?: boolean | null | undefined;
  messagesPerSecond?: number | undefined;
}

@Injectable()
export class TenantManagementRepository {
  constructor(private readonly database: Database) {}

  /** @throws a unique violation when the number is connected already */
  async insert(tx: PrismaTransaction, row: NewTenantRow, at: Date): Promise<void> {
    const { messagesPerSecond, ...others } = row;
    await tx.tenant.create({
      data: {
        ...others,
        ...(messagesPerSecond !== undefined && { messagesPerSecond }),
        createdAt: at,
        updatedAt: at,
      },
    });
  }

  /**
   * A new access token makes the tenant active.
   *
   * @returns whether it is there
   * @throws a unique violation when the new number is connected already
   */
  async update(tx: PrismaTransaction, id: string, changes: TenantRowChanges, at: Date): Promise<boolean> {
    const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    const { count } = await tx.tenant.updateMany({
      where: { id, deletedAt: null },
      data: {
        ...given,
        ...(changes.accessToken !== undefined && { status: 'active', statusReason: null }),
        updatedAt: at,
      },
    });
    return count > 0;
  }

  /** @returns whether it is there */
  async setApiKey(id: string, hash: string, at: Date): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'tenant-management.set-api-key',
        text: `UPDATE tenant SET api_key_hash = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL RETURNING 1`,
      },
      [id, hash, at],
    );
    return rows.length > 0;
  }

  /** Keeps the row, without what opens anything. */
  async markDeleted(tx: PrismaTransaction, id: string, at: Date): Promise<void> {
    await tx.tenant.updateMany({
      where: { id },
      data: { deletedAt: at, updatedAt: at, accessToken: null, apiKeyHash: null, everyoneIsAgent: false },
    });
  }

  /** Locks the tenant's row until `tx` ends. @returns its sealed access token, or null when it is deleted */
  async lockAccessToken(tx: PrismaTransaction, id: string): Promise<string | null> {
    const rows = await tx.$queryRaw<{ access_token: string | null }[]>`
      SELECT access_token FROM tenant WHERE id = ${id}::uuid AND deleted_at IS NULL FOR NO KEY UPDATE`;
    return rows[0]?.access_token ?? null;
  }
}
