import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { GraphClient } from '../graph/graph.client.js';
import { GraphError, GraphUnreachable } from '../graph/graph.errors.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { ApprovalsRepository, type ApprovalChange } from './approvals.repository.js';
import { textOf } from './approvals.service.js';
import type { SyncedBody } from './templates.dto.js';

/** More pages of Meta's list than a business can have templates. */
const MAX_PAGES = 500;

/** Asks Meta what it thinks of its templates. */
@Injectable()
export class TemplateSyncService {
  /** By tenant: who asks meanwhile gets the same answer, and Meta is not asked again. */
  private readonly running = new Map<string, Promise<SyncedBody>>();

  constructor(
    private readonly repository: ApprovalsRepository,
    private readonly graph: GraphClient,
    private readonly clock: Clock,
  ) {}

  /**
   * Asks Meta for all its templates of the tenant's business account.
   *
   * @throws AppError UNPROCESSABLE for a tenant that has none, or that never calls the network; META_REFUSED, NOT_READY
   */
  async sync(tenant: Tenant): Promise<SyncedBody> {
    if (tenant.wabaId === null)
      throw new AppError('UNPROCESSABLE', {
        message: 'The tenant has no wabaId: Meta’s templates belong to it.',
      });
    if (tenant.isMock)
      throw new AppError('UNPROCESSABLE', { message: 'This tenant never calls Meta: its token is a mock.' });
    const running =
      this.running.get(tenant.id) ?? this.syncNow(tenant).finally(() => this.running.delete(tenant.id));
    this.running.set(tenant.id, running);
    return running;
  }

  private async syncNow(tenant: Tenant): Promise<SyncedBody> {
    const startedAt = this.clock.now();
    const changes = await this.listAll(tenant);
    let changed = 0;
    for (const change of changes) {
      if (await this.repository.apply(tenant.id, change, startedAt, this.clock.now())) changed++;
    }
    const gone = await this.repository.markGone(
      tenant.id,
      changes.map(({ name }) => name),
      changes.map(({ language }) => language),
      startedAt,
    );
    return { seen: changes.length, changed, gone };
  }

  /** @throws AppError META_REFUSED, NOT_READY */
  private async listAll(tenant: Tenant): Promise<ApprovalChange[]> {
    const changes: ApprovalChange[] = [];
    let after: string | null = null;
    try {
      for (let page = 0; page < MAX_PAGES; page++) {
        const { templates, after: next } = await this.graph.listTemplates(tenant, after ?? undefined);
        changes.push(...templates.flatMap((template) => toListed(template) ?? []));
        if (next === null || next === after) break;
        after = next;
      }
    } catch (error) {
      throw toRefusal(error);
    }
    return changes;
  }
}

/** What Meta said is for the tenant to know; its own trouble passes. */
function toRefusal(error: unknown): unknown {
  if (error instanceof GraphUnreachable) {
    return new AppError('NOT_READY', {
      message: 'Meta does not answer: try again in a moment.',
      cause: error,
    });
  }
  if (!(error instanceof GraphError)) return error;
  const { message, retryAfterMs } = error;
  if (error.httpStatus >= 500 || error.httpStatus === 429) {
    return new AppError('NOT_READY', {
      message: 'Meta is busy: try again in a moment.',
      cause: error,
      ...(retryAfterMs !== null && { retryAfterMs }),
    });
  }
  return new AppError('META_REFUSED', { message: `Meta has refused this: ${message}`, cause: error });
}

type Fields = Record<string, unknown>;

function toListed(template: Fields): ApprovalChange | null {
  const name = textOf(template.name);
  const language = textOf(template.language);
  if (name === null || language === null) return null;
  const status = textOf(template.status)?.toUpperCase();
  const category = textOf(template.category);
  const rejected = textOf(template.rejected_reason);
  const score = template.quality_score;
  const quality = textOf(typeof score === 'object' && score !== null ? (score as Fields).score : score);
  const format = textOf(template.parameter_format)?.toUpperCase();
  return {
    name,
    language,
    metaId: textOf(template.id),
    ...(status !== undefined && { status, reason: rejected === 'NONE' ? null : rejected }),
    ...(category !== null && { category }),
    ...(quality !== null && { quality }),
    ...(format !== undefined && { parameterFormat: format }),
  };
}
