import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import { TenantManagement } from './tenant-management.service.js';
import { TenantsService } from './tenants.service.js';

const NAME = 'WhatsApp';

/** The one tenant that the configuration names is there before the server serves, with the token given there. */
@Injectable()
export class EnvironmentTenant implements OnApplicationBootstrap {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly tenants: TenantsService,
    private readonly management: TenantManagement,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const given = this.config.whatsapp.tenant;
    if (!given) return;
    const { phoneNumberId, accessToken, wabaId } = given;
    const known = await this.tenants.findByPhoneNumberId(phoneNumberId);
    if (known) {
      await this.management.keepAccessToken(known.id, accessToken, wabaId);
      return;
    }
    try {
      await this.management.register({ name: NAME, ...given });
    } catch (error) {
      // Of several instances that start together one has made it, from the same configuration.
      if (!(error instanceof AppError && error.code === 'PHONE_NUMBER_TAKEN')) throw error;
    }
  }
}
