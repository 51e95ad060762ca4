import { Body, Controller, Delete, Get, HttpCode, HttpStatus, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { TenantManagement } from './tenant-management.service.js';
import { CurrentTenant, IsOperator, OperatorRoute, TENANT_PATHS, TenantRoute } from './tenant-routes.js';
import {
  ApiKeyBody,
  RegisteredTenantBody,
  RegisterTenantDto,
  TenantBody,
  UpdateTenantDto,
} from './tenants.dto.js';
import { TenantsService, type Tenant } from './tenants.service.js';

@ApiTags('Tenants')
@Controller(TENANT_PATHS)
export class TenantsController {
  constructor(
    private readonly management: TenantManagement,
    private readonly tenants: TenantsService,
  ) {}

  @Post('register')
  @OperatorRoute()
  @ApiOperation({ summary: 'Connects a WhatsApp Business number', description: 'With the `MASTER_KEY`.' })
  @ApiSuccess({ status: 201, description: 'The new tenant and its key.', type: RegisteredTenantBody })
  @ApiFailures('PHONE_NUMBER_TAKEN')
  async register(@Body() dto: RegisterTenantDto): Promise<Success<RegisteredTenantBody>> {
    const { tenant, apiKey } = await this.management.register(dto);
    return success('Number connected.', { ...toBody(tenant), apiKey });
  }

  @Get()
  @OperatorRoute()
  @ApiOperation({ summary: 'All tenants', description: 'With the `MASTER_KEY`.' })
  @ApiSuccess({
    description: 'A page of tenants, newest first.',
    type: TenantBody,
    isArray: true,
    paged: true,
  })
  @ApiFailures('INVALID_CURSOR')
  async list(@Query() query: PageQuery): Promise<Success<TenantBody[]>> {
    const { tenants, page } = await this.tenants.list(query);
    return success('The tenants.', tenants.map(toBody), page);
  }

  @Get(':tenantId')
  @TenantRoute()
  @ApiOperation({ summary: 'One tenant', description: 'With the `MASTER_KEY` or the tenant’s `apiKey`.' })
  @ApiSuccess({ description: 'The tenant.', type: TenantBody })
  get(@CurrentTenant() tenant: Tenant): Success<TenantBody> {
    return success('The tenant.', toBody(tenant));
  }

  @Patch(':tenantId')
  @TenantRoute()
  @ApiOperation({
    summary: 'Changes a tenant',
    description:
      'Its number and its business account say whose messages it gets: only the operator changes them.',
  })
  @ApiSuccess({ description: 'The tenant as it is now.', type: TenantBody })
  @ApiFailures('PHONE_NUMBER_TAKEN', 'FORBIDDEN')
  async update(
    @CurrentTenant() tenant: Tenant,
    @IsOperator() isOperator: boolean,
    @Body() dto: UpdateTenantDto,
  ): Promise<Success<TenantBody>> {
    return success('Tenant changed.', toBody(await this.management.update(tenant, dto, isOperator)));
  }

  @Delete(':tenantId')
  @TenantRoute()
  @ApiOperation({
    summary: 'Disconnects a number',
    description:
      'Its secrets are erased, its agents leave, nothing more is sent or taken in. What was written stays stored; the ' +
      'number may be registered again, as a new tenant.',
  })
  @ApiSuccess({ description: 'It is disconnected.' })
  async remove(@CurrentTenant() tenant: Tenant): Promise<Success<null>> {
    await this.management.remove(tenant.id);
    return success('Number disconnected.', null);
  }

  @Post(':tenantId/api-key')
  @HttpCode(HttpStatus.OK)
  @TenantRoute()
  @ApiOperation({
    summary: 'Gives the tenant a new key',
    description: 'The old one is refused from then on.',
  })
  @ApiSuccess({ description: 'The new key.', type: ApiKeyBody })
  async replaceApiKey(@CurrentTenant() tenant: Tenant): Promise<Success<ApiKeyBody>> {
    return success('This is the new key.', { apiKey: await this.management.replaceApiKey(tenant.id) });
  }
}

function toBody(tenant: Tenant): Pick<TenantBody, keyof TenantBody> {
  const { id, name, phoneNumberId, displayPhoneNumber, wabaId, status, statusReason } = tenant;
  return {
    id,
    name,
    phoneNumberId,
    displayPhoneNumber,
    wabaId,
    status,
    statusReason,
    autoReply: tenant.autoReply,
    enforceWindow: tenant.enforcesWindow,
    messagesPerSecond: tenant.messagesPerSecond,
    createdAt: tenant.createdAt.toISOString(),
    updatedAt: tenant.updatedAt.toISOString(),
  };
}
