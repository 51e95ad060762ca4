import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ContactAccepted, ContactRemoved, UserBlocked, UserUnblocked } from '../contacts/contacts.events.js';
import { EventBus } from '../infra/events/event-bus.js';
import { PublicUsers } from '../users/public-users.service.js';
import { UserUpdated } from '../users/users.events.js';
import { PresenceService } from './presence.service.js';

/** Has presence looked at again when somebody's right to know of it changes, and lends it to public profiles. */
@Injectable()
export class PresenceListener implements OnModuleInit {
  constructor(
    private readonly presence: PresenceService,
    private readonly publicUsers: PublicUsers,
    private readonly events: EventBus,
  ) {}

  onModuleInit(): void {
    this.publicUsers.registerPresence(this.presence);
    this.events.on(UserUpdated, ({ userId, settingsChanged }) => {
      if (settingsChanged) this.presence.reconsider(userId);
    });
    const reconsiderContact = (contact: { requesterId: string; addresseeId: string }): void => {
      this.reconsiderBoth(contact.requesterId, contact.addresseeId);
    };
    const reconsiderBlock = (block: { blockerId: string; blockedId: string }): void => {
      this.reconsiderBoth(block.blockerId, block.blockedId);
    };
    this.events.on(ContactAccepted, reconsiderContact);
    this.events.on(ContactRemoved, reconsiderContact);
    this.events.on(UserBlocked, reconsiderBlock);
    this.events.on(UserUnblocked, reconsiderBlock);
  }

  private reconsiderBoth(oneId: string, otherId: string): void {
    this.presence.reconsider(oneId, otherId);
    this.presence.reconsider(otherId, oneId);
  }
}
