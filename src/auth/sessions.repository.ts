import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { Prisma, Session } from '../infra/database/generated/client.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import type { Principal } from '../infra/http/request-context.js';
import type { RefreshClaims, TokenSource } from './tokens.service.js';

export type NewSession = Pick<
  Session,
  'id' | 'userId' | 'deviceId' | 'deviceName' | 'ip' | 'createdAt' | 'expiresAt'
>;

/** What decides about a refresh token that is not the present one. */
export interface SessionState extends TokenSource {
  /** When the tokens before the present ones were issued, newest first. */
  earlierRotations: readonly Date[];
  expiresAt: Date;
  revokedAt: Date | null;
}

/** Sessions that `revoke` ended, and whether devices went with them. */
export interface RevokedSessions {
  ids: string[];
  hadDevices: boolean;
}

interface StateRow {
  id: string;
  user_id: string;
  refresh_generation: number;
  rotated_at: Date;
  earlier_rotations: Date[];
  expires_at: Date;
  revoked_at: Date | null;
}

@Injectable()
export class SessionsRepository {
  constructor(
    private readonly database: Database,
    private readonly prisma: PrismaService,
  ) {}

  /** The one statement behind every request whose session is not in memory. */
  async findLive(sessionId: string): Promise<Principal | null> {
    const [row] = await this.database.query<{ user_id: string; device_id: string | null }>(
      {
        name: 'find_live_session',
        text: 'SELECT user_id, device_id FROM session WHERE id = $1 AND revoked_at IS NULL',
      },
      [sessionId],
    );
    return row ? { userId: row.user_id, sessionId, deviceId: row.device_id } : null;
  }

  /** When those of the sessions that nobody revoked expire, by id. */
  async listUnrevoked(sessionIds: readonly string[]): Promise<Map<string, Date>> {
    const rows = await this.database.query<{ id: string; expires_at: Date }>(
      {
        name: 'list_unrevoked_sessions',
        text: 'SELECT id, expires_at FROM session WHERE id = ANY ($1) AND revoked_at IS NULL',
      },
      [sessionIds],
    );
    return new Map(rows.map((row) => [row.id, row.expires_at]));
  }

  /** Moves the session on by one generation, if the token is the present one; of several callers one succeeds. */
  async rotate(
    { sessionId, generation }: RefreshClaims,
    at: Date,
    expiresAt: Date,
  ): Promise<SessionState | null> {
    const [row] = await this.database.query<StateRow>(
      {
        name: 'rotate_session',
        text: `
          UPDATE session
          SET refresh_generation = refresh_generation + 1, rotated_at = $3, last_used_at = $3, expires_at = $4,
            earlier_rotations = (rotated_at || earlier_rotations)[1:20]
          WHERE id = $1 AND refresh_generation = $2 AND revoked_at IS NULL AND expires_at > $3
          RETURNING id, user_id, refresh_generation, rotated_at, earlier_rotations, expires_at, revoked_at`,
      },
      [sessionId, generation, at, expiresAt],
    );
    return row ? toState(row) : null;
  }

  async findState(sessionId: string): Promise<SessionState | null> {
    const [row] = await this.database.query<StateRow>(
      {
        name: 'find_session_state',
        text: `
          SELECT id, user_id, refresh_generation, rotated_at, earlier_rotations, expires_at, revoked_at
          FROM session WHERE id = $1`,
      },
      [sessionId],
    );
    return row ? toState(row) : null;
  }

  async insert(tx: PrismaTransaction, session: NewSession): Promise<TokenSource> {
    const row = await tx.session.create({
      data: { ...session, rotatedAt: session.createdAt, lastUsedAt: session.createdAt },
    });
    return {
      sessionId: row.id,
      userId: row.userId,
      generation: row.refreshGeneration,
      rotatedAt: row.rotatedAt,
    };
  }

  /** Binds the device to its newest session, its push included. Sign-ins on one device wait here for one another. */
  async upsertDevice(tx: PrismaTransaction, session: NewSession & { deviceId: string }): Promise<void> {
    const { userId, deviceId, deviceName, id: sessionId, createdAt: at } = session;
    await tx.$executeRaw`
      INSERT INTO device (user_id, device_id, name, session_id, created_at, last_seen_at)
      VALUES (${userId}::uuid, ${deviceId}, ${deviceName}, ${sessionId}::uuid, ${at}, ${at})
      ON CONFLICT (user_id, device_id) DO UPDATE
      SET session_id = excluded.session_id, name = coalesce(excluded.name, device.name), last_seen_at = excluded.last_seen_at`;
  }

  /** The sessions of an account that are signed in, the last used first. */
  async listLive(userId: string, now: Date): Promise<Session[]> {
    return this.prisma.session.findMany({
      where: { userId, revokedAt: null, expiresAt: { gt: now } },
      orderBy: [{ lastUsedAt: 'desc' }, { id: 'asc' }],
    });
  }

  /** Notes the first device that is used in a session without one, or its new name. False unless the session lives. */
  async noteDevice(
    tx: PrismaTransaction,
    { userId, sessionId }: Principal,
    device: { deviceId: string; name: string | null },
    now: Date,
  ): Promise<boolean> {
    const { deviceId, name } = device;
    const count = await tx.$executeRaw`
      UPDATE session
      SET device_id = coalesce(device_id, ${deviceId}),
        device_name = CASE WHEN coalesce(device_id, ${deviceId}) = ${deviceId}
          THEN coalesce(${name}, device_name) ELSE device_name END
      WHERE id = ${sessionId}::uuid AND user_id = ${userId}::uuid AND revoked_at IS NULL AND expires_at > ${now}`;
    return count > 0;
  }

  /** Ends those of an account's sessions that `which` selects; their devices go with them. */
  async revoke(
    tx: PrismaTransaction,
    userId: string,
    which: Prisma.SessionWhereInput,
    at: Date,
  ): Promise<RevokedSessions> {
    const rows = await tx.session.updateManyAndReturn({
      where: { ...which, userId, revokedAt: null },
      data: { revokedAt: at },
      select: { id: true },
    });
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return { ids, hadDevices: false };
    const { count } = await tx.device.deleteMany({ where: { userId, sessionId: { in: ids } } });
    return { ids, hadDevices: count > 0 };
  }

  /** Removes sessions that expired before `limit`, with the devices they left. */
  async deleteEndedBefore(limit: Date): Promise<void> {
    await this.prisma.$executeRaw`
      WITH ended AS (DELETE FROM session WHERE expires_at < ${limit} RETURNING id)
      DELETE FROM device WHERE session_id IN (SELECT id FROM ended)`;
  }
}

function toState(row: StateRow): SessionState {
  return {
    sessionId: row.id,
    userId: row.user_id,
    generation: row.refresh_generation,
    rotatedAt: row.rotated_at,
    earlierRotations: row.earlier_rotations,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}
