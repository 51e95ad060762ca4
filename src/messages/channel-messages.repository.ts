import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { MessageStatus, MessageType } from '../chats/message.dto.js';

/** An input of the SQL function `append_channel_messages`, in its own spelling. */
export interface AppendRow {
  chat_id: string;
  key: string;
  sender_id: string | undefined;
  type: MessageType;
  text: string | undefined;
  terms: string | undefined;
  media_id: string | undefined;
  reply_to_seq: number | undefined;
  reply_to_wamid: string | undefined;
  forwarded: true | undefined;
  side: object;
}

export type AppendOutcome = 'CREATED' | 'REPEATED' | 'KEY_USED' | 'CLOSED' | 'NO_CHAT' | 'STATUS' | 'CHANGED';

/** What `append_channel_messages` returns for the input at place `ord` (from 1); 0 for `STATUS` and `CHANGED`. */
export interface AppendedRow {
  ord: number;
  outcome: AppendOutcome;
  chat_id: string;
  seq: number;
  agents_seq: number;
  status: MessageStatus;
  window_opened: boolean;
  /** Where the team's mark is now, if this call has moved it; with the chat's last new message. */
  team_read_seq: number | null;
  reply_seq: number | null;
  reply_sender_id: string | null;
  reply_type: MessageType | null;
  reply_text: string | null;
  reply_deleted: boolean | null;
}

/** An input of the SQL function `apply_statuses`, in its own spelling. */
export interface StatusRow {
  wamid: string;
  alt_wamid: string | undefined;
  phone_number_id: string | undefined;
  callback_chat_id: string | undefined;
  callback_seq: number | undefined;
  status: 'sent' | 'delivered' | 'read' | 'played' | 'failed';
  at: string;
  error: object | undefined;
  participant: string | undefined;
  item: object;
}

export interface AppliedStatusRow {
  ord: number;
  outcome: 'APPLIED' | 'SAME' | 'PENDING';
  chat_id: string | null;
  seq: number | null;
  tenant_id: string | null;
  agents_seq: number | null;
  status: MessageStatus | null;
  is_new_status: boolean;
  error: unknown;
}

@Injectable()
export class ChannelMessagesRepository {
  constructor(private readonly database: Database) {}

  /** Commits a batch in one statement; see the function's own comment for its promises. */
  async append(rows: readonly AppendRow[], at: Date): Promise<AppendedRow[]> {
    return this.database.query<AppendedRow>(
      { name: 'channel-messages.append', text: 'SELECT * FROM append_channel_messages($1::json, $2)' },
      [JSON.stringify(rows), at],
    );
  }

  /** Commits a batch in one statement; see the function's own comment for its promises. */
  async applyStatuses(rows: readonly StatusRow[], at: Date): Promise<AppliedStatusRow[]> {
    return this.database.query<AppliedStatusRow>(
      { name: 'channel-messages.apply-statuses', text: 'SELECT * FROM apply_statuses($1::json, $2)' },
      [JSON.stringify(rows), at],
    );
  }
}
