import { Injectable } from '@nestjs/common';
import { BoundedMap } from '../../common/bounded-map.js';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { TenantChanged } from '../tenants/tenants.events.js';
import { compileFlows, type CompiledFlows } from './flow-matching.js';
import { parseRules } from './flow-rules.js';
import type { FlowsBody, SetFlowsDto } from './flows.dto.js';
import { FlowsRepository, type FlowSetRow } from './flows.repository.js';

/** Tenants whose compiled rules are kept. */
const MAX_COMPILED = 500;

/** The rules by which the bots of tenants answer. */
@Injectable()
export class FlowsService {
  private readonly compiled = new BoundedMap<string, CompiledFlows>(MAX_COMPILED);

  constructor(
    private readonly repository: FlowsRepository,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  async get(tenantId: string): Promise<FlowsBody> {
    return toBody(await this.repository.find(tenantId));
  }

  /** Replaces all rules. @throws AppError VALIDATION_FAILED naming each bad field */
  async replace(tenantId: string, { flows, fallbackTemplateKey }: SetFlowsDto): Promise<FlowsBody> {
    const rules = parseRules(flows);
    const row = await this.repository.replace(tenantId, rules, fallbackTemplateKey ?? null, this.clock.now());
    this.events.publish(new TenantChanged(tenantId));
    return toBody(row);
  }

  /**
   * The rules ready for use, or null when there are none.
   *
   * @param version that the caller has just read of them; unless it is kept already, they are read
   */
  async compiledOf(tenantId: string, version: number | null): Promise<CompiledFlows | null> {
    if (version === null) return null;
    const kept = this.compiled.get(tenantId);
    return kept?.version === version ? kept : this.readCompiled(tenantId);
  }

  /** The rules as they are now, or null when there are none. */
  async readCompiled(tenantId: string): Promise<CompiledFlows | null> {
    const row = await this.repository.find(tenantId);
    if (!row) return null;
    const kept = this.compiled.get(tenantId);
    if (kept?.version === row.version) return kept;
    const flows = compileFlows(row.version, row.flows, row.fallback_template_key);
    this.compiled.set(tenantId, flows);
    return flows;
  }
}

function toBody(row: FlowSetRow | null): FlowsBody {
  return {
    flows: row?.flows ?? [],
    fallbackTemplateKey: row?.fallback_template_key ?? null,
    version: row?.version ?? 0,
    updatedAt: row?.updated_at.toISOString() ?? null,
  };
}
