import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { PushProvider } from './devices.dto.js';

export interface DeviceRow {
  device_id: string;
  name: string | null;
  created_at: Date;
  last_seen_at: Date;
  push_provider: PushProvider | null;
}

export interface PushTargetRow {
  user_id: string;
  device_id: string;
  push_provider: PushProvider;
  push_target: string;
  push_p256dh: string | null;
  push_auth: string | null;
  push_registered_at: Date;
}

export interface PushRegistration {
  provider: PushProvider;
  /** An endpoint or a token. */
  target: string;
  keys: { p256dh: string; auth: string } | null;
}

export interface Sighting {
  userId: string;
  deviceId: string;
  at: Date;
}

/** A device whose session is not signed in any more is none. */
const LIVE = `
  FROM device d
  JOIN session s ON s.id = d.session_id AND s.revoked_at IS NULL AND s.expires_at > $2`;

@Injectable()
export class DevicesRepository {
  constructor(private readonly database: Database) {}

  /** The last seen first. */
  async list(userId: string, now: Date): Promise<DeviceRow[]> {
    return this.database.query<DeviceRow>(
      {
        name: 'list_devices',
        text: `SELECT d.device_id, d.name, d.created_at, d.last_seen_at, d.push_provider ${LIVE}
          WHERE d.user_id = $1 ORDER BY d.last_seen_at DESC, d.device_id`,
      },
      [userId, now],
    );
  }

  /** In which session a device was last seen, and its name. */
  async find(
    userId: string,
    deviceId: string,
  ): Promise<{ sessionId: string | null; name: string | null } | null> {
    const [row] = await this.database.query<{ session_id: string | null; name: string | null }>(
      {
        name: 'find_device',
        text: 'SELECT session_id, name FROM device WHERE user_id = $1 AND device_id = $2',
      },
      [userId, deviceId],
    );
    return row ? { sessionId: row.session_id, name: row.name } : null;
  }

  /** The device is used in this session from now on; its name stays if none is given. */
  async upsert(
    tx: PrismaTransaction,
    device: { userId: string; deviceId: string; name: string | null; sessionId: string; at: Date },
  ): Promise<void> {
    const { userId, deviceId, name, sessionId, at } = device;
    await tx.$executeRaw`
      INSERT INTO device (user_id, device_id, name, session_id, created_at, last_seen_at)
      VALUES (${userId}::uuid, ${deviceId}, ${name}, ${sessionId}::uuid, ${at}, ${at})
      ON CONFLICT (user_id, device_id) DO UPDATE
      SET session_id = excluded.session_id, name = coalesce(excluded.name, device.name),
        last_seen_at = greatest(excluded.last_seen_at, device.last_seen_at)`;
  }

  /** Removes the devices of an account beyond the `max` that were seen last; their sessions stay. */
  async removeBeyond(tx: PrismaTransaction, userId: string, max: number): Promise<void> {
    await tx.$executeRaw`
      DELETE FROM device WHERE user_id = ${userId}::uuid AND device_id IN (
        SELECT device_id FROM device WHERE user_id = ${userId}::uuid
        ORDER BY last_seen_at DESC, device_id OFFSET ${max})`;
  }

  /** The session of a device that is signed in, which stays the device's until `tx` ends; null for no such device. */
  async lockSessionOf(
    tx: PrismaTransaction,
    userId: string,
    deviceId: string,
    now: Date,
  ): Promise<string | null> {
    const [row] = await tx.$queryRaw<{ session_id: string }[]>`
      SELECT d.session_id FROM device d
      JOIN session s ON s.id = d.session_id AND s.revoked_at IS NULL AND s.expires_at > ${now}
      WHERE d.user_id = ${userId}::uuid AND d.device_id = ${deviceId}
      FOR UPDATE OF d`;
    return row?.session_id ?? null;
  }

  /** Whoever registers this endpoint or token at the same time waits until `tx` ends. */
  async lockTarget(tx: PrismaTransaction, { provider, target }: PushRegistration): Promise<void> {
    const key = `push ${provider} ${target}`;
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`;
  }

  /** Takes an endpoint or token from every device that has it, and returns whose they were. */
  async releaseTarget(tx: PrismaTransaction, { provider, target }: PushRegistration): Promise<string[]> {
    const rows = await tx.$queryRaw<{ user_id: string }[]>`
      UPDATE device
      SET push_provider = NULL, push_target = NULL, push_p256dh = NULL, push_auth = NULL, push_registered_at = NULL
      WHERE push_provider = ${provider}::push_provider AND push_target = ${target}
      RETURNING user_id`;
    return rows.map((row) => row.user_id);
  }

  async setPush(
    tx: PrismaTransaction,
    userId: string,
    deviceId: string,
    { provider, target, keys }: PushRegistration,
    at: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE device
      SET push_provider = ${provider}::push_provider, push_target = ${target}, push_p256dh = ${keys?.p256dh ?? null},
        push_auth = ${keys?.auth ?? null}, push_registered_at = ${at}
      WHERE user_id = ${userId}::uuid AND device_id = ${deviceId}`;
  }

  /** Whether there was a registration, not younger than `registeredAt`. */
  async removePush(userId: string, deviceId: string, registeredAt: Date): Promise<boolean> {
    const rows = await this.database.query(
      {
        name: 'remove_push',
        text: `
          UPDATE device
          SET push_provider = NULL, push_target = NULL, push_p256dh = NULL, push_auth = NULL,
            push_registered_at = NULL
          WHERE user_id = $1 AND device_id = $2 AND push_registered_at <= $3
          RETURNING 1`,
      },
      [userId, deviceId, registeredAt],
    );
    return rows.length > 0;
  }

  async listPushTargets(userIds: readonly string[], now: Date): Promise<PushTargetRow[]> {
    return this.database.query<PushTargetRow>(
      {
        name: 'list_push_targets',
        text: `SELECT d.user_id, d.device_id, d.push_provider, d.push_target, d.push_p256dh, d.push_auth,
            d.push_registered_at ${LIVE}
          WHERE d.user_id = ANY ($1) AND d.push_provider IS NOT NULL`,
      },
      [userIds, now],
    );
  }

  async writeSightings(sightings: readonly Sighting[]): Promise<void> {
    await this.database.query(
      {
        name: 'write_device_sightings',
        text: `
          UPDATE device d SET last_seen_at = greatest(d.last_seen_at, seen.at)
          FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS seen (user_id, device_id, at)
          WHERE d.user_id = seen.user_id AND d.device_id = seen.device_id`,
      },
      [
        sightings.map(({ userId }) => userId),
        sightings.map(({ deviceId }) => deviceId),
        sightings.map(({ at }) => at),
      ],
    );
  }
}
