import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { storableText } from '../../common/storable.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { ApprovalsRepository, type ApprovalChange, type ApprovalRow } from './approvals.repository.js';

/** Meta's name and language of one of its templates. */
export interface MetaName {
  name: string;
  language: string;
}

const MAX_REASON = 1000;

/** What Meta thinks of the tenant's templates: by webhook, and when it is asked. */
@Injectable()
export class ApprovalsService {
  constructor(
    private readonly repository: ApprovalsRepository,
    private readonly tenants: TenantsService,
    private readonly clock: Clock,
  ) {}

  /** What is known of these, by `approvalKey`. */
  async listOf(tenantId: string, names: readonly MetaName[]): Promise<Map<string, ApprovalRow>> {
    if (names.length === 0) return new Map();
    const rows = await this.repository.list(
      tenantId,
      names.map(({ name }) => name),
      names.map(({ language }) => language),
    );
    return new Map(rows.map((row) => [approvalKey(row), row]));
  }

  /**
   * Notes what a webhook of a business account tells of a template of Meta's, for all its tenants; may be called again.
   *
   * @param field `message_template_status_update`, `message_template_quality_update`, `template_category_update` …
   * @param toldAt by Meta's clock, else when it came
   * @returns BAD_ITEM for what names no template
   */
  async applyWebhook(
    wabaId: string,
    field: string,
    value: unknown,
    toldAt: Date,
  ): Promise<'APPLIED' | 'UNKNOWN_WABA' | 'BAD_ITEM'> {
    const change = toChange(field, value);
    if (!change) return 'BAD_ITEM';
    const tenants = await this.tenants.listByWaba(wabaId);
    for (const tenant of tenants) {
      await this.repository.apply(tenant.id, change, toldAt, this.clock.now());
    }
    return tenants.length > 0 ? 'APPLIED' : 'UNKNOWN_WABA';
  }
}

export function approvalKey({ name, language }: MetaName): string {
  return `${name} ${language}`;
}

/** States in which Meta sends none of it. Any other, and one that is not known, is for Meta to judge. */
const UNUSABLE: readonly (string | null)[] = [
  'PENDING',
  'IN_APPEAL',
  'REJECTED',
  'PAUSED',
  'DISABLED',
  'PENDING_DELETION',
  'DELETED',
  'ARCHIVED',
];

export function isUsable(approval: ApprovalRow | undefined): boolean {
  return !UNUSABLE.includes(approval?.status ?? null);
}

type Fields = Record<string, unknown>;

/** What a webhook tells of a template, or null for one that names none. */
function toChange(field: string, value: unknown): ApprovalChange | null {
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Fields;
  const name = textOf(fields.message_template_name);
  const language = textOf(fields.message_template_language);
  if (name === null || language === null) return null;
  const change: ApprovalChange = { name, language, metaId: textOf(fields.message_template_id) };
  switch (field) {
    case 'message_template_status_update': {
      const status = textOf(fields.event)?.toUpperCase();
      const category = textOf(fields.message_template_category);
      return {
        ...change,
        ...(status !== undefined && { status, reason: reasonOf(fields) }),
        ...(category !== null && { category }),
      };
    }
    case 'message_template_quality_update': {
      const quality = textOf(fields.new_quality_score);
      return { ...change, ...(quality !== null && { quality }) };
    }
    case 'template_category_update': {
      const category = textOf(fields.new_category);
      return { ...change, ...(category !== null && { category }) };
    }
    default:
      return change;
  }
}

/** Meta says `NONE` for no reason. */
function reasonOf(fields: Fields): string | null {
  const reason = textOf(fields.reason);
  const info = fields.rejection_info;
  const more = typeof info === 'object' && info !== null ? textOf((info as Fields).reason) : null;
  const told = more ?? (reason === 'NONE' ? null : reason);
  return told?.slice(0, MAX_REASON).toWellFormed() ?? null;
}

const MAX_TEXT = 1000;

/** Text of Meta's, or null for what is none: ids come as numbers or as text. */
export function textOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT ? storableText(value) : null;
}
