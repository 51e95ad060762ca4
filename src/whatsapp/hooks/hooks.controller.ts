import { Body, Controller, Delete, Get, HttpCode, HttpStatus, Param, Post, Put, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { HookDeliveriesService } from './hook-deliveries.service.js';
import { DeliveryBody, HookBody, ListDeliveriesQuery, SetHookDto } from './hooks.dto.js';
import { HooksService } from './hooks.service.js';

@ApiTags('Tenants: webhooks')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/webhooks`))
export class HooksController {
  constructor(
    private readonly hooks: HooksService,
    private readonly deliveries: HookDeliveriesService,
  ) {}

  @Put()
  @ApiOperation({
    summary: 'Says where the tenant’s own system wants to be told of what happens',
    description:
      'Every event is a POST of `{ id, event, tenantId, createdAt, data }` with `X-Parley-Signature: ' +
      't=<seconds>,v1=<hex>`, where `v1` is the HMAC-SHA256 of `<seconds>.<body>` with the secret. An answer other ' +
      'than 2xx is tried again, eight times within 21 hours; redirects are not followed. Events come at least once ' +
      'and in no order. See docs/whatsapp-tenants.md.',
  })
  @ApiSuccess({ description: 'The webhook as it is now.', type: HookBody })
  @ApiFailures('PRIVATE_ADDRESS')
  async set(@CurrentTenant() tenant: Tenant, @Body() dto: SetHookDto): Promise<Success<HookBody>> {
    return success('Webhook set.', await this.hooks.set(tenant.id, dto));
  }

  @Get()
  @ApiOperation({ summary: 'The tenant’s webhook, without its secret' })
  @ApiSuccess({ description: 'The webhook.', type: HookBody })
  @ApiFailures('WEBHOOK_NOT_FOUND')
  async get(@CurrentTenant() tenant: Tenant): Promise<Success<HookBody>> {
    return success('The webhook.', await this.hooks.get(tenant.id));
  }

  @Delete()
  @ApiOperation({ summary: 'Ends the webhook', description: 'What is still to be delivered is not.' })
  @ApiSuccess({ description: 'It is gone.' })
  @ApiFailures('WEBHOOK_NOT_FOUND')
  async remove(@CurrentTenant() tenant: Tenant): Promise<Success<null>> {
    await this.hooks.remove(tenant.id);
    return success('Webhook removed.', null);
  }

  @Get('deliveries')
  @ApiOperation({ summary: 'What was delivered in the last seven days, and is still to be' })
  @ApiSuccess({ description: 'A page, newest first.', type: DeliveryBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(
    @CurrentTenant() tenant: Tenant,
    @Query() query: ListDeliveriesQuery,
  ): Promise<Success<DeliveryBody[]>> {
    const { deliveries, page } = await this.deliveries.list(tenant.id, query);
    return success('The deliveries.', deliveries, page);
  }

  @Post('deliveries/:deliveryId/replay')
  @HttpCode(HttpStatus.ACCEPTED)
  @ApiOperation({
    summary: 'Delivers one again',
    description: 'Whatever became of it, with the same `id`, a new signature and all its attempts.',
  })
  @ApiSuccess({ status: 202, description: 'It is delivered in a moment.', type: DeliveryBody })
  @ApiFailures('DELIVERY_NOT_FOUND')
  async replay(
    @CurrentTenant() tenant: Tenant,
    @Param('deliveryId') deliveryId: string,
  ): Promise<Success<DeliveryBody>> {
    return success('It will be delivered again.', await this.deliveries.replay(tenant.id, deliveryId));
  }
}
