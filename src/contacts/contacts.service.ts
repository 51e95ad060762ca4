import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError, type ErrorCode } from '../common/errors.js';
import { isId, newId } from '../common/ids.js';
import { pairOf, type Pair } from '../common/pairs.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Cursors } from '../infra/http/cursors.js';
import type { PageQuery } from '../infra/http/page.dto.js';
import { PublicUsers } from '../users/public-users.service.js';
import { BlockHooks } from './block-hooks.js';
import type { ContactBody, ContactStatus } from './contacts.dto.js';
import { ContactAccepted, ContactRejected, ContactRemoved, ContactRequested } from './contacts.events.js';
import { ContactsRepository, type After, type ContactRow } from './contacts.repository.js';
import { cutPage } from './cut-page.js';

/** Who is refused is named, up to so many. */
const MAX_NAMED = 30;

/** One page of a list and the cursor of the next. */
export interface PageOf<T> {
  items: T[];
  nextCursor: string | null;
}

/**
 * Requests and contacts.
 *
 * Whatever changes or builds on what two people are to each other takes their pair's lock first, then the locks of
 * chats and members, and looks only after it has the lock: two requests that cross make one accepted contact, and
 * no chat is made past a block or the end of a contact.
 */
@Injectable()
export class ContactsService {
  constructor(
    private readonly repository: ContactsRepository,
    private readonly prisma: PrismaService,
    private readonly publicUsers: PublicUsers,
    private readonly hooks: BlockHooks,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /**
   * Asks somebody to become a contact, or accepts if they have asked already.
   *
   * @throws AppError UNPROCESSABLE for oneself, USER_NOT_FOUND also when a block stands between, CONTACT_EXISTS
   */
  async request(meId: string, otherId: string): Promise<{ contact: ContactBody; accepted: boolean }> {
    if (otherId === meId) throw new AppError('UNPROCESSABLE', { message: 'You cannot be your own contact.' });
    if (!isId(otherId)) throw new AppError('USER_NOT_FOUND');
    const pair = pairOf(meId, otherId);
    const contact = await this.prisma.inTransaction(async (tx) => {
      const bothExist = await this.repository.lockPair(tx, pair, 'exclusive');
      if (!bothExist || (await this.repository.isBlocked(tx, pair))) throw new AppError('USER_NOT_FOUND');
      const existing = await this.repository.findByPair(tx, pair);
      if (!existing) return this.insertRequest(tx, pair, meId, otherId);
      if (existing.status === 'ACCEPTED' || existing.requesterId === meId)
        throw new AppError('CONTACT_EXISTS');
      return this.setAccepted(tx, existing);
    });
    const accepted = contact.status === 'ACCEPTED';
    const { id, requesterId, addresseeId } = contact;
    this.events.publish(
      accepted
        ? new ContactAccepted(id, requesterId, addresseeId)
        : new ContactRequested(id, requesterId, addresseeId),
    );
    return { contact: await this.viewOne(meId, contact), accepted };
  }

  /** @throws AppError FORBIDDEN for who asked, CONTACT_NOT_FOUND for all but the two, CONFLICT if it is accepted already */
  async accept(meId: string, contactId: string): Promise<ContactBody> {
    const contact = await this.answer(meId, contactId, (tx, pending) => this.setAccepted(tx, pending));
    this.events.publish(new ContactAccepted(contact.id, contact.requesterId, contact.addresseeId));
    return this.viewOne(meId, contact);
  }

  /** @throws AppError FORBIDDEN for who asked, CONTACT_NOT_FOUND for all but the two, CONFLICT if it is accepted already */
  async reject(meId: string, contactId: string): Promise<void> {
    const contact = await this.answer(meId, contactId, (tx, pending) => this.removeRow(tx, pending));
    this.events.publish(new ContactRejected(contact.id, contact.requesterId, contact.addresseeId));
  }

  /**
   * Ends a contact, or withdraws or declines a request.
   *
   * @throws AppError CONTACT_NOT_FOUND unless the caller is one of the two
   */
  async remove(meId: string, contactId: string): Promise<void> {
    const known = await this.findContact(contactId);
    if (known?.requesterId !== meId && known?.addresseeId !== meId) throw new AppError('CONTACT_NOT_FOUND');
    const pair = pairOf(known.requesterId, known.addresseeId);
    const removed = await this.prisma.inTransaction(async (tx) => {
      await this.repository.lockPair(tx, pair, 'exclusive');
      const current = await this.repository.findByPair(tx, pair);
      if (current?.id !== contactId) throw new AppError('CONTACT_NOT_FOUND');
      await this.hooks.run(tx, pair);
      return this.removeRow(tx, current);
    });
    const { id, requesterId, addresseeId, status } = removed;
    this.events.publish(
      status === 'PENDING' && addresseeId === meId
        ? new ContactRejected(id, requesterId, addresseeId)
        : new ContactRemoved(id, requesterId, addresseeId, meId),
    );
  }

  /** The caller's contacts, newest first; who is blocked either way is left out. */
  async listAccepted(meId: string, query: PageQuery): Promise<PageOf<ContactBody>> {
    return this.list(meId, 'ACCEPTED', query);
  }

  /** Requests that wait for an answer, the caller's own and those made to the caller, newest first. */
  async listPending(meId: string, query: PageQuery): Promise<PageOf<ContactBody>> {
    return this.list(meId, 'PENDING', query);
  }

  /** A contact as one of its two people sees it; null if it is gone or the viewer is neither. */
  async viewFor(viewerId: string, contactId: string): Promise<ContactBody | null> {
    const contact = await this.findContact(contactId);
    if (contact?.requesterId !== viewerId && contact?.addresseeId !== viewerId) return null;
    const [view] = await this.view(viewerId, [contact]);
    return view ?? null;
  }

  /** Contacts and requests by id, as one of their two people sees them; those that are gone are left out. */
  async viewMany(viewerId: string, contactIds: readonly string[]): Promise<ContactBody[]> {
    if (contactIds.length === 0) return [];
    const contacts = await this.repository.listByIds(contactIds);
    return this.view(
      viewerId,
      contacts.filter(({ requesterId, addresseeId }) => [requesterId, addresseeId].includes(viewerId)),
    );
  }

  /**
   * Lets a private chat be made: the contact stays accepted and without a block until `tx` ends. Takes the pair's
   * lock, so it comes before every lock on a chat.
   *
   * @throws AppError USER_NOT_FOUND, BLOCKED, NOT_A_CONTACT
   */
  async assertMayChat(tx: PrismaTransaction, meId: string, otherId: string): Promise<void> {
    if (meId === otherId) throw new AppError('NOT_A_CONTACT');
    if (!isId(otherId)) throw new AppError('USER_NOT_FOUND');
    const pair = pairOf(meId, otherId);
    if (!(await this.repository.lockPair(tx, pair, 'shared'))) throw new AppError('USER_NOT_FOUND');
    if (await this.repository.isBlocked(tx, pair)) throw new AppError('BLOCKED');
    const contact = await this.repository.findByPair(tx, pair);
    if (contact?.status !== 'ACCEPTED') throw new AppError('NOT_A_CONTACT');
  }

  /**
   * Lets a person bring others into a group: all of them are accepted contacts without a block, and stay so until `tx`
   * ends. A fixed number of statements however many they are. Comes before every lock on a chat.
   *
   * @throws AppError USER_NOT_FOUND, BLOCKED, NOT_A_CONTACT, whose `details` name the people under `field`
   */
  async assertMayAdd(
    tx: PrismaTransaction,
    meId: string,
    otherIds: readonly string[],
    field: string,
  ): Promise<void> {
    const ids = otherIds.filter(isId);
    const people = new Set(await this.repository.lockPeople(tx, [meId, ...ids]));
    const contacts = new Set(await this.repository.lockContacts(tx, meId, ids));
    const blocked = new Set(await this.repository.listBlockedAmong(tx, meId, ids));
    const refuse = (code: ErrorCode, refused: readonly string[], reason: string, message?: string): void => {
      if (refused.length === 0) return;
      const details = refused.slice(0, MAX_NAMED).map((id) => ({ field, message: `${id} ${reason}` }));
      throw new AppError(code, { details, ...(message !== undefined && { message }) });
    };
    refuse(
      'USER_NOT_FOUND',
      otherIds.filter((id) => !people.has(id)),
      'is not the id of a user',
    );
    refuse(
      'BLOCKED',
      otherIds.filter((id) => blocked.has(id)),
      'is blocked by you, or has blocked you',
    );
    refuse(
      'NOT_A_CONTACT',
      otherIds.filter((id) => !contacts.has(id)),
      'is not a contact of yours',
      'Only your contacts can be added to a group.',
    );
  }

  private async insertRequest(
    tx: PrismaTransaction,
    pair: Pair,
    requesterId: string,
    addresseeId: string,
  ): Promise<ContactRow> {
    const contact: ContactRow = {
      id: newId(),
      requesterId,
      addresseeId,
      status: 'PENDING',
      createdAt: this.clock.now(),
    };
    await this.repository.insert(tx, pair, contact);
    return contact;
  }

  private async setAccepted(tx: PrismaTransaction, pending: ContactRow): Promise<ContactRow> {
    const done = await this.repository.setAccepted(tx, pending.id, this.clock.now());
    if (!done) throw new AppError('CONTACT_NOT_FOUND');
    return { ...pending, status: 'ACCEPTED' };
  }

  private async removeRow(tx: PrismaTransaction, contact: ContactRow): Promise<ContactRow> {
    const done = await this.repository.remove(tx, contact.id);
    if (!done) throw new AppError('CONTACT_NOT_FOUND');
    return contact;
  }

  /** Lets the addressee answer a request that still waits, and that no block hides. */
  private async answer(
    meId: string,
    contactId: string,
    answer: (tx: PrismaTransaction, pending: ContactRow) => Promise<ContactRow>,
  ): Promise<ContactRow> {
    const known = await this.findContact(contactId);
    if (known?.requesterId === meId) {
      throw new AppError('FORBIDDEN', { message: 'Only who was asked answers a request.' });
    }
    if (known?.addresseeId !== meId) throw new AppError('CONTACT_NOT_FOUND');
    const pair = pairOf(known.requesterId, known.addresseeId);
    return this.prisma.inTransaction(async (tx) => {
      await this.repository.lockPair(tx, pair, 'exclusive');
      const current = await this.repository.findByPair(tx, pair);
      if (current?.id !== contactId || (await this.repository.isBlocked(tx, pair))) {
        throw new AppError('CONTACT_NOT_FOUND');
      }
      if (current.status === 'ACCEPTED') {
        throw new AppError('CONFLICT', { message: 'This request has been accepted already.' });
      }
      return answer(tx, current);
    });
  }

  private async findContact(contactId: string): Promise<ContactRow | null> {
    return isId(contactId) ? this.repository.findById(contactId) : null;
  }

  private async list(meId: string, status: ContactStatus, query: PageQuery): Promise<PageOf<ContactBody>> {
    const scope = `contacts:${meId}:${status}`;
    const after = query.cursor === undefined ? null : decodeTimeCursor(this.cursors, scope, query.cursor);
    const rows = await this.repository.listContacts(meId, status, after, query.limit + 1);
    const { items, nextCursor } = cutPage(rows, query.limit, ({ createdAt, id }) =>
      this.cursors.encode(scope, [createdAt.toISOString(), id]),
    );
    return { items: await this.view(meId, items), nextCursor };
  }

  private async viewOne(viewerId: string, contact: ContactRow): Promise<ContactBody> {
    const [view] = await this.view(viewerId, [contact]);
    if (!view) throw new AppError('USER_NOT_FOUND');
    return view;
  }

  /** Contacts whose other person is deleted meanwhile are left out. */
  private async view(viewerId: string, contacts: readonly ContactRow[]): Promise<ContactBody[]> {
    const otherOf = (contact: ContactRow): string =>
      contact.requesterId === viewerId ? contact.addresseeId : contact.requesterId;
    const users = await this.publicUsers.view(viewerId, contacts.map(otherOf));
    return contacts.flatMap((contact) => {
      const user = users.get(otherOf(contact));
      if (!user) return [];
      return {
        id: contact.id,
        user,
        status: contact.status,
        requestedByMe: contact.requesterId === viewerId,
        createdAt: contact.createdAt.toISOString(),
      };
    });
  }
}

/** @throws AppError INVALID_CURSOR */
export function decodeTimeCursor(cursors: Cursors, scope: string, cursor: string): After {
  const [createdAt, id] = cursors.decode(scope, cursor);
  return { createdAt: new Date(String(createdAt)), id: String(id) };
}
