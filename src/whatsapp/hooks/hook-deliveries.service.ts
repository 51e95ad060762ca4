import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { Page } from '../../infra/http/envelope.js';
import type { DeliveryBody, ListDeliveriesQuery } from './hooks.dto.js';
import { HookDeliveriesRepository, type DeliveryRow } from './hook-deliveries.repository.js';
import { HookWakeups } from './hook-wakeups.js';

/** What a tenant's own system was told of and is still to be, as the tenant sees it. */
@Injectable()
export class HookDeliveriesService {
  constructor(
    private readonly repository: HookDeliveriesRepository,
    private readonly wakeups: HookWakeups,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /** Newest first. @throws AppError INVALID_CURSOR */
  async list(
    tenantId: string,
    { state, cursor, limit }: ListDeliveriesQuery,
  ): Promise<{ deliveries: DeliveryBody[]; page: Page }> {
    const scope = `hook-deliveries:${tenantId}:${state ?? ''}`;
    const position = cursor === undefined ? null : this.cursors.decode(scope, cursor);
    const before = position && { createdAt: new Date(String(position[0])), id: String(position[1]) };
    const rows = await this.repository.list(tenantId, state ?? null, before, limit + 1);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const nextCursor =
      last && rows.length > limit
        ? this.cursors.encode(scope, [last.created_at.toISOString(), last.id])
        : null;
    return { deliveries: shown.map(toBody), page: { nextCursor } };
  }

  /** Delivers it again, at once and with all its attempts. @throws AppError DELIVERY_NOT_FOUND */
  async replay(tenantId: string, deliveryId: string): Promise<DeliveryBody> {
    const now = this.clock.now();
    const row = isId(deliveryId) ? await this.repository.replay(tenantId, deliveryId, now) : null;
    if (!row) throw new AppError('DELIVERY_NOT_FOUND');
    await this.wakeups.wake(tenantId, `${row.id}.${now.getTime()}`);
    return toBody(row);
  }
}

function toBody(row: DeliveryRow): DeliveryBody {
  return {
    id: row.id,
    event: row.event,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
    lastStatus: row.last_status,
    lastError: row.last_error,
    deliveredAt: row.delivered_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
  };
}
