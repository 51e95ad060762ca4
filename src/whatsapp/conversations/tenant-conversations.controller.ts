import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { ConversationLists } from './conversation-lists.service.js';
import { ConversationBody } from './conversations.dto.js';

@ApiTags('Conversations')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/conversations`))
export class TenantConversationsController {
  constructor(private readonly lists: ConversationLists) {}

  @Get()
  @ApiOperation({ summary: 'The customers of a tenant, the last active first, for its own systems' })
  @ApiSuccess({ description: 'A page of conversations.', type: ConversationBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(
    @CurrentTenant() tenant: Tenant,
    @Query() query: PageQuery,
  ): Promise<Success<ConversationBody[]>> {
    const { conversations, page } = await this.lists.list(tenant.id, null, query);
    return success('Conversations.', conversations, page);
  }
}
