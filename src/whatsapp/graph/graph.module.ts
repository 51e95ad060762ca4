import { Module } from '@nestjs/common';
import { TenantsModule } from '../tenants/tenants.module.js';
import { GraphTransport } from './graph-transport.js';
import { GraphClient } from './graph.client.js';

/** Meta's Graph API. */
@Module({
  imports: [TenantsModule],
  providers: [GraphTransport, GraphClient],
  exports: [GraphClient],
})
export class GraphModule {}
