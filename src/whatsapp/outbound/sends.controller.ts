import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import type { ReceivedUpload } from '../../infra/http/form-reader.js';
import { Multipart, Upload } from '../../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { UPLOAD_LIMITS } from '../../media/file-kinds.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { ApiSends } from './api-sends.service.js';
import { AcceptedBody, SendDto } from './sends.dto.js';

const SEND_FORM = {
  file: 'media',
  json: ['location', 'contacts', 'interactive', 'reaction'],
  limits: UPLOAD_LIMITS,
};

@ApiTags('Sending')
@TenantRoute()
@ApiParam({ name: 'tenantId', type: String })
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId`))
export class SendsController {
  constructor(private readonly sends: ApiSends) {}

  @Post('send')
  @HttpCode(202)
  @Multipart(SEND_FORM)
  @ApiOperation({
    summary: 'Sends a message to a customer',
    description:
      'A text, a file (by upload or by id), a location, contacts, buttons, a list, or a reaction. The answer says that it is committed and will be sent; `message-status-update` tells what became of it. Files that WhatsApp does not take as what they are go as documents.',
  })
  @ApiSuccess({ status: 202, description: 'The message, committed and queued.', type: AcceptedBody })
  @ApiFailures(
    'IDEMPOTENCY_CONFLICT',
    'WINDOW_CLOSED',
    'CUSTOMER_NOT_FOUND',
    'MESSAGE_NOT_FOUND',
    'MEDIA_NOT_FOUND',
    'UNPROCESSABLE',
    'MEDIA_INFECTED',
  )
  async send(
    @CurrentTenant() tenant: Tenant,
    @Body() dto: SendDto,
    @Upload() file: ReceivedUpload | undefined,
  ): Promise<Success<AcceptedBody>> {
    return success('Message queued.', await this.sends.send(tenant, dto, file));
  }
}
