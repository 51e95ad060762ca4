import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';

/** What Meta has told of one of its templates. */
export interface ApprovalRow {
  name: string;
  language: string;
  meta_id: string | null;
  status: string | null;
  reason: string | null;
  category: string | null;
  quality: string | null;
  parameter_format: string | null;
  updated_at: Date;
}

/** A word of Meta's on one of its templates; what is absent was not told. */
export interface ApprovalChange {
  name: string;
  language: string;
  metaId?: string | null;
  status?: string;
  /** Why it is in that status. */
  reason?: string | null;
  category?: string;
  quality?: string;
  parameterFormat?: string;
}

@Injectable()
export class ApprovalsRepository {
  constructor(private readonly database: Database) {}

  /** What is known of these templates of Meta's, given as pairs of name and language. */
  async list(
    tenantId: string,
    names: readonly string[],
    languages: readonly string[],
  ): Promise<ApprovalRow[]> {
    return this.database.query<ApprovalRow>(
      {
        name: 'approvals.list',
        text: `SELECT m.name, m.language, m.meta_id, m.status, m.reason, m.category, m.quality, m.parameter_format,
            m.updated_at
          FROM meta_template m
          WHERE m.tenant_id = $1
            AND (m.name, m.language) IN (SELECT * FROM unnest($2::text[], $3::text[]))`,
      },
      [tenantId, names, languages],
    );
  }

  /**
   * Notes what Meta has told, unless something newer is known. Each of status, category and quality has a time of its
   * own: they come by different webhooks.
   *
   * @param toldAt by Meta's clock
   * @returns whether anything is now another
   */
  async apply(tenantId: string, change: ApprovalChange, toldAt: Date, now: Date): Promise<boolean> {
    const rows = await this.database.query<{ changed: boolean }>(
      {
        name: 'approvals.apply',
        text: `WITH old AS (
            SELECT m.* FROM meta_template m WHERE m.tenant_id = $1 AND m.name = $2 AND m.language = $3
          ), new AS (
            INSERT INTO meta_template AS m (tenant_id, name, language, meta_id, status, reason, category, quality,
              parameter_format, status_at, category_at, quality_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $5::text IS NOT NULL THEN $10::timestamptz END,
              CASE WHEN $7::text IS NOT NULL THEN $10::timestamptz END,
              CASE WHEN $8::text IS NOT NULL THEN $10::timestamptz END, $11)
            ON CONFLICT (tenant_id, name, language) DO UPDATE SET
              meta_id = coalesce(excluded.meta_id, m.meta_id),
              status = CASE WHEN excluded.status_at >= coalesce(m.status_at, excluded.status_at) THEN excluded.status ELSE m.status END,
              reason = CASE WHEN excluded.status_at >= coalesce(m.status_at, excluded.status_at) THEN excluded.reason ELSE m.reason END,
              category = CASE WHEN excluded.category_at >= coalesce(m.category_at, excluded.category_at) THEN excluded.category ELSE m.category END,
              quality = CASE WHEN excluded.quality_at >= coalesce(m.quality_at, excluded.quality_at) THEN excluded.quality ELSE m.quality END,
              parameter_format = coalesce(excluded.parameter_format, m.parameter_format),
              status_at = greatest(m.status_at, excluded.status_at),
              category_at = greatest(m.category_at, excluded.category_at),
              quality_at = greatest(m.quality_at, excluded.quality_at),
              updated_at = excluded.updated_at
            RETURNING m.meta_id, m.status, m.reason, m.category, m.quality, m.parameter_format
          )
          SELECT (n.meta_id, n.status, n.reason, n.category, n.quality, n.parameter_format) IS DISTINCT FROM
            (o.meta_id, o.status, o.reason, o.category, o.quality, o.parameter_format) AS changed
          FROM new n LEFT JOIN old o ON true`,
      },
      [
        tenantId,
        change.name,
        change.language,
        change.metaId ?? null,
        change.status ?? null,
        change.reason ?? null,
        change.category ?? null,
        change.quality ?? null,
        change.parameterFormat ?? null,
        toldAt,
        now,
      ],
    );
    return rows[0]?.changed ?? false;
  }

  /**
   * Of what was known before a time, marks as `DELETED` all but the named: Meta has them no more.
   *
   * @returns how many
   */
  async markGone(
    tenantId: string,
    names: readonly string[],
    languages: readonly string[],
    at: Date,
  ): Promise<number> {
    const rows = await this.database.query(
      {
        name: 'approvals.mark-gone',
        text: `UPDATE meta_template m SET status = 'DELETED', reason = NULL, status_at = $4, updated_at = $4
          WHERE m.tenant_id = $1 AND m.status IS DISTINCT FROM 'DELETED'
            AND (m.status_at IS NULL OR m.status_at <= $4)
            AND (m.name, m.language) NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))
          RETURNING m.name`,
      },
      [tenantId, names, languages, at],
    );
    return rows.length;
  }
}
