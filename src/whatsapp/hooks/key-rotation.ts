import type { Database } from '../../infra/database/database.js';
import { NotOurSecretError, type SecretBox } from '../tenants/secret-box.js';
import { TenantsRepository, type SealedRow } from '../tenants/tenants.repository.js';
import { accessTokenPlace } from '../tenants/tenants.service.js';
import { HooksRepository } from './hooks.repository.js';
import { hookSecretPlace } from './hooks.service.js';

/** A table with one sealed secret a tenant. */
interface SealedTable {
  /** In the order of the tenants' ids, after one of them. */
  listSealed(afterId: string | null, limit: number): Promise<SealedRow[]>;
  /** Unless it was changed meanwhile, which is then sealed under a key of its writer's. */
  replaceSealed(row: SealedRow, sealed: string): Promise<void>;
}

export interface RotationResult {
  /** Sealed under the present key now, and under the old one before. */
  rotated: number;
  /** Were so already. */
  current: number;
  /** The tenants of secrets that neither key opens. */
  lost: string[];
}

const PAGE = 200;

/**
 * Seals every secret in the database under the present `MASTER_KEY` that is still sealed under `MASTER_KEY_OLD`. One at a
 * time, beside running servers; it may be stopped and started again.
 */
export class KeyRotation {
  private readonly tenants: SealedTable;
  private readonly hooks: SealedTable;

  constructor(
    private readonly box: SecretBox,
    database: Database,
  ) {
    this.tenants = new TenantsRepository(database);
    this.hooks = new HooksRepository(database);
  }

  async run(): Promise<RotationResult> {
    const result: RotationResult = { rotated: 0, current: 0, lost: [] };
    await this.rotate(this.tenants, accessTokenPlace, result);
    await this.rotate(this.hooks, hookSecretPlace, result);
    return result;
  }

  private async rotate(
    table: SealedTable,
    placeOf: (tenantId: string) => string,
    result: RotationResult,
  ): Promise<void> {
    let rows: SealedRow[] = [];
    do {
      rows = await table.listSealed(rows.at(-1)?.tenant_id ?? null, PAGE);
      for (const row of rows) {
        const place = placeOf(row.tenant_id);
        try {
          const text = this.box.open(row.sealed, place);
          if (this.box.isCurrent(row.sealed)) {
            result.current++;
          } else {
            await table.replaceSealed(row, this.box.seal(text, place));
            result.rotated++;
          }
        } catch (error) {
          if (!(error instanceof NotOurSecretError)) throw error;
          result.lost.push(row.tenant_id);
        }
      }
    } while (rows.length === PAGE);
  }
}
