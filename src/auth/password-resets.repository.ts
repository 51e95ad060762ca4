import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';

/** A mail that somebody waits for. */
export interface ResetRequest {
  emailKey: string;
  requestedAt: Date;
}

export interface ResetToken {
  userId: string;
  tokenHash: string;
  emailKey: string;
  /** The account's at that time: a token is worth nothing after any change of the password, and so works once. */
  passwordHash: string;
  expiresAt: Date;
}

@Injectable()
export class PasswordResetsRepository {
  constructor(private readonly database: Database) {}

  /** The same statement whether or not there is such an account. */
  async insertRequest(emailKey: string, at: Date): Promise<void> {
    await this.database.query(
      {
        name: 'request_password_reset',
        text: `
          INSERT INTO password_reset_request (email_key, requested_at, next_attempt_at) VALUES ($1, $2, $2)
          ON CONFLICT (email_key) DO UPDATE SET requested_at = $2, next_attempt_at = $2, attempts = 0`,
      },
      [emailKey, at],
    );
  }

  /**
   * Takes requests that are due, each for `leaseMs` milliseconds, doubled with every attempt: whoever dies with one
   * leaves it to the next.
   */
  async claimDue(now: Date, leaseMs: number, limit: number): Promise<ResetRequest[]> {
    const rows = await this.database.query<{ email_key: string; requested_at: Date }>(
      {
        name: 'claim_password_reset_requests',
        text: `
          UPDATE password_reset_request r
          SET attempts = r.attempts + 1,
            next_attempt_at = $1 + $2::int * power(2, least(r.attempts, 5)) * interval '1 millisecond'
          WHERE r.email_key IN (
            SELECT due.email_key FROM password_reset_request due WHERE due.next_attempt_at <= $1
            ORDER BY due.next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED)
          RETURNING r.email_key, r.requested_at`,
      },
      [now, leaseMs, limit],
    );
    return rows.map((row) => ({ emailKey: row.email_key, requestedAt: row.requested_at }));
  }

  /** Unless it was made again since it was claimed. */
  async deleteRequest({ emailKey, requestedAt }: ResetRequest): Promise<void> {
    await this.database.query(
      {
        name: 'delete_password_reset_request',
        text: 'DELETE FROM password_reset_request WHERE email_key = $1 AND requested_at = $2',
      },
      [emailKey, requestedAt],
    );
  }

  /** Replaces the account's earlier token, if the account is still the same. */
  async putToken(token: ResetToken): Promise<void> {
    await this.database.query(
      {
        name: 'put_password_reset',
        text: `
          INSERT INTO password_reset (user_id, token_hash, email_key, password_hash, expires_at)
          SELECT id, $2, email_key, password_hash, $5 FROM app_user
          WHERE id = $1 AND email_key = $3 AND password_hash = $4
          ON CONFLICT (user_id) DO UPDATE
          SET token_hash = excluded.token_hash, email_key = excluded.email_key,
            password_hash = excluded.password_hash, expires_at = excluded.expires_at`,
      },
      [token.userId, token.tokenHash, token.emailKey, token.passwordHash, token.expiresAt],
    );
  }

  /** A token that can still be used, mailed to the address that the account still has. */
  async findToken(tokenHash: string, now: Date): Promise<ResetToken | null> {
    const [row] = await this.database.query<{
      user_id: string;
      email_key: string;
      password_hash: string;
      expires_at: Date;
    }>(
      {
        name: 'find_password_reset',
        text: `
          SELECT r.user_id, r.email_key, r.password_hash, r.expires_at
          FROM password_reset r
          JOIN app_user u ON u.id = r.user_id AND u.email_key = r.email_key AND u.password_hash = r.password_hash
          WHERE r.token_hash = $1 AND r.expires_at > $2`,
      },
      [tokenHash, now],
    );
    if (!row) return null;
    return {
      userId: row.user_id,
      tokenHash,
      emailKey: row.email_key,
      passwordHash: row.password_hash,
      expiresAt: row.expires_at,
    };
  }

  async deleteToken(tx: PrismaTransaction, { userId }: ResetToken): Promise<void> {
    await tx.passwordReset.deleteMany({ where: { userId } });
  }

  async deleteExpired(now: Date): Promise<void> {
    await this.database.query(
      { name: 'delete_expired_password_resets', text: 'DELETE FROM password_reset WHERE expires_at <= $1' },
      [now],
    );
  }
}
