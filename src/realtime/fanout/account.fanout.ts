import { Injectable } from '@nestjs/common';
import { ContactRequestsViewed } from '../../contacts/contacts.events.js';
import { DevicesUpdated } from '../../devices/devices.events.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { NotificationsCleared } from '../../messages/messages.events.js';
import { UserDeleted } from '../../users/users.events.js';
import type { ClientServer } from '../client-socket.js';
import { MembershipsRepository } from '../memberships.repository.js';
import { rooms } from '../rooms.js';

/** What concerns an account as a whole: told to all sockets of one person, except where it says otherwise. */
@Injectable()
export class AccountFanout {
  constructor(
    private readonly events: EventBus,
    private readonly memberships: MembershipsRepository,
  ) {}

  start(io: ClientServer): void {
    // In every chat that the account was ever in, messages may have lost their sender's id.
    this.events.on(UserDeleted, async ({ userId }) => {
      const audienceIds = await this.memberships.listEveryAudienceId(userId);
      if (audienceIds.length > 0) io.to(audienceIds.map(rooms.chat)).emit('resync', {});
    });
    this.events.on(NotificationsCleared, ({ userId, chatId }) => {
      io.to(rooms.user(userId)).emit('notifications-cleared', { chatId });
    });
    this.events.on(ContactRequestsViewed, ({ userId }) => {
      io.to(rooms.user(userId)).emit('contact-requests-viewed', {});
    });
    this.events.on(DevicesUpdated, ({ userId, devices }) => {
      io.to(rooms.user(userId)).emit('devices-updated', { devices: [...devices] });
    });
  }
}
