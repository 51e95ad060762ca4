import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError, validationError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { PrismaService } from '../../infra/database/prisma.service.js';
import { SecretBox } from '../tenants/secret-box.js';
import { TenantManagement } from '../tenants/tenant-management.service.js';
import { HookClient } from './hook-client.js';
import { HOOK_EVENTS, type HookBody, type SetHookDto } from './hooks.dto.js';
import { HooksRepository, type HookRow } from './hooks.repository.js';

/** Where a tenant's own system wants to be told of what happens. */
@Injectable()
export class HooksService implements OnModuleInit {
  constructor(
    private readonly repository: HooksRepository,
    private readonly client: HookClient,
    private readonly box: SecretBox,
    private readonly prisma: PrismaService,
    private readonly management: TenantManagement,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.management.beforeRemove((tenantId) => this.repository.removeDeliveries(tenantId));
    this.management.onRemove(async (tx, tenantId) => {
      await this.repository.remove(tx, tenantId);
    });
  }

  /**
   * From now on the tenant is told there; what is still to be delivered goes there too.
   *
   * @throws AppError VALIDATION_FAILED, PRIVATE_ADDRESS, TENANT_NOT_FOUND
   */
  async set(tenantId: string, { url, secret, events }: SetHookDto): Promise<HookBody> {
    const address = readAddress(url);
    if (await this.client.isPrivate(address)) throw new AppError('PRIVATE_ADDRESS');
    const row = await this.repository.put(
      {
        tenantId,
        url: address,
        secret: secret === undefined ? null : this.box.seal(secret, hookSecretPlace(tenantId)),
        events: events ?? HOOK_EVENTS,
      },
      this.clock.now(),
    );
    if (row) return toBody(row);
    if (secret !== undefined) throw new AppError('TENANT_NOT_FOUND');
    throw validationError([{ field: 'secret', message: 'secret must be given the first time' }]);
  }

  /** @throws AppError WEBHOOK_NOT_FOUND */
  async get(tenantId: string): Promise<HookBody> {
    const row = await this.repository.find(tenantId);
    if (!row) throw new AppError('WEBHOOK_NOT_FOUND');
    return toBody(row);
  }

  /** What is still to be delivered is not. @throws AppError WEBHOOK_NOT_FOUND */
  async remove(tenantId: string): Promise<void> {
    if (isId(tenantId)) await this.repository.removeDeliveries(tenantId);
    const wasThere =
      isId(tenantId) && (await this.prisma.inTransaction((tx) => this.repository.remove(tx, tenantId)));
    if (!wasThere) throw new AppError('WEBHOOK_NOT_FOUND');
  }
}

/** What binds a sealed secret to its webhook. */
export function hookSecretPlace(tenantId: string): string {
  return `webhook secret of ${tenantId}`;
}

/** The URL as it is called: the host in its one form, whatever way of writing an address was used. */
function readAddress(text: string): string {
  const refuse = (message: string): never => {
    throw validationError([{ field: 'url', message }]);
  };
  if (!URL.canParse(text)) return refuse('url must be an address');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return refuse('url must start with https:// or http://');
  if (url.username !== '' || url.password !== '') return refuse('url must not hold a user or a password');
  url.hash = '';
  return url.href;
}

function toBody({ url, events, created_at: createdAt, updated_at: updatedAt }: HookRow): HookBody {
  return { url, events, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
