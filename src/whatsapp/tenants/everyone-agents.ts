import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { AgentsJoined } from '../../chats/chats.events.js';
import { AppError } from '../../common/errors.js';
import { CONFIG, type Config } from '../../infra/config/config.js';
import type { PrismaTransaction } from '../../infra/database/prisma.service.js';
import { EventBus } from '../../infra/events/event-bus.js';
import type { AfterCommit } from '../../users/account-removal.js';
import { UsersService } from '../../users/users.service.js';
import { AgentChanges, type AgentChange } from './agent-changes.js';
import { TenantAgentsRepository } from './tenant-agents.repository.js';
import { TenantManagement } from './tenant-management.service.js';
import { TenantsService, type Tenant } from './tenants.service.js';

/** A number of which nothing is known but what came with a message to it. */
export interface FoundNumber {
  phoneNumberId: string;
  displayPhoneNumber: string | null;
  wabaId: string | null;
}

/**
 * Numbers that nobody registered and that everybody answers for, those included who get an account later: for trying
 * things out, never in production.
 */
@Injectable()
export class EveryoneAgents implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly repository: TenantAgentsRepository,
    private readonly management: TenantManagement,
    private readonly tenants: TenantsService,
    private readonly changes: AgentChanges,
    private readonly users: UsersService,
    private readonly events: EventBus,
  ) {}

  onModuleInit(): void {
    // A database of trying things out may be served in earnest later.
    if (!this.config.production) this.users.onCreate((tx, userId) => this.welcome(tx, userId));
  }

  /** The tenant of this number: if there is none, a new one with a `mock_` token and everybody as its agent. */
  async ensureTenant(number: FoundNumber): Promise<Tenant> {
    const { phoneNumberId, displayPhoneNumber } = number;
    const known = await this.tenants.findByPhoneNumberId(phoneNumberId);
    if (known) return known;
    let joined: AgentChange | undefined;
    try {
      const { tenant } = await this.management.register(
        {
          ...number,
          name: displayPhoneNumber ?? phoneNumberId,
          accessToken: `mock_${phoneNumberId}`,
          everyoneIsAgent: true,
        },
        async (tx, tenantId) => {
          const everybody = await this.repository.lockEverybody(tx);
          joined = await this.changes.join(tx, tenantId, everybody, 'MEMBER');
        },
      );
      if (joined && joined.userIds.length > 0) {
        this.events.publish(new AgentsJoined(tenant.id, joined.userIds, joined.seq));
      }
      return tenant;
    } catch (error) {
      const other =
        error instanceof AppError && error.code === 'PHONE_NUMBER_TAKEN'
          ? await this.tenants.findByPhoneNumberId(phoneNumberId)
          : null;
      if (!other) throw error;
      return other;
    }
  }

  private async welcome(tx: PrismaTransaction, userId: string): Promise<AfterCommit> {
    const joined: AgentsJoined[] = [];
    for (const tenantId of await this.repository.listOfEveryone(tx)) {
      const { seq } = await this.changes.join(tx, tenantId, [userId], 'MEMBER');
      joined.push(new AgentsJoined(tenantId, [userId], seq));
    }
    return () => {
      for (const event of joined) this.events.publish(event);
    };
  }
}
