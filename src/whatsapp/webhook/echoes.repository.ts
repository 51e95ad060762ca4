import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';
import type { MessageType } from '../../chats/message.dto.js';

/** How far back a message is looked for whose send has no answer yet. */
const NEWEST = 200;

@Injectable()
export class EchoesRepository {
  constructor(private readonly database: Database) {}

  /** The seq of a message that looks the same, and of which nobody knows yet whether it was sent; null for a known wamid. */
  async findUnanswered(
    chatId: string,
    wamid: string,
    type: MessageType,
    text: string | null,
  ): Promise<number | null> {
    const rows = await this.database.query<{ seq: number }>(
      {
        name: 'echoes.find-unanswered',
        text: `SELECT w.seq FROM conversation k
          JOIN whatsapp_message w ON w.chat_id = k.chat_id AND w.seq > k.last_seq - ${NEWEST}
          JOIN message m ON m.chat_id = w.chat_id AND m.seq = w.seq
          WHERE k.chat_id = $1 AND w.dispatch IN ('CALLING', 'UNKNOWN') AND w.wamid IS NULL
            AND m.type = $3::message_type AND m.text IS NOT DISTINCT FROM $4
            AND NOT EXISTS (SELECT FROM whatsapp_message o WHERE o.wamid = $2 AND o.chat_id = $1)
          ORDER BY w.seq LIMIT 1`,
      },
      [chatId, wamid, type, text],
    );
    return rows[0]?.seq ?? null;
  }
}
