import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { Database } from '../../infra/database/database.js';
import type { CustomerKeys } from './customer-keys.js';

/** What `open_conversation` returns: the customer first, then a row for each SYSTEM message of a merge. */
export interface OpenedRow {
  customer_id: string;
  wa_id: string | null;
  user_id: string | null;
  parent_user_id: string | null;
  phone: string | null;
  name: string | null;
  username: string | null;
  /** Null for a customer who has no conversation. */
  chat_id: string | null;
  window_expires_at: Date | null;
  bot_paused: boolean;
  agents_seq: number;
  /** The conversation was made by this call. */
  opened: boolean;
  /** What agents see of an older conversation is now another. */
  changed: boolean;
  system_seq: number | null;
}

export interface OpenOptions {
  /** More keys of the same customer. */
  moreKeys: readonly string[];
  /** What is told is so now, whatever was known before. */
  force: boolean;
  make: boolean;
  makeChat: boolean;
  mergeText: string;
}

export interface ConversationRow {
  chat_id: string;
  tenant_id: string;
  customer_id: string;
  wa_id: string | null;
  user_id: string | null;
  phone: string | null;
  name: string | null;
  window_expires_at: Date | null;
  bot_paused: boolean;
  merged_into_id: string | null;
}

const CONVERSATION = `k.chat_id, k.tenant_id, k.customer_id, c.wa_id, c.user_id, c.phone, c.name, k.window_expires_at,
  k.bot_paused, k.merged_into_id`;

@Injectable()
export class CustomersRepository {
  constructor(private readonly database: Database) {}

  /** Commits in one statement; see the function's own comment for its promises. */
  async open(tenantId: string, who: CustomerKeys, options: OpenOptions, at: Date): Promise<OpenedRow[]> {
    const { waId, userId, parentUserId, phone, name, username } = who.facts;
    const ref = {
      wa_id: waId,
      user_id: userId,
      parent_user_id: parentUserId,
      phone,
      name,
      username,
      variants: who.variants,
    };
    return this.database.query<OpenedRow>(
      {
        name: 'customers.open',
        text: 'SELECT * FROM open_conversation($1, $2, $3, $4, $5::json, $6, $7, $8, $9, $10, $11, $12)',
      },
      [
        tenantId,
        [...who.keys, ...options.moreKeys],
        who.phoneKey,
        who.userKey,
        JSON.stringify(ref),
        options.force,
        options.make,
        options.makeChat,
        newId(),
        newId(),
        options.mergeText,
        at,
      ],
    );
  }

  /** The conversation that goes on with whoever is known by one of the keys. */
  async find(tenantId: string, keys: readonly string[]): Promise<ConversationRow | null> {
    const rows = await this.database.query<ConversationRow>(
      {
        name: 'customers.find',
        text: `SELECT ${CONVERSATION}
          FROM unnest($2::text[]) WITH ORDINALITY AS u (key, ord)
          JOIN customer_alias a ON a.tenant_id = $1 AND a.key = u.key
          JOIN customer c ON c.id = a.customer_id
          JOIN conversation k ON k.customer_id = c.id AND k.merged_into_id IS NULL
          ORDER BY u.ord LIMIT 1`,
      },
      [tenantId, keys],
    );
    return rows[0] ?? null;
  }

  async findByChat(chatId: string): Promise<ConversationRow | null> {
    const rows = await this.database.query<ConversationRow>(
      {
        name: 'customers.find-by-chat',
        text: `SELECT ${CONVERSATION} FROM conversation k JOIN customer c ON c.id = k.customer_id WHERE k.chat_id = $1`,
      },
      [chatId],
    );
    return rows[0] ?? null;
  }

  /** Notes whether the customer wants marketing, unless something later was told. */
  async setOptedOut(customerId: string, optedOut: boolean, at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'customers.set-opted-out',
        text: `UPDATE customer SET opted_out = $2, opted_at = $3, updated_at = greatest(updated_at, $3)
          WHERE id = $1 AND (opted_at IS NULL OR opted_at <= $3)`,
      },
      [customerId, optedOut, at],
    );
  }
}
