import { Module } from '@nestjs/common';
import { TenantsModule } from '../tenants/tenants.module.js';
import { FlowsController } from './flows.controller.js';
import { FlowsRepository } from './flows.repository.js';
import { FlowsService } from './flows.service.js';

@Module({
  imports: [TenantsModule],
  controllers: [FlowsController],
  providers: [FlowsRepository, FlowsService],
  exports: [FlowsService],
})
export class FlowsModule {}
