import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { success, type Success } from '../../infra/http/envelope.js';
import { ApiFailures, ApiSuccess } from '../../infra/http/openapi.js';
import { PageQuery } from '../../infra/http/page.dto.js';
import { CurrentTenant, TENANT_PATHS, TenantRoute } from '../tenants/tenant-routes.js';
import type { Tenant } from '../tenants/tenants.service.js';
import {
  CreateTemplateDto,
  LanguageQuery,
  ListVersionsQuery,
  PreviewBody,
  PreviewTemplateDto,
  SyncedBody,
  TemplateBody,
  TemplateVersionBody,
  UpdateTemplateDto,
} from './templates.dto.js';
import { TemplateSyncService } from './template-sync.service.js';
import { TemplatesService } from './templates.service.js';

@ApiTags('Templates')
@TenantRoute()
@Controller(TENANT_PATHS.map((path) => `${path}/:tenantId/templates`))
export class TemplatesController {
  constructor(
    private readonly templates: TemplatesService,
    private readonly approvals: TemplateSyncService,
  ) {}

  @Post()
  @ApiOperation({
    summary: 'Makes a template',
    description:
      'One a key and language. Without `metaTemplateName` it is sent as a text, or with buttons as an interactive ' +
      'message (more than three replies as a list), inside the window; with it as that template of Meta’s.',
  })
  @ApiSuccess({ status: 201, description: 'The template, version 1.', type: TemplateBody })
  @ApiFailures('TEMPLATE_EXISTS')
  async create(
    @CurrentTenant() tenant: Tenant,
    @Body() dto: CreateTemplateDto,
  ): Promise<Success<TemplateBody>> {
    return success('The template is made.', await this.templates.create(tenant.id, dto));
  }

  @Get()
  @ApiOperation({ summary: 'The templates', description: 'By key and language.' })
  @ApiSuccess({ description: 'A page of templates.', type: TemplateBody, isArray: true, paged: true })
  @ApiFailures('INVALID_CURSOR')
  async list(@CurrentTenant() tenant: Tenant, @Query() query: PageQuery): Promise<Success<TemplateBody[]>> {
    const { templates, page } = await this.templates.list(tenant.id, query);
    return success('The templates.', templates, page);
  }

  @Post('sync')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Asks Meta for the state of all its templates',
    description:
      'Webhooks tell of changes by themselves; this tells of what was there before, and makes good what was missed. ' +
      '`approval` of the templates shows it.',
  })
  @ApiSuccess({ description: 'How many there are.', type: SyncedBody })
  @ApiFailures('UNPROCESSABLE', 'META_REFUSED', 'NOT_READY')
  async sync(@CurrentTenant() tenant: Tenant): Promise<Success<SyncedBody>> {
    return success('Meta has told.', await this.approvals.sync(tenant));
  }

  @Get(':key')
  @ApiOperation({
    summary: 'One template',
    description: 'Without `language` the one that sending without a language chooses.',
  })
  @ApiSuccess({ description: 'The template.', type: TemplateBody })
  @ApiFailures('TEMPLATE_NOT_FOUND')
  async get(
    @CurrentTenant() tenant: Tenant,
    @Param('key') key: string,
    @Query() { language }: LanguageQuery,
  ): Promise<Success<TemplateBody>> {
    return success('The template.', await this.templates.get(tenant.id, key, language));
  }

  @Put(':key')
  @ApiOperation({
    summary: 'Changes a template',
    description: 'What is left out stays. Every change makes a new version; none does not.',
  })
  @ApiSuccess({ description: 'The template.', type: TemplateBody })
  @ApiFailures('TEMPLATE_NOT_FOUND')
  async update(
    @CurrentTenant() tenant: Tenant,
    @Param('key') key: string,
    @Query() { language }: LanguageQuery,
    @Body() dto: UpdateTemplateDto,
  ): Promise<Success<TemplateBody>> {
    return success('The template.', await this.templates.update(tenant.id, key, language, dto));
  }

  @Delete(':key')
  @ApiOperation({
    summary: 'Deletes a template',
    description: 'With `language` that one alone, else all. Meta’s own templates stay as they are.',
  })
  @ApiSuccess({ description: 'It is gone.' })
  @ApiFailures('TEMPLATE_NOT_FOUND')
  async delete(
    @CurrentTenant() tenant: Tenant,
    @Param('key') key: string,
    @Query() { language }: LanguageQuery,
  ): Promise<Success<null>> {
    await this.templates.delete(tenant.id, key, language);
    return success('The template is gone.', null);
  }

  @Get(':key/versions')
  @ApiOperation({ summary: 'All versions of a template', description: 'The newest first.' })
  @ApiSuccess({ description: 'A page of versions.', type: TemplateVersionBody, isArray: true, paged: true })
  @ApiFailures('TEMPLATE_NOT_FOUND', 'INVALID_CURSOR')
  async listVersions(
    @CurrentTenant() tenant: Tenant,
    @Param('key') key: string,
    @Query() query: ListVersionsQuery,
  ): Promise<Success<TemplateVersionBody[]>> {
    const { versions, page } = await this.templates.listVersions(tenant.id, key, query.language, query);
    return success('The versions.', versions, page);
  }

  @Post(':key/preview')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Shows a template as a customer would get it',
    description: 'Refuses what sending would refuse, and sends nothing.',
  })
  @ApiSuccess({ description: 'The message.', type: PreviewBody })
  @ApiFailures('TEMPLATE_NOT_FOUND', 'TEMPLATE_NOT_APPROVED')
  async preview(
    @CurrentTenant() tenant: Tenant,
    @Param('key') key: string,
    @Body() { language, variables }: PreviewTemplateDto,
  ): Promise<Success<PreviewBody>> {
    const { template, rendered } = await this.templates.fill(tenant.id, key, language, variables);
    const { type, text, request } = rendered;
    const { language: chosen, version } = template;
    return success('The message.', { key, language: chosen, version, type, text, request });
  }
}
