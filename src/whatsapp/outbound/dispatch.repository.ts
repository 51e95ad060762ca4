import { Injectable } from '@nestjs/common';
import type { MessageStatus, WhatsappErrorBody } from '../../chats/message.dto.js';
import type { MessageAddress } from '../../common/ids.js';
import { Database } from '../../infra/database/database.js';

/** What `claim_send` says of a conversation; see the function's own comment. */
export interface SendClaim {
  outcome: 'NONE' | 'WAIT' | 'LOST' | 'CLOSED' | 'GONE' | 'UPLOAD' | 'CALL';
  wait_until: Date | null;
  /** Null with NONE, as all that follows. */
  seq: number | null;
  tenant_id: string | null;
  /** 1 for the first try, with CALL; else the tries so far. */
  attempt: number | null;
  to: string | null;
  payload: Record<string, unknown> | null;
  media_id: string | null;
  reply_wamid: string | null;
  /** What the customer is known by. */
  wa_id: string | null;
  user_id: string | null;
}

/** A message as it stands after it was settled. */
export interface SettledRow {
  tenant_id: string;
  agents_seq: number;
  status: MessageStatus;
}

/** What becomes of a message that was not sent. */
export interface Unsent {
  state: 'READY' | 'UNKNOWN' | 'FAILED';
  /** Of READY. */
  againAt?: Date;
  /** What is added to its tries: the claim has counted this one already. Default: 0. */
  tries?: number;
  error?: WhatsappErrorBody;
}

/** The queue of messages: what is claimed, and what became of it. */
@Injectable()
export class DispatchRepository {
  constructor(private readonly database: Database) {}

  async claim(chatId: string, at: Date, callUntil: Date, uploadUntil: Date): Promise<SendClaim> {
    const [claim] = await this.database.query<SendClaim>(
      { name: 'dispatch.claim', text: 'SELECT * FROM claim_send($1, $2, $3, $4)' },
      [chatId, at, callUntil, uploadUntil],
    );
    if (!claim) throw new Error('a claim was not answered');
    return claim;
  }

  /** A medium has been uploaded: its message, which is due again, names it. */
  async setUploaded({ chatId, seq }: MessageAddress, type: string, graphId: string, at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'dispatch.set-uploaded',
        text: `UPDATE whatsapp_message w SET next_attempt_at = $5,
            payload = jsonb_set(w.payload, ARRAY[$3], coalesce(w.payload -> $3, '{}') || jsonb_build_object('id', $4::text))
          WHERE w.chat_id = $1 AND w.seq = $2 AND w.dispatch = 'READY'`,
      },
      [chatId, seq, type, graphId, at],
    );
  }

  /** Meta has taken the message. */
  async settleSent({ chatId, seq }: MessageAddress, wamid: string, at: Date): Promise<SettledRow | null> {
    const rows = await this.database.query<SettledRow>(
      { name: 'dispatch.settle-sent', text: 'SELECT * FROM settle_sent($1, $2, $3, $4)' },
      [chatId, seq, wamid, at],
    );
    return rows[0] ?? null;
  }

  /** @param attempt of the claim. @returns null when the message has been settled otherwise meanwhile */
  async settleUnsent(
    { chatId, seq }: MessageAddress,
    attempt: number,
    { state, againAt, tries, error }: Unsent,
    at: Date,
  ): Promise<SettledRow | null> {
    const rows = await this.database.query<SettledRow>(
      {
        name: 'dispatch.settle-unsent',
        text: 'SELECT * FROM settle_unsent($1, $2, $3, $4, $5, $6, $7, $8)',
      },
      [chatId, seq, attempt, state, againAt ?? null, tries ?? 0, error ? JSON.stringify(error) : null, at],
    );
    return rows[0] ?? null;
  }

  /** Nothing of the tenant's is sent before. */
  async pauseTenant(tenantId: string, until: Date): Promise<void> {
    await this.database.query(
      {
        name: 'dispatch.pause-tenant',
        text: 'UPDATE tenant SET paused_until = greatest(paused_until, $2) WHERE id = $1',
      },
      [tenantId, until],
    );
  }

  /** Conversations with something that is due, of tenants that may send. */
  async listDue(at: Date, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ chat_id: string }>(
      {
        name: 'dispatch.list-due',
        text: `SELECT DISTINCT q.chat_id FROM (
            SELECT w.chat_id, w.tenant_id, w.dispatch FROM whatsapp_message w
            WHERE w.dispatch IN ('READY', 'CALLING') AND w.next_attempt_at <= $1
            UNION ALL
            SELECT o.chat_id, o.tenant_id, o.dispatch FROM outgoing_reaction o
            WHERE o.dispatch IN ('READY', 'CALLING') AND o.next_attempt_at <= $1) q
          JOIN tenant t ON t.id = q.tenant_id
          WHERE q.dispatch = 'CALLING' OR t.deleted_at IS NOT NULL
            OR (t.status = 'active' AND coalesce(t.paused_until <= $1, true))
          LIMIT $2`,
      },
      [at, limit],
    );
    return rows.map((row) => row.chat_id);
  }

  /** At most `limit` conversations of one tenant in which something waits. */
  async listWaitingOf(tenantId: string, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ chat_id: string }>(
      {
        name: 'dispatch.list-waiting-of',
        text: `SELECT w.chat_id FROM whatsapp_message w WHERE w.tenant_id = $1 AND w.dispatch IN ('READY', 'CALLING')
          UNION
          SELECT o.chat_id FROM outgoing_reaction o WHERE o.tenant_id = $1 AND o.dispatch IN ('READY', 'CALLING')
          LIMIT $2`,
      },
      [tenantId, limit],
    );
    return rows.map((row) => row.chat_id);
  }
}
