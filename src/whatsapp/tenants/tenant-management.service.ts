import { Injectable } from '@nestjs/common';
import { AgentsLeft } from '../../chats/chats.events.js';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import {
  PrismaService,
  isUniqueViolation,
  type PrismaTransaction,
} from '../../infra/database/prisma.service.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { AgentChanges } from './agent-changes.js';
import { SecretBox } from './secret-box.js';
import { TenantKeys } from './tenant-keys.js';
import { TenantManagementRepository } from './tenant-management.repository.js';
import type { RegisterTenantDto, UpdateTenantDto } from './tenants.dto.js';
import { TenantChanged } from './tenants.events.js';
import { TenantsService, accessTokenPlace, type Tenant } from './tenants.service.js';

/** Tokens that begin so belong to numbers that do not exist: the network is never called for them. */
const MOCK_PREFIX = 'mock_';

type RemovalHook = (tx: PrismaTransaction, tenantId: string) => Promise<void>;

export interface NewTenant extends RegisterTenantDto {
  everyoneIsAgent?: boolean;
}

/** Connects WhatsApp numbers and disconnects them. */
@Injectable()
export class TenantManagement {
  private readonly removalHooks: RemovalHook[] = [];
  private readonly preparations: ((tenantId: string) => Promise<void>)[] = [];

  constructor(
    private readonly repository: TenantManagementRepository,
    private readonly tenants: TenantsService,
    private readonly agents: AgentChanges,
    private readonly box: SecretBox,
    private readonly prisma: PrismaService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /** Runs before that transaction, for what may be so much that it must not hold its locks. It may be repeated. */
  beforeRemove(preparation: (tenantId: string) => Promise<void>): void {
    this.preparations.push(preparation);
  }

  /** For modules that hold something of a tenant which must go with it: runs in the transaction that ends it. */
  onRemove(hook: RemovalHook): void {
    this.removalHooks.push(hook);
  }

  /**
   * Connects a number. `alongside` runs in its transaction.
   *
   * @returns with the key, which is nowhere else to be had
   * @throws AppError PHONE_NUMBER_TAKEN
   */
  async register(
    request: NewTenant,
    alongside?: (tx: PrismaTransaction, tenantId: string) => Promise<void>,
  ): Promise<{ tenant: Tenant; apiKey: string }> {
    const id = newId();
    const apiKey = TenantKeys.make();
    const { name, phoneNumberId, accessToken } = request;
    const row = {
      id,
      name,
      phoneNumberId,
      displayPhoneNumber: request.displayPhoneNumber ?? null,
      wabaId: request.wabaId ?? null,
      accessToken: this.box.seal(accessToken, accessTokenPlace(id)),
      isMock: isMockToken(accessToken),
      apiKeyHash: TenantKeys.hash(apiKey),
      autoReply: request.autoReply ?? true,
      enforceWindow: request.enforceWindow ?? null,
      messagesPerSecond: request.messagesPerSecond,
      everyoneIsAgent: request.everyoneIsAgent ?? false,
    };
    await refusingTakenNumber(() =>
      this.prisma.inTransaction(async (tx) => {
        await this.repository.insert(tx, row, this.clock.now());
        await alongside?.(tx, id);
      }),
    );
    this.events.publish(new TenantChanged(id));
    return { tenant: await this.tenants.get(id), apiKey };
  }

  /**
   * @param isOperator only they say whose messages a tenant gets
   * @throws AppError PHONE_NUMBER_TAKEN, FORBIDDEN, TENANT_NOT_FOUND
   */
  async update(tenant: Tenant, changes: UpdateTenantDto, isOperator: boolean): Promise<Tenant> {
    const { id } = tenant;
    const { accessToken, phoneNumberId, wabaId, ...others } = changes;
    const isOtherNumber = phoneNumberId !== undefined && phoneNumberId !== tenant.phoneNumberId;
    const isOtherAccount = wabaId !== undefined && wabaId !== tenant.wabaId;
    if (!isOperator && (isOtherNumber || isOtherAccount)) {
      throw new AppError('FORBIDDEN', {
        message: 'Only the operator changes the number or the business account of a tenant.',
      });
    }
    const row = {
      ...others,
      phoneNumberId,
      wabaId,
      ...(accessToken !== undefined && {
        accessToken: this.box.seal(accessToken, accessTokenPlace(id)),
        isMock: isMockToken(accessToken),
      }),
    };
    const isThere = await refusingTakenNumber(() =>
      this.prisma.inTransaction((tx) => this.repository.update(tx, id, row, this.clock.now())),
    );
    if (!isThere) throw new AppError('TENANT_NOT_FOUND');
    this.events.publish(new TenantChanged(id));
    return this.tenants.get(id);
  }

  /** Gives a known tenant this token, unless it has it. */
  async keepAccessToken(tenantId: string, accessToken: string, wabaId: string | undefined): Promise<void> {
    const place = accessTokenPlace(tenantId);
    const changed = await this.prisma.inTransaction(async (tx) => {
      const sealed = await this.repository.lockAccessToken(tx, tenantId);
      const isSame = sealed !== null && this.box.isOpenedTo(sealed, place, accessToken);
      const token = isSame
        ? {}
        : { accessToken: this.box.seal(accessToken, place), isMock: isMockToken(accessToken) };
      await this.repository.update(tx, tenantId, { ...token, wabaId }, this.clock.now());
      return !isSame;
    });
    if (changed) this.events.publish(new TenantChanged(tenantId));
  }

  /** Disconnects the number and erases the secrets; what was written stays. @throws AppError TENANT_NOT_FOUND */
  async remove(tenantId: string): Promise<void> {
    for (const prepare of this.preparations) await prepare(tenantId);
    const left = await this.prisma.inTransaction(async (tx) => {
      const change = await this.agents.leave(tx, tenantId, null);
      if ((await this.repository.lockAccessToken(tx, tenantId)) === null) {
        throw new AppError('TENANT_NOT_FOUND');
      }
      for (const hook of this.removalHooks) await hook(tx, tenantId);
      await this.repository.markDeleted(tx, tenantId, this.clock.now());
      return change;
    });
    if (left.userIds.length > 0) this.events.publish(new AgentsLeft(tenantId, left.userIds, left.seq));
    this.events.publish(new TenantChanged(tenantId));
  }

  /** The old key opens nothing from now on. @throws AppError TENANT_NOT_FOUND */
  async replaceApiKey(tenantId: string): Promise<string> {
    const apiKey = TenantKeys.make();
    const isThere = await this.repository.setApiKey(tenantId, TenantKeys.hash(apiKey), this.clock.now());
    if (!isThere) throw new AppError('TENANT_NOT_FOUND');
    return apiKey;
  }
}

function isMockToken(accessToken: string): boolean {
  return accessToken.startsWith(MOCK_PREFIX);
}

async function refusingTakenNumber<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isUniqueViolation(error)) throw new AppError('PHONE_NUMBER_TAKEN', { cause: error });
    throw error;
  }
}
