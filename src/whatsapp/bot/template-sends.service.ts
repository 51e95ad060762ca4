import { Injectable } from '@nestjs/common';
import { ApiSends } from '../outbound/api-sends.service.js';
import type { AcceptedBody } from '../outbound/sends.dto.js';
import { TemplatesService } from '../templates/templates.service.js';
import type { Tenant } from '../tenants/tenants.service.js';
import type { SendTemplateDto } from './bot.dto.js';

/** Sends templates. */
@Injectable()
export class TemplateSendsService {
  constructor(
    private readonly templates: TemplatesService,
    private readonly sends: ApiSends,
  ) {}

  /**
   * Fills in a template and accepts it for sending.
   *
   * @throws AppError TEMPLATE_NOT_FOUND, VALIDATION_FAILED naming each missing variable, TEMPLATE_NOT_APPROVED,
   *   IDEMPOTENCY_CONFLICT, CUSTOMER_NOT_FOUND, WINDOW_CLOSED for one that is none of Meta's
   */
  async send(tenant: Tenant, dto: SendTemplateDto): Promise<AcceptedBody> {
    const { to, templateKey, language, variables, idempotency_key: idempotencyKey = null } = dto;
    const { rendered } = await this.templates.fill(tenant.id, templateKey, language, variables);
    return this.sends.sendReady(tenant, { to, idempotencyKey }, rendered);
  }
}
