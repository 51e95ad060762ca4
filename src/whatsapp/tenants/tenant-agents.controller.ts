import { Body, Controller, Delete, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { MemberBody } from '../../chats/chats.dto.js';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { TenantAgentsService } from './tenant-agents.service.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from './tenant-routes.js';
import { AddAgentDto } from './tenants.dto.js';
import type { Tenant } from './tenants.service.js';

@ApiTags('Tenants')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/agents`))
export class TenantAgentsController {
  constructor(private readonly agents: TenantAgentsService) {}

  @Post()
  @ApiOperation({
    summary: 'Makes a person an agent',
    description:
      'They are in all conversations of the tenant at once. Again with another `role`: changes it.',
  })
  @ApiSuccess({ status: 201, description: 'The new agent.', type: MemberBody })
  @ApiSuccess({ status: 200, description: 'They were one already.', type: MemberBody })
  @ApiFailures('USER_NOT_FOUND')
  async add(
    @CurrentTenant() tenant: Tenant,
    @Body() dto: AddAgentDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<MemberBody>> {
    const { agent, joined } = await this.agents.add(tenant.id, dto.userId, dto.role);
    if (!joined) response.status(HttpStatus.OK);
    return success(joined ? 'Agent added.' : 'They were an agent already.', agent);
  }

  @Get()
  @ApiOperation({ summary: 'The tenant’s agents, in the order of their coming' })
  @ApiSuccess({ description: 'A page of agents.', type: MemberBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@CurrentTenant() tenant: Tenant, @Query() query: PageQuery): Promise<Success<MemberBody[]>> {
    const { agents, page } = await this.agents.list(tenant.id, query);
    return success('The agents.', agents, page);
  }

  @Delete(':userId')
  @ApiOperation({
    summary: 'Takes an agent out of the tenant',
    description: 'Once it is answered, nothing committed after it reaches them.',
  })
  @ApiSuccess({ description: 'They are no longer one.' })
  @ApiFailures('MEMBER_NOT_FOUND')
  async remove(@CurrentTenant() tenant: Tenant, @Param('userId') userId: string): Promise<Success<null>> {
    await this.agents.remove(tenant.id, userId);
    return success('Agent removed.', null);
  }
}
