import { Injectable } from '@nestjs/common';
import type { MessageAddress } from '../../common/ids.js';
import type { MessageType } from '../../chats/message.dto.js';
import { Database, retryingDeadlocks } from '../../infra/database/database.js';
import type { OutgoingMessage } from '../outbound/outgoing.js';

/** The first message of a conversation that waits for the bot. */
export interface WaitingRow {
  chat_id: string;
  seq: number;
  wamid: string | null;
  type: MessageType;
  text: string | null;
  button_id: string | null;
  sent_at: Date | null;
  created_at: Date;
  /** Whether there is nothing to answer: it was taken back, or not written by the customer just now. */
  is_void: boolean;
  state: string | null;
  is_closed: boolean;
  tenant_id: string;
  tenant_name: string;
  auto_reply: boolean;
  flows_version: number | null;
}

/** An input of the SQL function `commit_bot_decisions`, in its own spelling. */
export interface DecisionRow {
  chat_id: string;
  seq: number;
  state: string | null;
  next_state: string | null;
  hand_off: boolean;
  answer: OutgoingMessage | null;
  idempotency_key: string;
}

/** How many answers one customer gets in a time. */
export interface AnswerLimits {
  short_ms: number;
  short_max: number;
  long_ms: number;
  long_max: number;
}

export interface CommittedRow {
  ord: number;
  outcome: 'DECIDED' | 'LIMITED' | 'STALE' | 'DONE';
  chat_id: string;
  seq: number;
  handed_off: boolean;
  tenant_id: string;
  agents_seq: number;
  more: boolean;
}

/** An answer that was decided upon and may not be accepted for sending yet. */
export interface AnswerRow {
  chat_id: string;
  seq: number;
  tenant_id: string;
  idempotency_key: string;
  message: OutgoingMessage;
}

@Injectable()
export class BotRepository {
  constructor(private readonly database: Database) {}

  /**
   * Of each of these conversations the first message that waits; none while an answer in it is still to be accepted, as
   * another process could overtake it.
   */
  async listFirstWaiting(chatIds: readonly string[]): Promise<WaitingRow[]> {
    return this.database.query<WaitingRow>(
      {
        name: 'bot.list-first-waiting',
        text: `SELECT w.chat_id, w.seq, w.wamid, g.type, g.text, w.sent_at, g.created_at,
            coalesce(w.payload #>> '{interactive,button_reply,id}', w.payload #>> '{interactive,list_reply,id}',
              w.payload #>> '{button,payload}') AS button_id,
            w.direction <> 'IN' OR w.is_history OR g.deleted_at IS NOT NULL AS is_void,
            k.bot_state AS state,
            k.bot_paused OR k.merged_into_id IS NOT NULL OR t.deleted_at IS NOT NULL AS is_closed,
            t.id AS tenant_id, t.name AS tenant_name, t.auto_reply, f.version AS flows_version
          FROM unnest($1::uuid[]) AS c (chat_id)
          CROSS JOIN LATERAL (
            SELECT m.* FROM whatsapp_message m
            WHERE m.chat_id = c.chat_id AND m.bot_pending ORDER BY m.seq LIMIT 1) w
          JOIN message g ON g.chat_id = w.chat_id AND g.seq = w.seq
          JOIN conversation k ON k.chat_id = w.chat_id
          JOIN tenant t ON t.id = k.tenant_id
          LEFT JOIN flow_set f ON f.tenant_id = t.id
          WHERE NOT EXISTS (SELECT FROM bot_answer a WHERE a.chat_id = c.chat_id)`,
      },
      [chatIds],
    );
  }

  /** Conversations in which something waits, by id. @param after the last of the page before */
  async listWaitingChats(after: string | null, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ chat_id: string }>(
      {
        name: 'bot.list-waiting-chats',
        text: `SELECT DISTINCT w.chat_id FROM whatsapp_message w
          WHERE w.bot_pending AND ($1::uuid IS NULL OR w.chat_id > $1) ORDER BY w.chat_id LIMIT $2`,
      },
      [after, limit],
    );
    return rows.map((row) => row.chat_id);
  }

  /**
   * Commits decisions in one statement; see the function's own comment for its promises. A deadlock is tried again: a
   * rerun finds done what was done.
   */
  async commit(rows: readonly DecisionRow[], limits: AnswerLimits, at: Date): Promise<CommittedRow[]> {
    return retryingDeadlocks(() =>
      this.database.query<CommittedRow>(
        { name: 'bot.commit', text: 'SELECT * FROM commit_bot_decisions($1::json, $2::json, $3)' },
        [JSON.stringify(rows), JSON.stringify(limits), at],
      ),
    );
  }

  /** Answers that are kept, by place. @param after the last of the page before */
  async listAnswers(after: MessageAddress | null, limit: number): Promise<AnswerRow[]> {
    return this.database.query<AnswerRow>(
      {
        name: 'bot.list-answers',
        text: `SELECT a.chat_id, a.seq, a.tenant_id, a.idempotency_key, a.message FROM bot_answer a
          WHERE $1::uuid IS NULL OR (a.chat_id, a.seq) > ($1, $2)
          ORDER BY a.chat_id, a.seq LIMIT $3`,
      },
      [after?.chatId ?? null, after?.seq ?? null, limit],
    );
  }

  /** They need not be kept any longer. */
  async deleteAnswers(addresses: readonly { chat_id: string; seq: number }[]): Promise<void> {
    await this.database.query(
      {
        name: 'bot.delete-answers',
        text: `DELETE FROM bot_answer a USING unnest($1::uuid[], $2::int[]) AS d (chat_id, seq)
          WHERE a.chat_id = d.chat_id AND a.seq = d.seq`,
      },
      [addresses.map((row) => row.chat_id), addresses.map((row) => row.seq)],
    );
  }
}
