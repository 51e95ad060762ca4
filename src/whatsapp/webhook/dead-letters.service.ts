import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { Page } from '../../infra/http/envelope.js';
import type { PageQuery } from '../../infra/http/page.dto.js';
import type { DeadLetterBody } from './dead-letters.dto.js';
import {
  DeadLettersRepository,
  type DeadLetterPosition,
  type DeadLetterRow,
} from './dead-letters.repository.js';
import { WebhookEventsRepository } from './webhook-events.repository.js';
import { WebhookProcessor } from './webhook-processor.js';
import { toTaken } from './webhook-sweep.js';

/** What of webhooks could not be applied, for a tenant or, with `tenantId` null, for the operator. */
@Injectable()
export class DeadLettersService {
  constructor(
    private readonly repository: DeadLettersRepository,
    private readonly events: WebhookEventsRepository,
    private readonly processor: WebhookProcessor,
    private readonly cursors: Cursors,
  ) {}

  /** Those that wait, newest first. @throws AppError INVALID_CURSOR */
  async list(tenantId: string | null, query: PageQuery): Promise<{ letters: DeadLetterBody[]; page: Page }> {
    const scope = `dead-letters:${tenantId ?? ''}`;
    const before = query.cursor === undefined ? null : this.decode(scope, query.cursor);
    const rows = await this.repository.list(tenantId, before, query.limit + 1);
    const letters = rows.slice(0, query.limit);
    const last = rows.length > query.limit ? letters.at(-1) : undefined;
    const nextCursor = last ? this.cursors.encode(scope, [last.created_at.toISOString(), last.id]) : null;
    return { letters: letters.map(toBody), page: { nextCursor } };
  }

  /**
   * Applies it once more and returns it as it stands now.
   *
   * @throws AppError NOT_FOUND, NOT_RETRYABLE when it was applied or what it came from is gone
   */
  async retry(tenantId: string | null, id: string): Promise<DeadLetterBody> {
    const letter = await this.get(tenantId, id);
    const event = letter.resolved_at === null ? await this.events.find(BigInt(letter.event_id)) : null;
    if (!event) throw new AppError('NOT_RETRYABLE');
    await this.processor.retry(toTaken(event), letter.path);
    return toBody(await this.get(tenantId, id));
  }

  private async get(tenantId: string | null, id: string): Promise<DeadLetterRow> {
    const letter = isId(id) ? await this.repository.find(id, tenantId) : null;
    if (!letter) throw new AppError('NOT_FOUND');
    return letter;
  }

  private decode(scope: string, cursor: string): DeadLetterPosition {
    const [createdAt, id] = this.cursors.decode(scope, cursor);
    return { createdAt: new Date(String(createdAt)), id: String(id) };
  }
}

function toBody(row: DeadLetterRow): DeadLetterBody {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    phoneNumberId: row.phone_number_id,
    field: row.field,
    path: row.path,
    reason: row.reason,
    detail: row.detail,
    item: isObject(row.item) ? row.item : { value: row.item },
    createdAt: row.created_at.toISOString(),
    resolvedAt: row.resolved_at?.toISOString() ?? null,
  };
}

function isObject(item: unknown): item is object {
  return typeof item === 'object' && item !== null && !Array.isArray(item);
}
