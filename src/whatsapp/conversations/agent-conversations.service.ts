import { Injectable } from '@nestjs/common';
import type { MessageBody } from '../../chats/message.dto.js';
import { AppError, validationError } from '../../common/errors.js';
import type { Page } from '../../infra/http/envelope.js';
import { HistoryService } from '../../messages/history.service.js';
import { MessagesService, type SendResult } from '../../messages/messages.service.js';
import { SearchService } from '../../messages/search.service.js';
import { TenantsService, type Tenant } from '../tenants/tenants.service.js';
import { ConversationLists } from './conversation-lists.service.js';
import type {
  AgentMessagesQuery,
  ConversationBody,
  ConversationsQuery,
  CustomerMessagesQuery,
  SendToCustomerDto,
} from './conversations.dto.js';
import { ConversationsService } from './conversations.service.js';
import { readCustomer } from './read-customer.js';

interface MessagesPage {
  messages: MessageBody[];
  page: Page;
}

const NO_PAGE: Page = { nextCursor: null };

/** The conversations of the tenant that a person works for, by the customers' numbers. */
@Injectable()
export class AgentConversations {
  constructor(
    private readonly tenants: TenantsService,
    private readonly conversations: ConversationsService,
    private readonly lists: ConversationLists,
    private readonly history: HistoryService,
    private readonly searches: SearchService,
    private readonly messages: MessagesService,
  ) {}

  /**
   * One row a customer; none for who works for nobody.
   *
   * @throws AppError SEVERAL_TENANTS, TENANT_NOT_FOUND, INVALID_CURSOR
   */
  async list(
    userId: string,
    query: ConversationsQuery,
  ): Promise<{ conversations: ConversationBody[]; page: Page }> {
    const tenant = await this.findTenant(userId, query.tenantId);
    if (!tenant) return { conversations: [], page: NO_PAGE };
    return this.whileAgent(userId, tenant, () => this.lists.list(tenant.id, userId, query));
  }

  /**
   * The messages of all conversations, newest first, or those that hold `query.query`.
   *
   * @throws AppError SEVERAL_TENANTS, TENANT_NOT_FOUND, INVALID_CURSOR
   */
  async listMessages(userId: string, query: AgentMessagesQuery): Promise<MessagesPage> {
    const tenant = await this.findTenant(userId, query.tenantId);
    if (!tenant) return { messages: [], page: NO_PAGE };
    const { query: text } = query;
    return this.whileAgent(userId, tenant, () =>
      text === undefined
        ? this.lists.listMessages(tenant.id, userId, query)
        : this.searches.searchTenant(userId, tenant.id, Object.assign(query, { query: text })),
    );
  }

  /**
   * The messages of one customer, as `GET /api/chats/:chatId/messages` pages them.
   *
   * @param customer a number in any usual form, or a business-scoped id
   * @throws AppError CUSTOMER_NOT_FOUND, SEVERAL_TENANTS, TENANT_NOT_FOUND, INVALID_CURSOR
   */
  async listOfCustomer(
    userId: string,
    customer: string,
    query: CustomerMessagesQuery,
  ): Promise<MessagesPage> {
    const tenant = await this.findTenant(userId, query.tenantId);
    const who = readCustomer(customer);
    const found = tenant && who && (await this.conversations.find(tenant.id, who));
    if (!found) throw new AppError('CUSTOMER_NOT_FOUND');
    return this.history.list(userId, found.mergedIntoId ?? found.chatId, query);
  }

  /**
   * Sends a text to a customer, whose conversation it opens if there is none and the tenant may begin one.
   *
   * @throws AppError WINDOW_CLOSED, SEVERAL_TENANTS, TENANT_NOT_FOUND, VALIDATION_FAILED
   */
  async send(userId: string, tenantId: string | undefined, dto: SendToCustomerDto): Promise<SendResult> {
    const text = dto.text ?? dto.messageBody;
    const who = readCustomer(dto.waId ?? dto.wa_id ?? '');
    if (!who) {
      throw validationError([{ field: 'waId', message: 'must be a phone number or a business-scoped id' }]);
    }
    if (text === undefined) {
      throw validationError([{ field: 'text', message: 'must be text of 1 to 4096 characters' }]);
    }
    const tenant = await this.findTenant(userId, tenantId);
    if (!tenant) throw new AppError('TENANT_NOT_FOUND');
    const found = await this.conversations.find(tenant.id, who);
    // Who has never written cannot be written to, and so leaves no trace.
    if (!found && tenant.enforcesWindow) throw new AppError('WINDOW_CLOSED');
    const open = found ?? (await this.conversations.open(tenant, { ...who, name: dto.name ?? null }));
    return this.messages.send(userId, open.mergedIntoId ?? open.chatId, {
      text,
      ...(dto.clientId !== undefined && { clientId: dto.clientId }),
    });
  }

  /**
   * The tenant that is meant: the one named, or the only one. Null for who works for nobody.
   *
   * @throws AppError SEVERAL_TENANTS; TENANT_NOT_FOUND for one that the person does not work for
   */
  private async findTenant(userId: string, tenantId: string | undefined): Promise<Tenant | null> {
    const tenants = await this.tenants.listOfAgent(userId);
    if (tenantId !== undefined) {
      const named = tenants.find(({ id }) => id === tenantId);
      if (!named) throw new AppError('TENANT_NOT_FOUND');
      return named;
    }
    if (tenants.length > 1) throw new AppError('SEVERAL_TENANTS');
    return tenants[0] ?? null;
  }

  /** What was read while somebody stopped working for the tenant may be newer than that: they do not get it. */
  private async whileAgent<T>(userId: string, tenant: Tenant, read: () => Promise<T>): Promise<T> {
    const result = await read();
    await this.findTenant(userId, tenant.id);
    return result;
  }
}
