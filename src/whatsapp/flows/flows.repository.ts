import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { FlowRule } from './flow-rules.js';

export interface FlowSetRow {
  version: number;
  flows: FlowRule[];
  fallback_template_key: string | null;
  updated_at: Date;
}

@Injectable()
export class FlowsRepository {
  constructor(private readonly database: Database) {}

  async find(tenantId: string): Promise<FlowSetRow | null> {
    const rows = await this.database.query<FlowSetRow>(
      {
        name: 'flows.find',
        text: 'SELECT version, flows, fallback_template_key, updated_at FROM flow_set WHERE tenant_id = $1',
      },
      [tenantId],
    );
    return rows[0] ?? null;
  }

  /** Replaces all rules, and says at the tenant whether there are any: what comes in is then shown to the bot. */
  async replace(
    tenantId: string,
    flows: readonly FlowRule[],
    fallbackTemplateKey: string | null,
    at: Date,
  ): Promise<FlowSetRow> {
    const rows = await this.database.query<FlowSetRow>(
      {
        name: 'flows.replace',
        text: `WITH flagged AS (
            UPDATE tenant SET has_flows = $5 WHERE id = $1
          )
          INSERT INTO flow_set AS f (tenant_id, version, flows, fallback_template_key, updated_at)
          VALUES ($1, 1, $2, $3, $4)
          ON CONFLICT (tenant_id) DO UPDATE SET version = f.version + 1, flows = excluded.flows,
            fallback_template_key = excluded.fallback_template_key, updated_at = excluded.updated_at
          RETURNING version, flows, fallback_template_key, updated_at`,
      },
      [
        tenantId,
        JSON.stringify(flows),
        fallbackTemplateKey,
        at,
        flows.length > 0 || fallbackTemplateKey !== null,
      ],
    );
    const row = rows[0];
    if (!row) throw new Error('a set of flows was not kept');
    return row;
  }
}
