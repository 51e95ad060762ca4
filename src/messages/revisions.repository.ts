import { Injectable } from '@nestjs/common';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { MessageRow } from './messages.repository.js';

/** New revisions of messages. `tx` holds the lock of the message's chat; the message exists. */
@Injectable()
export class RevisionsRepository {
  /**
   * Gives a message another text.
   *
   * @param terms what it is found by (`searchTermsOf`), or null for nothing
   * @returns the new revision
   */
  async edit(
    tx: PrismaTransaction,
    { chat_id: chatId, seq }: MessageRow,
    text: string,
    terms: string | null,
    at: Date,
  ): Promise<number> {
    const rows = await tx.$queryRaw<{ rev: number }[]>`
      WITH touched AS (UPDATE chat SET changed_tx = pg_current_xact_id() WHERE id = ${chatId}::uuid)
      UPDATE message SET text = ${text}, edited_at = ${at}, rev = rev + 1, changed_tx = pg_current_xact_id(),
        search = search_vector(search_prefix(chat_id, seq), ${terms}::text)
      WHERE chat_id = ${chatId}::uuid AND seq = ${seq}
      RETURNING rev`;
    return revOf(rows);
  }

  /** Empties a message for everyone; it keeps its place. Returns the new revision. */
  async empty(
    tx: PrismaTransaction,
    { chat_id: chatId, seq, mentions }: MessageRow,
    at: Date,
  ): Promise<number> {
    const rows = await tx.$queryRaw<{ rev: number }[]>`
      WITH touched AS (
        UPDATE chat SET changed_tx = pg_current_xact_id() WHERE id = ${chatId}::uuid
      ), not_mentioned AS (
        DELETE FROM mention WHERE user_id = ANY (${mentions}::uuid[]) AND chat_id = ${chatId}::uuid AND seq = ${seq}
      ), without_reactions AS (
        DELETE FROM reaction WHERE chat_id = ${chatId}::uuid AND seq = ${seq}
      )
      UPDATE message SET text = NULL, media_id = NULL, mentions = '{}', search = NULL, deleted_at = ${at},
        rev = rev + 1, changed_tx = pg_current_xact_id()
      WHERE chat_id = ${chatId}::uuid AND seq = ${seq}
      RETURNING rev`;
    return revOf(rows);
  }

  /** For a change that is written elsewhere, in the same transaction. Returns the new revision. */
  async bump(tx: PrismaTransaction, { chat_id: chatId, seq }: MessageRow): Promise<number> {
    const rows = await tx.$queryRaw<{ rev: number }[]>`
      WITH touched AS (UPDATE chat SET changed_tx = pg_current_xact_id() WHERE id = ${chatId}::uuid)
      UPDATE message SET rev = rev + 1, changed_tx = pg_current_xact_id()
      WHERE chat_id = ${chatId}::uuid AND seq = ${seq}
      RETURNING rev`;
    return revOf(rows);
  }
}

function revOf([row]: readonly { rev: number }[]): number {
  if (!row) throw new Error('the message of a revision is gone');
  return row.rev;
}
