import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { FailedMessages } from './failed-messages.service.js';
import { AcceptedBody, FailedMessageBody } from './sends.dto.js';

@ApiTags('Sending')
@TenantRoute()
@ApiParam({ name: 'tenantId', type: String })
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/messages`))
export class FailedMessagesController {
  constructor(private readonly failed: FailedMessages) {}

  @Get('failed')
  @ApiOperation({
    summary: 'The dead letters: messages that failed, and those of which nobody knows whether they were sent',
  })
  @ApiSuccess({ description: 'A page, newest first.', type: FailedMessageBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(
    @CurrentTenant() tenant: Tenant,
    @Query() query: PageQuery,
  ): Promise<Success<FailedMessageBody[]>> {
    const { messages, page } = await this.failed.list(tenant, query);
    return success('Messages that were not sent.', messages, page);
  }

  @Post(':id/retry')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Sends a dead letter once more',
    description:
      'Of one with `OUTCOME_UNKNOWN`, the customer may get it twice: nobody knows whether they have it already.',
  })
  @ApiSuccess({ status: 202, description: 'The message, queued again.', type: AcceptedBody })
  @ApiFailures('MESSAGE_NOT_FOUND', 'NOT_RETRYABLE')
  async retry(@CurrentTenant() tenant: Tenant, @Param('id') id: string): Promise<Success<AcceptedBody>> {
    return success('Message queued again.', await this.failed.retry(tenant, id));
  }
}
