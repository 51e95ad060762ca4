import { Module } from '@nestjs/common';
import { GraphModule } from '../graph/graph.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { ApprovalsRepository } from './approvals.repository.js';
import { ApprovalsService } from './approvals.service.js';
import { TemplateSyncService } from './template-sync.service.js';
import { TemplatesController } from './templates.controller.js';
import { TemplatesRepository } from './templates.repository.js';
import { TemplatesService } from './templates.service.js';

@Module({
  imports: [TenantsModule, GraphModule],
  controllers: [TemplatesController],
  providers: [
    ApprovalsRepository,
    ApprovalsService,
    TemplateSyncService,
    TemplatesRepository,
    TemplatesService,
  ],
  exports: [ApprovalsService, TemplatesService],
})
export class TemplatesModule {}
