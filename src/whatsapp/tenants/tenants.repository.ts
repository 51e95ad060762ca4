import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';

export interface TenantRow {
  id: string;
  name: string;
  phone_number_id: string;
  display_phone_number: string | null;
  waba_id: string | null;
  status: 'active' | 'disconnected' | 'restricted';
  status_reason: string | null;
  access_token: string | null;
  is_mock: boolean;
  auto_reply: boolean;
  enforce_window: boolean | null;
  messages_per_second: number;
  has_flows: boolean;
  agents_seq: number;
  created_at: Date;
  updated_at: Date;
}

/** Something of a tenant's that only a key opens. */
export interface SealedRow {
  tenant_id: string;
  sealed: string;
}

/** Of `tenant t`. */
export const TENANT_COLUMNS = `t.id, t.name, t.phone_number_id, t.display_phone_number, t.waba_id, t.status, t.status_reason,
  t.access_token, t.is_mock, t.auto_reply, t.enforce_window, t.messages_per_second, t.has_flows, t.agents_seq,
  t.created_at, t.updated_at`;

@Injectable()
export class TenantsRepository {
  constructor(private readonly database: Database) {}

  /** Null for one that is deleted, too. */
  async find(id: string): Promise<TenantRow | null> {
    const rows = await this.database.query<TenantRow>(
      {
        name: 'tenants.find',
        text: `SELECT ${TENANT_COLUMNS} FROM tenant t WHERE t.id = $1 AND t.deleted_at IS NULL`,
      },
      [id],
    );
    return rows[0] ?? null;
  }

  /** A page of the tenants there are, newest first. */
  async list(before: { createdAt: Date; id: string } | null, limit: number): Promise<TenantRow[]> {
    return this.database.query<TenantRow>(
      {
        name: 'tenants.list',
        text: `SELECT ${TENANT_COLUMNS} FROM tenant t
          WHERE t.deleted_at IS NULL AND ($1::timestamptz IS NULL OR (t.created_at, t.id) < ($1, $2::uuid))
          ORDER BY t.created_at DESC, t.id DESC LIMIT $3`,
      },
      [before?.createdAt ?? null, before?.id ?? null, limit],
    );
  }

  async findByPhoneNumberId(phoneNumberId: string): Promise<TenantRow | null> {
    const rows = await this.database.query<TenantRow>(
      {
        name: 'tenants.find-by-number',
        text: `SELECT ${TENANT_COLUMNS} FROM tenant t WHERE t.phone_number_id = $1 AND t.deleted_at IS NULL`,
      },
      [phoneNumberId],
    );
    return rows[0] ?? null;
  }

  /** The tenants whose number belongs to a business account. */
  async listByWaba(wabaId: string): Promise<TenantRow[]> {
    return this.database.query<TenantRow>(
      {
        name: 'tenants.list-by-waba',
        text: `SELECT ${TENANT_COLUMNS} FROM tenant t WHERE t.waba_id = $1 AND t.deleted_at IS NULL`,
      },
      [wabaId],
    );
  }

  /** The tenants that a person works for. */
  async listOfAgent(userId: string): Promise<TenantRow[]> {
    return this.database.query<TenantRow>(
      {
        name: 'tenants.list-of-agent',
        text: `SELECT ${TENANT_COLUMNS} FROM tenant_agent a JOIN tenant t ON t.id = a.tenant_id
          WHERE a.user_id = $1 AND a.left_at IS NULL AND t.deleted_at IS NULL ORDER BY t.created_at, t.id`,
      },
      [userId],
    );
  }

  /** @param hash of the tenant's `apiKey` */
  async findByApiKey(hash: string): Promise<TenantRow | null> {
    const rows = await this.database.query<TenantRow>(
      {
        name: 'tenants.find-by-key',
        text: `SELECT ${TENANT_COLUMNS} FROM tenant t WHERE t.api_key_hash = $1 AND t.deleted_at IS NULL`,
      },
      [hash],
    );
    return rows[0] ?? null;
  }

  async listAgentIds(tenantId: string): Promise<string[]> {
    const rows = await this.database.query<{ user_id: string }>(
      {
        name: 'tenants.list-agents',
        text: `SELECT a.user_id FROM tenant_agent a
          WHERE a.tenant_id = $1 AND a.left_at IS NULL ORDER BY a.joined_seq, a.user_id`,
      },
      [tenantId],
    );
    return rows.map((row) => row.user_id);
  }

  /** @returns whether that changed anything */
  async setStatus(
    id: string,
    status: TenantRow['status'],
    reason: string | null,
    at: Date,
  ): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'tenants.set-status',
        text: `UPDATE tenant SET status = $2, status_reason = $3, updated_at = $4
          WHERE id = $1 AND deleted_at IS NULL
            AND (status, status_reason) IS DISTINCT FROM ($2::tenant_status, $3::text)
          RETURNING 1`,
      },
      [id, status, reason, at],
    );
    return rows.length > 0;
  }

  /** Replaces the rate that a number has if nobody says another. @returns whether that changed anything */
  async replaceUsualRate(id: string, usual: number, perSecond: number, at: Date): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'tenants.replace-usual-rate',
        text: `UPDATE tenant SET messages_per_second = $3, updated_at = $4
          WHERE id = $1 AND deleted_at IS NULL AND messages_per_second = $2 RETURNING 1`,
      },
      [id, usual, perSecond, at],
    );
    return rows.length > 0;
  }

  /** Of a tenant of whose number nobody has said how it is written. @returns whether that changed anything */
  async setDisplayNumber(id: string, number: string, at: Date): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'tenants.set-display-number',
        text: `UPDATE tenant SET display_phone_number = $2, updated_at = $3
          WHERE id = $1 AND deleted_at IS NULL AND display_phone_number IS NULL RETURNING 1`,
      },
      [id, number, at],
    );
    return rows.length > 0;
  }

  /** A page of the sealed access tokens, in the order of the ids. */
  async listSealed(afterId: string | null, limit: number): Promise<SealedRow[]> {
    return this.database.query<SealedRow>(
      {
        name: 'tenants.list-sealed',
        text: `SELECT t.id AS tenant_id, t.access_token AS sealed FROM tenant t
          WHERE t.access_token IS NOT NULL AND ($1::uuid IS NULL OR t.id > $1) ORDER BY t.id LIMIT $2`,
      },
      [afterId, limit],
    );
  }

  /** Leaves a token that is no longer the one that was read. */
  async replaceSealed(row: SealedRow, sealed: string): Promise<void> {
    await this.database.query(
      {
        name: 'tenants.replace-sealed',
        text: 'UPDATE tenant SET access_token = $3 WHERE id = $1 AND access_token = $2',
      },
      [row.tenant_id, row.sealed, sealed],
    );
  }
}
