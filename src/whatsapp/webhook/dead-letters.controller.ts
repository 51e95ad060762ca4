import { Controller, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { CurrentTenant, OperatorRoute, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { DeadLetterBody } from './dead-letters.dto.js';
import { DeadLettersService } from './dead-letters.service.js';

const RETRIED = 'The dead letter as it stands now: with `resolvedAt`, or with the reason of this failure.';

@ApiTags('Tenants')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/dead-letters`))
export class TenantDeadLettersController {
  constructor(private readonly deadLetters: DeadLettersService) {}

  @Get()
  @ApiOperation({ summary: 'Parts of webhooks for the tenant that could not be applied' })
  @ApiSuccess({ description: 'A page, newest first.', type: DeadLetterBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@CurrentTenant() tenant: Tenant, @Query() query: PageQuery): Promise<Success<DeadLetterBody[]>> {
    const { letters, page } = await this.deadLetters.list(tenant.id, query);
    return success('What could not be applied.', letters, page);
  }

  @Post(':id/retry')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Applies it once more' })
  @ApiSuccess({ description: RETRIED, type: DeadLetterBody })
  @ApiFailures('NOT_FOUND', 'NOT_RETRYABLE')
  async retry(@CurrentTenant() tenant: Tenant, @Param('id') id: string): Promise<Success<DeadLetterBody>> {
    return success('It was tried once more.', await this.deadLetters.retry(tenant.id, id));
  }
}

@ApiTags('Operations')
@OperatorRoute()
@Controller('api/dead-letters')
export class DeadLettersController {
  constructor(private readonly deadLetters: DeadLettersService) {}

  @Get()
  @ApiOperation({
    summary: 'Parts of webhooks that could not be applied, of all tenants and of none',
    description: 'By the operator alone.',
  })
  @ApiSuccess({ description: 'A page, newest first.', type: DeadLetterBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@Query() query: PageQuery): Promise<Success<DeadLetterBody[]>> {
    const { letters, page } = await this.deadLetters.list(null, query);
    return success('What could not be applied.', letters, page);
  }

  @Post(':id/retry')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Applies it once more', description: 'By the operator alone.' })
  @ApiSuccess({ description: RETRIED, type: DeadLetterBody })
  @ApiFailures('NOT_FOUND', 'NOT_RETRYABLE')
  async retry(@Param('id') id: string): Promise<Success<DeadLetterBody>> {
    return success('It was tried once more.', await this.deadLetters.retry(null, id));
  }
}
