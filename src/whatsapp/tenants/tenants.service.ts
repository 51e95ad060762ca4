import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Cursors } from '../../infra/http/cursors.js';
import type { Page } from '../../infra/http/envelope.js';
import type { PageQuery } from '../../infra/http/page.dto.js';
import { SecretBox } from './secret-box.js';
import { TenantChanged } from './tenants.events.js';
import { TenantsRepository, type TenantRow } from './tenants.repository.js';

/** A business with one WhatsApp number, without its secrets. */
export interface Tenant {
  id: string;
  name: string;
  phoneNumberId: string;
  /** As Meta writes it, which is in no one form: never a key. */
  displayPhoneNumber: string | null;
  wabaId: string | null;
  status: 'active' | 'disconnected' | 'restricted';
  statusReason: string | null;
  /** The network is never called for it. */
  isMock: boolean;
  autoReply: boolean;
  /** Whether free text needs an open window. */
  enforcesWindow: boolean;
  messagesPerSecond: number;
  hasFlows: boolean;
  agentsSeq: number;
  createdAt: Date;
  updatedAt: Date;
}

/** Of a number, in messages a second (Meta, 2026-05). */
export const USUAL_RATE = 80;
const MAX_DISPLAY_NUMBER = 40;

/** Tenants for the rest of the channel. */
@Injectable()
export class TenantsService {
  constructor(
    private readonly repository: TenantsRepository,
    private readonly box: SecretBox,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly cursors: Cursors,
  ) {}

  /** @throws AppError TENANT_NOT_FOUND */
  async get(id: string): Promise<Tenant> {
    const row = isId(id) ? await this.repository.find(id) : null;
    if (!row) throw new AppError('TENANT_NOT_FOUND');
    return toTenant(row);
  }

  /** All of them, newest first. @throws AppError INVALID_CURSOR */
  async list({ cursor, limit }: PageQuery): Promise<{ tenants: Tenant[]; page: Page }> {
    const position = cursor === undefined ? null : this.cursors.decode('tenants', cursor);
    const before = position && { createdAt: new Date(String(position[0])), id: String(position[1]) };
    const rows = await this.repository.list(before, limit + 1);
    const tenants = rows.slice(0, limit).map(toTenant);
    const last = tenants.at(-1);
    const nextCursor =
      last && rows.length > limit
        ? this.cursors.encode('tenants', [last.createdAt.toISOString(), last.id])
        : null;
    return { tenants, page: { nextCursor } };
  }

  async findByPhoneNumberId(phoneNumberId: string): Promise<Tenant | null> {
    const row = await this.repository.findByPhoneNumberId(phoneNumberId);
    return row && toTenant(row);
  }

  async listByWaba(wabaId: string): Promise<Tenant[]> {
    return (await this.repository.listByWaba(wabaId)).map(toTenant);
  }

  async listOfAgent(userId: string): Promise<Tenant[]> {
    return (await this.repository.listOfAgent(userId)).map(toTenant);
  }

  /** Who works for the tenant at present: ids of users. */
  async listAgentIds(tenantId: string): Promise<string[]> {
    return this.repository.listAgentIds(tenantId);
  }

  /**
   * The token with which the tenant calls the Graph API, in the clear: never logged, never answered.
   *
   * @throws AppError TENANT_NOT_FOUND
   */
  async accessTokenOf(tenantId: string): Promise<string> {
    const row = isId(tenantId) ? await this.repository.find(tenantId) : null;
    const sealed = row?.access_token ?? null;
    if (sealed === null) throw new AppError('TENANT_NOT_FOUND');
    return this.box.open(sealed, accessTokenPlace(tenantId));
  }

  /**
   * Says whether the tenant may send at present, and why not. Nothing is sent while it is not `active`; a new token makes
   * it so. Publishes TenantChanged if that is new.
   *
   * @param reason a sentence for the operator, without anything secret
   */
  async setStatus(tenantId: string, status: Tenant['status'], reason: string | null): Promise<void> {
    const isNew = await this.repository.setStatus(tenantId, status, reason, this.clock.now());
    if (isNew) this.events.publish(new TenantChanged(tenantId));
  }

  /**
   * Notes how many messages a second Meta allows the tenant's number, unless the tenant has a rate of its own. Publishes
   * TenantChanged if that is new.
   */
  async learnRate(tenantId: string, perSecond: number): Promise<void> {
    const now = this.clock.now();
    const isNew = await this.repository.replaceUsualRate(tenantId, USUAL_RATE, perSecond, now);
    if (isNew) this.events.publish(new TenantChanged(tenantId));
  }

  /** Notes the tenant's number as Meta writes it, unless one is known. Publishes TenantChanged if that is new. */
  async learnDisplayNumber(tenantId: string, number: string): Promise<void> {
    const shown = number.slice(0, MAX_DISPLAY_NUMBER);
    const isNew = await this.repository.setDisplayNumber(tenantId, shown, this.clock.now());
    if (isNew) this.events.publish(new TenantChanged(tenantId));
  }
}

/** What binds a sealed access token to its tenant. */
export function accessTokenPlace(tenantId: string): string {
  return `access token of ${tenantId}`;
}

export function toTenant(row: TenantRow): Tenant {
  return {
    id: row.id,
    name: row.name,
    phoneNumberId: row.phone_number_id,
    displayPhoneNumber: row.display_phone_number,
    wabaId: row.waba_id,
    status: row.status,
    statusReason: row.status_reason,
    isMock: row.is_mock,
    autoReply: row.auto_reply,
    enforcesWindow: row.enforce_window ?? !row.is_mock,
    messagesPerSecond: row.messages_per_second,
    hasFlows: row.has_flows,
    agentsSeq: row.agents_seq,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
