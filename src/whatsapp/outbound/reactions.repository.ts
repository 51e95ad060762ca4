import { Injectable } from '@nestjs/common';
import type { WhatsappErrorBody } from '../../chats/message.dto.js';
import type { MessageAddress } from '../../common/ids.js';
import { Database, sqlState } from '../../infra/database/database.js';

const UNIQUE_VIOLATION = '23505';

/** What `claim_reaction` says of a conversation. */
export interface ReactionClaim {
  outcome: 'NONE' | 'WAIT' | 'CLOSED' | 'GONE' | 'CALL';
  wait_until: Date | null;
  /** Null with NONE, as all that follows. A bigint as text. */
  id: string | null;
  tenant_id: string | null;
  attempt: number | null;
  seq: number | null;
  user_id: string | null;
  emoji: string | null;
  wamid: string | null;
  to: string | null;
}

/** What `place_reaction` did. */
export interface PlacedRow {
  outcome: 'PLACED' | 'SAME' | 'KEY_USED' | 'NO_MESSAGE' | 'NOT_SENT';
  chat_id: string;
  seq: number;
  /** Of PLACED. */
  rev: number | null;
  /** The emoji that is there now, or that was taken back. */
  emoji: string | null;
  agents_seq: number | null;
}

export interface NewReaction {
  tenantId: string;
  address: MessageAddress;
  userId: string;
  /** Null takes it back. */
  emoji: string | null;
  idempotencyKey: string | null;
  /** Whether Meta is to be told. */
  isSent: boolean;
}

@Injectable()
export class OutgoingReactionsRepository {
  constructor(private readonly database: Database) {}

  async place(reaction: NewReaction, at: Date): Promise<PlacedRow> {
    try {
      return await this.placeOnce(reaction, at);
    } catch (error) {
      // The same key was used in another conversation at the same moment: now it can be seen.
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
      return this.placeOnce(reaction, at);
    }
  }

  async claim(chatId: string, at: Date, callUntil: Date): Promise<ReactionClaim> {
    const [claim] = await this.database.query<ReactionClaim>(
      { name: 'outgoing-reactions.claim', text: 'SELECT * FROM claim_reaction($1, $2, $3)' },
      [chatId, at, callUntil],
    );
    if (!claim) throw new Error('a claim was not answered');
    return claim;
  }

  /** Meta knows it, or never will. @returns whether it is the last that was to be told of this message */
  async settle(id: string, error: WhatsappErrorBody | null): Promise<boolean> {
    const rows = await this.database.query<{ is_last: boolean }>(
      {
        name: 'outgoing-reactions.settle',
        text: `UPDATE outgoing_reaction o SET dispatch = NULL, next_attempt_at = NULL, error = $2
          WHERE o.id = $1
          RETURNING NOT EXISTS (
            SELECT FROM outgoing_reaction l WHERE l.chat_id = o.chat_id AND l.seq = o.seq AND l.id > o.id) AS is_last`,
      },
      [id, error ? JSON.stringify(error) : null],
    );
    return rows[0]?.is_last ?? false;
  }

  /** It is to be told again. @param tries is added to its tries */
  async putBack(id: string, againAt: Date, tries: number): Promise<void> {
    await this.database.query(
      {
        name: 'outgoing-reactions.put-back',
        text: `UPDATE outgoing_reaction SET dispatch = 'READY', next_attempt_at = $2, attempts = attempts + $3
          WHERE id = $1 AND dispatch IS NOT NULL`,
      },
      [id, againAt, tries],
    );
  }

  /** The message for which a key of the tenant's was used, for a reaction. */
  async findByKey(tenantId: string, key: string): Promise<MessageAddress | null> {
    const rows = await this.database.query<{ chat_id: string; seq: number }>(
      {
        name: 'outgoing-reactions.find-by-key',
        text: 'SELECT chat_id, seq FROM outgoing_reaction WHERE tenant_id = $1 AND idempotency_key = $2',
      },
      [tenantId, key],
    );
    return rows[0] ? { chatId: rows[0].chat_id, seq: rows[0].seq } : null;
  }

  private async placeOnce(
    { tenantId, address, userId, emoji, idempotencyKey, isSent }: NewReaction,
    at: Date,
  ): Promise<PlacedRow> {
    const [row] = await this.database.query<PlacedRow>(
      {
        name: 'outgoing-reactions.place',
        text: 'SELECT * FROM place_reaction($1, $2, $3, $4, $5, $6, $7, $8)',
      },
      [tenantId, address.chatId, address.seq, userId, emoji, idempotencyKey, isSent, at],
    );
    if (!row) throw new Error('a reaction was not answered');
    return row;
  }
}
