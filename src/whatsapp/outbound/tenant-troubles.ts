import { Injectable } from '@nestjs/common';
import { Log } from '../../infra/observability/log.js';
import type { ErrorClass } from '../graph/error-classes.js';
import { TenantsService } from '../tenants/tenants.service.js';

/** What an error of Meta's means for the tenant as a whole, whether it came as an answer or with a `failed` status. */
@Injectable()
export class TenantTroubles {
  constructor(
    private readonly tenants: TenantsService,
    private readonly log: Log,
  ) {}

  /**
   * @param about what Meta said, without anything secret
   */
  async heed(
    tenantId: string,
    errorClass: ErrorClass,
    about: { code: string; message: string },
  ): Promise<void> {
    const reason = `Meta: ${about.message} (${about.code})`;
    switch (errorClass) {
      case 'TOKEN_DEAD':
      case 'NO_PERMISSION':
        this.log.error(
          { tenant: tenantId, code: about.code },
          'a tenant must connect again: nothing is sent for it',
        );
        return this.tenants.setStatus(tenantId, 'disconnected', reason);
      case 'RESTRICTED':
        this.log.error(
          { tenant: tenantId, code: about.code },
          'a tenant was restricted: nothing is sent for it',
        );
        return this.tenants.setStatus(tenantId, 'restricted', reason);
      case 'UNPAID':
        this.log.error({ tenant: tenantId, code: about.code }, 'a tenant has to pay Meta before it can send');
        return;
      case 'TEMPLATE_STOPPED':
        this.log.warn({ tenant: tenantId, code: about.code }, 'a template of a tenant cannot be sent');
        return;
      case 'APP_LIMIT':
      case 'NUMBER_LIMIT':
      case 'PAIR_LIMIT':
      case 'TRY_LATER':
      case 'OUTCOME_UNKNOWN':
      case 'OPTED_OUT':
      case 'REFUSED':
        return;
    }
  }
}
