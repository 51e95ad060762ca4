import { Body, Controller, Get, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiSuccess } from '../../infra/http/openapi.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { FlowsBody, SetFlowsDto } from './flows.dto.js';
import { FlowsService } from './flows.service.js';

@ApiTags('Flows')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/flows`))
export class FlowsController {
  constructor(private readonly flows: FlowsService) {}

  @Post()
  @ApiOperation({
    summary: 'Sets the rules of the bot',
    description:
      'All of them: what was there before is gone. Each message of a customer gets one answer at most.',
  })
  @ApiSuccess({ status: 201, description: 'The rules as they are now.', type: FlowsBody })
  async replace(@CurrentTenant() tenant: Tenant, @Body() dto: SetFlowsDto): Promise<Success<FlowsBody>> {
    return success('The rules are set.', await this.flows.replace(tenant.id, dto));
  }

  @Get()
  @ApiOperation({ summary: 'The rules of the bot' })
  @ApiSuccess({ description: 'The rules.', type: FlowsBody })
  async get(@CurrentTenant() tenant: Tenant): Promise<Success<FlowsBody>> {
    return success('The rules.', await this.flows.get(tenant.id));
  }
}
