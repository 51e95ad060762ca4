import { Injectable } from '@nestjs/common';
import { BoundedMap } from '../../common/bounded-map.js';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { isId } from '../../common/ids.js';
import { ChatUpdated, ConversationOpened } from '../../chats/chats.events.js';
import { retryingDeadlocks } from '../../infra/database/database.js';
import { EventBus } from '../../infra/events/event-bus.js';
import { toSystemBody } from '../../messages/message-mapper.js';
import { MessageCreated } from '../../messages/messages.events.js';
import type { Tenant } from '../tenants/tenants.service.js';
import { customerKeys, type CustomerFacts, type CustomerKeys } from './customer-keys.js';
import type { CustomerRef, OpenConversation } from './customer-ref.js';
import {
  CustomersRepository,
  type ConversationRow,
  type OpenedRow,
  type OpenOptions,
} from './customers.repository.js';

export type { CustomerRef, OpenConversation } from './customer-ref.js';

/** Where what comes from a customer goes. */
export interface CustomerPlace {
  chatId: string;
  customerId: string;
}

interface KnownCustomer extends CustomerPlace {
  facts: CustomerFacts;
  /** By the Clock, in milliseconds. */
  knownAt: number;
}

const MERGE_TEXT = 'Two conversations turned out to be with the same customer and go on as one.';
const MAX_KNOWN = 50_000;
/** Another instance may have learned more of a customer: what is known here is looked up again after this. */
const KNOWN_FOR_MS = 60_000;

/**
 * Customers, and the one conversation that each has with a tenant.
 *
 * Invariant: what a customer is known by leads to the same conversation for good, merges excepted; and writing to one
 * that was merged away is answered with the one that goes on. So where a customer's messages go may be remembered.
 */
@Injectable()
export class ConversationsService {
  private readonly known = new BoundedMap<string, KnownCustomer>(MAX_KNOWN);

  constructor(
    private readonly repository: CustomersRepository,
    private readonly events: EventBus,
    private readonly clock: Clock,
  ) {}

  /**
   * Finds the conversation with a customer, or makes both; publishes ConversationOpened for a new one. What is told of
   * the customer is learned, and customers who turn out to be one are merged.
   *
   * @throws AppError VALIDATION_FAILED when nothing names the customer, TENANT_NOT_FOUND for a tenant that is gone
   */
  async open(tenant: Tenant, who: CustomerRef): Promise<OpenConversation> {
    const row = await this.learnKeys(tenant, requireKeys(who), { makeChat: true });
    const chatId = row?.chat_id;
    if (!row || !chatId) throw new AppError('TENANT_NOT_FOUND');
    return toOpen(tenant.id, row, chatId);
  }

  /** The conversation that goes on with a customer; null when there is none. */
  async find(tenantId: string, who: CustomerRef): Promise<OpenConversation | null> {
    const found = customerKeys(who);
    const row = found && (await this.repository.find(tenantId, found.keys));
    return row && toConversation(row);
  }

  /** The conversation of a chat, also one that was merged away. */
  async byChat(chatId: string): Promise<OpenConversation | null> {
    const row = isId(chatId) ? await this.repository.findByChat(chatId) : null;
    return row && toConversation(row);
  }

  /** Like `locate`, from memory: undefined when that does not suffice. */
  located(tenantId: string, who: CustomerKeys): CustomerPlace | undefined {
    let known: KnownCustomer | undefined;
    for (const key of who.keys) {
      const found = this.known.get(`${tenantId} ${key}`);
      if (!found || (known && found !== known)) return undefined;
      known = found;
    }
    if (!known || this.clock.nowMs() - known.knownAt > KNOWN_FOR_MS) return undefined;
    return saysNothingNew(who.facts, known.facts) ? known : undefined;
  }

  /**
   * Where what comes from a customer goes; makes and learns like `open`.
   *
   * @throws AppError TENANT_NOT_FOUND
   */
  async locate(tenant: Tenant, who: CustomerKeys): Promise<CustomerPlace> {
    const row = await this.learnKeys(tenant, who, { makeChat: true });
    const chatId = row?.chat_id;
    if (!row || !chatId) throw new AppError('TENANT_NOT_FOUND');
    return { chatId, customerId: row.customer_id };
  }

  /** Forgets where this customer's messages go: it was found to have changed. */
  forget(tenantId: string, who: CustomerKeys): void {
    for (const key of who.keys) this.known.delete(`${tenantId} ${key}`);
  }

  /**
   * Learns what is told of a customer without making a conversation.
   *
   * @param options.make whether one who is not known is made
   * @returns null for one who is not known and was not made
   */
  async learn(
    tenant: Tenant,
    who: CustomerRef,
    options: { make: boolean },
  ): Promise<{ customerId: string } | null> {
    const found = customerKeys(who);
    const row = found && (await this.learnKeys(tenant, found, { ...options, makeChat: false }));
    return row && { customerId: row.customer_id };
  }

  /** The customer known as `before` is now `after`: another number, or another id. One who is not known stays so. */
  async rename(tenant: Tenant, before: CustomerRef, after: CustomerRef): Promise<void> {
    const [from, to] = [customerKeys(before), customerKeys(after)];
    if (!from || !to) return;
    const [present, target] = await Promise.all([
      this.repository.find(tenant.id, from.keys),
      this.repository.find(tenant.id, to.keys),
    ]);
    // A repeated report must not undo a later one: it concerns only who still is what it says they were.
    if (present && !isStill(present, from)) return;
    // Whoever it says they are now may have moved on since, if a later report came first.
    const current = target && !isStill(target, to) ? keysOfRow(target) : null;
    await this.learnKeys(tenant, current ?? to, {
      moreKeys: [...from.keys, ...to.keys],
      make: false,
      makeChat: false,
      force: true,
    });
  }

  /** @param at when they said so, by Meta's clock */
  async setOptedOut(tenant: Tenant, who: CustomerRef, optedOut: boolean, at: Date): Promise<void> {
    const customer = await this.learn(tenant, who, { make: true });
    if (customer) await this.repository.setOptedOut(customer.customerId, optedOut, at);
  }

  private async learnKeys(
    tenant: Tenant,
    who: CustomerKeys,
    options: Partial<OpenOptions>,
  ): Promise<OpenedRow | null> {
    const whole: OpenOptions = {
      moreKeys: [],
      force: false,
      make: true,
      makeChat: true,
      mergeText: MERGE_TEXT,
      ...options,
    };
    const rows = await retryingDeadlocks(() => this.repository.open(tenant.id, who, whole, this.clock.now()));
    const [row, ...merged] = rows;
    if (!row) return null;
    this.remember(tenant.id, who, row);
    this.tell(tenant.id, row, merged);
    return row;
  }

  private remember(tenantId: string, { keys }: CustomerKeys, row: OpenedRow): void {
    if (row.chat_id === null) return;
    const { chat_id: chatId, customer_id: customerId, name, username, phone } = row;
    const facts = {
      waId: row.wa_id,
      userId: row.user_id,
      parentUserId: row.parent_user_id,
      phone,
      name,
      username,
    };
    const known: KnownCustomer = { chatId, customerId, facts, knownAt: this.clock.nowMs() };
    const all = new Set([...keys, ...(customerKeys(facts)?.keys ?? [])]);
    for (const key of all) this.known.set(`${tenantId} ${key}`, known);
  }

  private tell(tenantId: string, row: OpenedRow, merged: readonly OpenedRow[]): void {
    const { agents_seq: agentsSeq } = row;
    if (row.opened && row.chat_id !== null) {
      this.events.publish(new ConversationOpened(row.chat_id, tenantId, agentsSeq));
    }
    for (const { chat_id: chatId, system_seq: seq } of merged) {
      if (chatId === null || seq === null) continue;
      const body = toSystemBody(chatId, seq, MERGE_TEXT, this.clock.now());
      this.events.publish(new MessageCreated(body, null, 'WHATSAPP', agentsSeq, tenantId));
      if (chatId !== row.chat_id) this.events.publish(new ChatUpdated(chatId, agentsSeq, tenantId));
    }
    if (row.changed && row.chat_id !== null) {
      this.events.publish(new ChatUpdated(row.chat_id, agentsSeq, tenantId));
    }
  }
}

function requireKeys(who: CustomerRef): CustomerKeys {
  const keys = customerKeys(who);
  if (!keys) throw new AppError('VALIDATION_FAILED', { message: 'Nothing names the customer.' });
  return keys;
}

/** Numbers and ids must be the very ones: what a customer has left is told apart in the database. */
function saysNothingNew(told: CustomerFacts, known: CustomerFacts): boolean {
  return (
    (told.waId === null || told.waId === known.waId) &&
    (told.userId === null || told.userId === known.userId) &&
    (told.parentUserId === null || told.parentUserId === known.parentUserId) &&
    (told.name === null || told.name === known.name) &&
    (told.username === null || told.username === known.username)
  );
}

function keysOfRow({ wa_id: waId, user_id: userId }: ConversationRow): CustomerKeys | null {
  return customerKeys({ waId, userId });
}

function isStill(row: ConversationRow, who: CustomerKeys): boolean {
  const current = keysOfRow(row);
  return (
    current !== null &&
    (who.phoneKey === null || current.phoneKey === null || current.phoneKey === who.phoneKey) &&
    (who.userKey === null || current.userKey === null || current.userKey === who.userKey)
  );
}

function toOpen(tenantId: string, row: OpenedRow, chatId: string): OpenConversation {
  return toConversation({ ...row, chat_id: chatId, tenant_id: tenantId, merged_into_id: null });
}

function toConversation(row: ConversationRow): OpenConversation {
  return {
    chatId: row.chat_id,
    tenantId: row.tenant_id,
    customerId: row.customer_id,
    waId: row.wa_id,
    userId: row.user_id,
    phone: row.phone,
    name: row.name,
    windowExpiresAt: row.window_expires_at,
    botPaused: row.bot_paused,
    mergedIntoId: row.merged_into_id,
  };
}
