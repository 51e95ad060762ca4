import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';

/**
 * Both statements take at most $2 rows of the person $1, lock the chats of those in id order, and make a new revision
 * of each message; with null for $2 they take all.
 */
const LOCKED = `
  locked AS MATERIALIZED (
    SELECT c.id FROM chat c WHERE c.id IN (SELECT s.chat_id FROM step s) ORDER BY c.id FOR NO KEY UPDATE
  ), touched AS (
    UPDATE chat c SET changed_tx = pg_current_xact_id() FROM locked l WHERE c.id = l.id
  )`;

const FORGET_SENDER = `
  WITH step AS MATERIALIZED (
    SELECT chat_id, seq FROM message WHERE sender_id = $1::uuid LIMIT $2::bigint
  ), ${LOCKED}
  UPDATE message m SET sender_id = NULL, rev = m.rev + 1, changed_tx = pg_current_xact_id()
  FROM step s JOIN locked l ON l.id = s.chat_id
  WHERE m.chat_id = s.chat_id AND m.seq = s.seq AND m.sender_id = $1::uuid
  RETURNING m.seq`;

const REMOVE_REACTIONS = `
  WITH step AS MATERIALIZED (
    SELECT chat_id, seq FROM reaction WHERE user_id = $1::uuid LIMIT $2::bigint
  ), ${LOCKED}, removed AS (
    DELETE FROM reaction r USING step s JOIN locked l ON l.id = s.chat_id
    WHERE r.chat_id = s.chat_id AND r.seq = s.seq AND r.user_id = $1::uuid
  )
  UPDATE message m SET rev = m.rev + 1, changed_tx = pg_current_xact_id()
  FROM step s JOIN locked l ON l.id = s.chat_id
  WHERE m.chat_id = s.chat_id AND m.seq = s.seq
  RETURNING m.seq`;

const STEP = 500;

/** Takes an account out of the messages, which stay to the others. */
@Injectable()
export class AccountForgettingRepository {
  constructor(private readonly database: Database) {}

  /** Takes their name off everything they wrote, a few messages a transaction, so that nobody waits long for a chat. */
  async forgetSenderInSteps(userId: string): Promise<void> {
    await this.inSteps({ name: 'forgetting.sender-step', text: FORGET_SENDER }, userId);
  }

  /** Removes their reactions in the same way. */
  async removeReactionsInSteps(userId: string): Promise<void> {
    await this.inSteps({ name: 'forgetting.reactions-step', text: REMOVE_REACTIONS }, userId);
  }

  /** What has come in after the steps, and what concerns nobody else: stars, deletions for oneself, mentions. */
  async forgetRest(tx: PrismaTransaction, userId: string): Promise<void> {
    await tx.$queryRawUnsafe(FORGET_SENDER, userId, null);
    await tx.$queryRawUnsafe(REMOVE_REACTIONS, userId, null);
    await tx.messageFlag.deleteMany({ where: { userId } });
    await tx.mention.deleteMany({ where: { userId } });
  }

  private async inSteps(statement: { name: string; text: string }, userId: string): Promise<void> {
    for (;;) {
      const changed = await this.database.query(statement, [userId, STEP]);
      if (changed.length < STEP) return;
    }
  }
}
