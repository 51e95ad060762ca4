import { Injectable } from '@nestjs/common';
import {
  ContactAccepted,
  ContactRejected,
  ContactRequested,
  UserBlocked,
  UserUnblocked,
} from '../../contacts/contacts.events.js';
import { ContactsService } from '../../contacts/contacts.service.js';
import { EventBus } from '../../infra/events/event-bus.js';
import type { ClientServer } from '../client-socket.js';
import { rooms } from '../rooms.js';

/** Contacts and blocks: told to the other person. */
@Injectable()
export class ContactsFanout {
  constructor(
    private readonly events: EventBus,
    private readonly contacts: ContactsService,
  ) {}

  start(io: ClientServer): void {
    const tellContact = async (
      event: 'new-contact-request' | 'contact-request-accepted',
      receiverId: string,
      contactId: string,
    ): Promise<void> => {
      const contact = await this.contacts.viewFor(receiverId, contactId);
      if (contact) io.to(rooms.user(receiverId)).emit(event, { contact });
    };
    this.events.on(ContactRequested, ({ contactId, addresseeId }) =>
      tellContact('new-contact-request', addresseeId, contactId),
    );
    this.events.on(ContactAccepted, ({ contactId, requesterId }) =>
      tellContact('contact-request-accepted', requesterId, contactId),
    );
    this.events.on(ContactRejected, ({ contactId, requesterId, addresseeId }) => {
      io.to(rooms.user(requesterId)).emit('contact-request-rejected', {
        requestId: contactId,
        receiverId: addresseeId,
      });
    });
    this.events.on(UserBlocked, ({ blockerId, blockedId }) => {
      io.to(rooms.user(blockedId)).emit('blocked-by-contact', { blockerId });
    });
    this.events.on(UserUnblocked, ({ blockerId, blockedId }) => {
      io.to(rooms.user(blockedId)).emit('unblocked-by-contact', { unblockerId: blockerId });
    });
  }
}
