import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { AcceptedBody } from '../outbound/sends.dto.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { SendTemplateDto } from './bot.dto.js';
import { TemplateSendsService } from './template-sends.service.js';

@ApiTags('Templates')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/send/template`))
export class TemplateSendsController {
  constructor(private readonly sends: TemplateSendsService) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({
    summary: 'Sends a template to a customer',
    description:
      'In the best language there is: the one asked for, the same of another region, English, the oldest. One with ' +
      '`metaTemplateName` may be sent with the window open or closed.',
  })
  @ApiSuccess({ status: 202, description: 'It is stored and will be sent.', type: AcceptedBody })
  @ApiFailures(
    'TEMPLATE_NOT_FOUND',
    'CUSTOMER_NOT_FOUND',
    'IDEMPOTENCY_CONFLICT',
    'WINDOW_CLOSED',
    'TEMPLATE_NOT_APPROVED',
  )
  async send(@CurrentTenant() tenant: Tenant, @Body() dto: SendTemplateDto): Promise<Success<AcceptedBody>> {
    return success('Message queued.', await this.sends.send(tenant, dto));
  }
}
