import { Module } from '@nestjs/common';
import { UsersModule } from '../../users/users.module.js';
import { AgentChanges } from './agent-changes.js';
import { TenantAgentsController } from './tenant-agents.controller.js';
import { TenantAgentsRepository } from './tenant-agents.repository.js';
import { TenantAgentsService } from './tenant-agents.service.js';
import { EnvironmentTenant } from './environment-tenant.js';
import { EveryoneAgents } from './everyone-agents.js';
import { SecretBox } from './secret-box.js';
import { TenantKeys } from './tenant-keys.js';
import { TenantManagement } from './tenant-management.service.js';
import { TenantManagementRepository } from './tenant-management.repository.js';
import { TenantsController } from './tenants.controller.js';
import { TenantsRepository } from './tenants.repository.js';
import { TenantsService } from './tenants.service.js';

/** Whoever has routes under `@TenantRoute()` imports this. */
@Module({
  imports: [UsersModule],
  controllers: [TenantsController, TenantAgentsController],
  providers: [
    AgentChanges,
    TenantAgentsRepository,
    TenantAgentsService,
    EnvironmentTenant,
    EveryoneAgents,
    SecretBox,
    TenantKeys,
    TenantManagement,
    TenantManagementRepository,
    TenantsRepository,
    TenantsService,
  ],
  exports: [EveryoneAgents, SecretBox, TenantKeys, TenantManagement, TenantsService],
})
export class TenantsModule {}
