import { Injectable, type OnModuleInit } from '@nestjs/common';
import { BoundedMap } from '../../common/bounded-map.js';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { TenantChanged } from '../tenants/tenants.events.js';
import { TenantsService, type Tenant } from '../tenants/tenants.service.js';

/** Other instances change tenants too; what must not be wrong of one is asked again where it is written. */
const KNOWN_FOR_MS = 1_000;
const MAX_KNOWN = 1_000;

/** Tenants by number, looked up at most once a second each. */
@Injectable()
export class NumberTenants implements OnModuleInit {
  private readonly known = new BoundedMap<string, { tenant: Tenant; knownAt: number }>(MAX_KNOWN);
  private readonly asked = new Map<string, Promise<Tenant | null>>();

  constructor(
    private readonly tenants: TenantsService,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.events.on(TenantChanged, () => {
      this.known.clear();
    });
  }

  /** From memory. */
  recall(phoneNumberId: string): Tenant | undefined {
    const entry = this.known.get(phoneNumberId);
    return entry && this.clock.nowMs() - entry.knownAt < KNOWN_FOR_MS ? entry.tenant : undefined;
  }

  /** Those who ask at the same time are answered in their order. */
  async find(phoneNumberId: string): Promise<Tenant | null> {
    return this.recall(phoneNumberId) ?? this.asked.get(phoneNumberId) ?? this.ask(phoneNumberId);
  }

  forget(phoneNumberId: string): void {
    this.known.delete(phoneNumberId);
  }

  private ask(phoneNumberId: string): Promise<Tenant | null> {
    const asked = this.tenants
      .findByPhoneNumberId(phoneNumberId)
      .then((tenant) => {
        if (tenant) this.known.set(phoneNumberId, { tenant, knownAt: this.clock.nowMs() });
        return tenant;
      })
      .finally(() => this.asked.delete(phoneNumberId));
    this.asked.set(phoneNumberId, asked);
    return asked;
  }
}
