import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ChannelChats } from '../../chats/channel-chats.js';
import { BoundedMap } from '../../common/bounded-map.js';
import { Clock } from '../../common/clock.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { Log } from '../../infra/observability/log.js';
import { TeamRead } from '../../messages/messages.events.js';
import { GraphClient } from '../graph/graph.client.js';
import { GraphError } from '../graph/graph.errors.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { ReadReceiptsRepository, type InboundRow } from './read-receipts.repository.js';
import { sendJob } from './send-jobs.js';
import { SendQueue } from './send-queue.js';
import { TenantTroubles } from './tenant-troubles.js';

/** Meta shows that somebody is typing for 25 seconds: it is told again after this, in milliseconds. */
export const TYPING_EVERY_MS = 20_000;
const MAX_TYPING = 10_000;
const SWEEP_PAGE = 200;

/** Shows the customer what the team does: that it has read, and that somebody is typing. */
@Injectable()
export class ReadReceipts implements OnModuleInit, BeforeApplicationShutdown {
  /** By chat, when Meta was last told of typing, in milliseconds. */
  private readonly typedAt = new BoundedMap<string, number>(MAX_TYPING);
  private sweeping: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly repository: ReadReceiptsRepository,
    private readonly graph: GraphClient,
    private readonly tenants: TenantsService,
    private readonly troubles: TenantTroubles,
    private readonly channelChats: ChannelChats,
    private readonly queue: SendQueue,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.events.on(TeamRead, ({ chatId, readSeq }) => {
      this.wake(chatId, readSeq);
    });
    this.channelChats.registerTyping((_userId, chatId) => {
      this.noteTyping(chatId);
    });
  }

  /** The team has read up to `seq`: Meta is to be told. */
  wake(chatId: string, seq: number): void {
    this.queue.add([sendJob('read', chatId, seq)]);
  }

  /** Tells Meta of the last message that the team has read, and thereby of all before it. Throws what may pass. */
  async tell(chatId: string): Promise<void> {
    const untold = await this.repository.findUntold(chatId);
    if (!untold) {
      await this.repository.setNothingToTell(chatId);
      return;
    }
    const tenant = await this.tenants.get(untold.tenant_id);
    if (tenant.status !== 'active') return;
    if (!tenant.isMock) {
      try {
        await this.graph.markRead(tenant, untold.wamid, false);
      } catch (error) {
        if (!(error instanceof GraphError)) throw error;
        await this.heed(untold, error);
        // A message that Meta does not know, or no longer: it never will be told of.
        if (error.class !== 'REFUSED') return;
      }
    }
    await this.repository.setTold(chatId, untold.seq);
  }

  /** Finds what no event has told of; one at a time, and no further once Meta cannot be reached. */
  sweep(): void {
    this.sweeping ??= this.sweepOnce()
      .catch((error: unknown) => {
        this.log.warn({ err: error }, 'Meta could not be told what was read');
      })
      .finally(() => (this.sweeping = undefined));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.sweeping;
  }

  private async sweepOnce(): Promise<void> {
    for (const chatId of await this.repository.listUntold(SWEEP_PAGE)) {
      if (this.stopped) return;
      await this.tell(chatId);
    }
  }

  private noteTyping(chatId: string): void {
    const now = this.clock.nowMs();
    const lastAt = this.typedAt.get(chatId);
    if (lastAt !== undefined && now - lastAt < TYPING_EVERY_MS) return;
    this.typedAt.set(chatId, now);
    this.showTyping(chatId).catch((error: unknown) => {
      this.log.warn({ err: error, chat: chatId }, 'a customer could not be shown that somebody is typing');
    });
  }

  private async showTyping(chatId: string): Promise<void> {
    const inbound = await this.repository.findLastInbound(chatId, this.clock.now());
    if (!inbound) return;
    const tenant = await this.tenants.get(inbound.tenant_id);
    if (tenant.isMock || tenant.status !== 'active') return;
    try {
      await this.graph.markRead(tenant, inbound.wamid, true);
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      await this.heed(inbound, error);
      return;
    }
    await this.repository.setTold(chatId, inbound.seq);
  }

  private async heed(inbound: InboundRow, error: GraphError): Promise<void> {
    const code = String(error.code ?? error.httpStatus);
    this.log.warn({ tenant: inbound.tenant_id, code }, 'Meta could not be told what was read');
    await this.troubles.heed(inbound.tenant_id, error.class, { code, message: error.message });
  }
}
