import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { PrismaService } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { PublicUsers } from '../users/public-users.service.js';
import type { ContactBody } from './contacts.dto.js';
import { ContactRequestsViewed } from './contacts.events.js';
import type { After } from './contacts.repository.js';
import { IncomingRequestsRepository } from './incoming-requests.repository.js';

export interface IncomingRequest {
  contact: ContactBody;
  /** Whether the caller has been shown it. */
  viewed: boolean;
}

/** The requests that wait for a person's answer, and which of them are new. */
@Injectable()
export class IncomingRequestsService {
  constructor(
    private readonly repository: IncomingRequestsRepository,
    private readonly prisma: PrismaService,
    private readonly publicUsers: PublicUsers,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /** Newest first; those a block hides and those of deleted accounts are left out. */
  async list(meId: string, after: After | null, limit: number): Promise<IncomingRequest[]> {
    const rows = await this.repository.list(meId, after, limit);
    const users = await this.publicUsers.view(
      meId,
      rows.map((row) => row.requester_id),
    );
    return rows.flatMap((row) => {
      const user = users.get(row.requester_id);
      if (!user) return [];
      const createdAt = row.created_at.toISOString();
      return {
        contact: { id: row.id, user, status: 'PENDING', requestedByMe: false, createdAt },
        viewed: row.viewed,
      };
    });
  }

  async countNew(meId: string): Promise<number> {
    return this.repository.countNew(meId);
  }

  /** No request that waits now is new any more; one that comes later is. */
  async markViewed(meId: string): Promise<void> {
    await this.prisma.inTransaction((tx) => this.repository.setViewed(tx, meId, this.clock.now()));
    this.events.publish(new ContactRequestsViewed(meId));
  }
}
