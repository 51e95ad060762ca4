import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { isId, newId } from '../common/ids.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { IDS_PER_SIGNAL, PgSignalListener, signalOnCommit } from '../infra/events/pg-signals.js';
import type { Principal } from '../infra/http/request-context.js';
import { Log } from '../infra/observability/log.js';
import type { SessionBody } from './auth.dto.js';
import { SignInsChanged } from './auth.events.js';
import { SessionMemory } from './session-memory.js';
import { SessionsRepository, type NewSession, type SessionState } from './sessions.repository.js';
import { TokensService, type TokenPair, type TokenSource } from './tokens.service.js';

/** Why sessions ended; sockets are told. */
export type SessionEnd =
  | 'logout'
  | 'revoked'
  | 'device-removed'
  | 'password-changed'
  | 'refresh-reused'
  | 'replaced'
  | 'expired'
  | 'account-deleted';

export interface EndedSession {
  sessionId: string;
  reason: SessionEnd;
}

/** Where somebody signs in from. */
export interface SignInPlace {
  deviceId?: string | null | undefined;
  deviceName?: string | null | undefined;
  ip: string | undefined;
}

/** Sessions that were ended in a transaction; to be given to `forget` after its commit. */
export interface EndedSessions {
  userId: string;
  sessionIds: readonly string[];
  /** Whether the account's devices are others than before. */
  devicesChanged: boolean;
}

export interface OpenedSession {
  source: TokenSource;
  /** Earlier sessions of the same device. */
  replaced: EndedSessions;
}

const REMEMBERED_SESSIONS = 20_000;
/** How long a used refresh token is answered with the same pair again, in milliseconds (contract §3). */
const REFRESH_OVERLAP_MS = 10_000;
const CLEAN_UP_EVERY_MS = 3_600_000;
const KEEP_ENDED_MS = 7 * 24 * 3_600_000;

/**
 * Who is signed in. A session that is revoked is refused everywhere at once: it is authorised from PostgreSQL, or from
 * memory that hears of the revocation by a signal sent in the revoking transaction, and that holds nothing while
 * signals cannot be heard.
 */
@Injectable()
export class SessionsService implements OnModuleInit, OnApplicationShutdown {
  private readonly memory = new SessionMemory(REMEMBERED_SESSIONS);
  private stopCleanUp: (() => void) | undefined;

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly tokens: TokensService,
    private readonly prisma: PrismaService,
    private readonly signals: PgSignalListener,
    private readonly events: EventBus,
    private readonly clock: Clock,
    private readonly log: Log,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    signals.on('sessions-revoked', ({ sessionIds }) => {
      this.memory.forget(sessionIds);
    });
    signals.onDrop(() => {
      this.memory.forgetAll();
    });
  }

  onModuleInit(): void {
    this.stopCleanUp = this.clock.every(CLEAN_UP_EVERY_MS, () => {
      const limit = new Date(this.clock.nowMs() - KEEP_ENDED_MS);
      this.sessions.deleteEndedBefore(limit).catch((error: unknown) => {
        this.log.warn({ err: error }, 'ended sessions could not be removed');
      });
    });
  }

  onApplicationShutdown(): void {
    this.stopCleanUp?.();
  }

  /**
   * Who holds this access token. Every request and every socket handshake asks here.
   *
   * @throws AppError UNAUTHENTICATED for an empty token, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED
   */
  async authenticate(token: string): Promise<Principal> {
    if (token === '') throw new AppError('UNAUTHENTICATED');
    const { sessionId } = this.tokens.readAccess(token);
    if (!this.signals.connected) return this.findLive(sessionId);
    const known = this.memory.get(sessionId);
    if (known) return known;
    const lookUp = this.memory.startLookUp();
    const principal = await this.findLive(sessionId);
    this.memory.keep(principal, lookUp);
    return principal;
  }

  /** Those of `sessionIds` that have ended, asked of the database: expiry sends no signal, and signals may be missed. */
  async findEnded(sessionIds: readonly string[]): Promise<EndedSession[]> {
    if (sessionIds.length === 0) return [];
    const expiryOf = await this.sessions.listUnrevoked(sessionIds);
    const now = this.clock.now();
    return sessionIds.flatMap((sessionId): EndedSession[] => {
      const expiresAt = expiryOf.get(sessionId);
      if (expiresAt === undefined) return [{ sessionId, reason: 'revoked' }];
      return expiresAt <= now ? [{ sessionId, reason: 'expired' }] : [];
    });
  }

  /** Opens a session in `tx`; signing in again on a device ends its earlier session. */
  async open(tx: PrismaTransaction, userId: string, place: SignInPlace): Promise<OpenedSession> {
    const now = this.clock.now();
    const session: NewSession = {
      id: newId(),
      userId,
      deviceId: place.deviceId ?? null,
      deviceName: place.deviceName ?? null,
      ip: place.ip ?? null,
      createdAt: now,
      expiresAt: this.expiryFrom(now),
    };
    const { deviceId } = session;
    let replaced: EndedSessions = { userId, sessionIds: [], devicesChanged: false };
    if (deviceId !== null) {
      await this.sessions.upsertDevice(tx, { ...session, deviceId });
      replaced = { ...(await this.revoke(tx, userId, { deviceId }, 'replaced')), devicesChanged: true };
    }
    return { source: await this.sessions.insert(tx, session), replaced };
  }

  /**
   * Notes in `tx` that a device is used in the caller's session, which lives until `tx` ends.
   *
   * @throws AppError SESSION_REVOKED
   */
  async noteDevice(
    tx: PrismaTransaction,
    caller: Principal,
    device: { deviceId: string; name: string | null },
  ): Promise<void> {
    const isLive = await this.sessions.noteDevice(tx, caller, device, this.clock.now());
    if (!isLive) throw new AppError('SESSION_REVOKED');
  }

  /**
   * Trades a refresh token for a new pair. The token before the present one gets the present pair again for ten
   * seconds, as two tabs may send the same one; after that someone else holds a copy, and the session ends.
   *
   * @throws AppError REFRESH_INVALID, REFRESH_EXPIRED, REFRESH_REUSED, SESSION_REVOKED
   */
  async refresh(refreshToken: string): Promise<TokenPair> {
    const claims = this.tokens.readRefresh(refreshToken);
    const now = this.clock.now();
    const rotated = await this.sessions.rotate(claims, now, this.expiryFrom(now));
    if (rotated) return this.tokens.issue(rotated);

    const state = await this.sessions.findState(claims.sessionId);
    if (!state || claims.generation > state.generation) throw new AppError('REFRESH_INVALID');
    if (state.revokedAt) throw new AppError('SESSION_REVOKED');
    if (state.expiresAt <= now) throw new AppError('REFRESH_EXPIRED');
    const successor = successorOf(claims.generation, state);
    if (successor && now.getTime() - successor.rotatedAt.getTime() <= REFRESH_OVERLAP_MS) {
      return this.tokens.issue(successor);
    }
    await this.end(state.userId, { id: state.sessionId }, 'refresh-reused');
    throw new AppError('REFRESH_REUSED');
  }

  async signOut({ userId, sessionId }: Principal): Promise<void> {
    await this.end(userId, { id: sessionId }, 'logout');
  }

  /** @throws AppError SESSION_NOT_FOUND for a session that is not this person's, or not signed in */
  async signOutElsewhere(userId: string, sessionId: string): Promise<void> {
    const ended = isId(sessionId) ? await this.end(userId, { id: sessionId }, 'revoked') : [];
    if (ended.length === 0) throw new AppError('SESSION_NOT_FOUND');
  }

  /** Ends the session of a removed device in `tx`; every device that shares it goes too. */
  async endWithDevice(tx: PrismaTransaction, userId: string, sessionId: string): Promise<EndedSessions> {
    return this.revoke(tx, userId, { id: sessionId }, 'device-removed');
  }

  /** Ends all sessions but the caller's in `tx`. */
  async endOthers(tx: PrismaTransaction, { userId, sessionId }: Principal): Promise<EndedSessions> {
    return this.revoke(tx, userId, { id: { not: sessionId } }, 'password-changed');
  }

  /** Ends all sessions in `tx`. */
  async endAll(
    tx: PrismaTransaction,
    userId: string,
    reason: 'account-deleted' | 'password-changed',
  ): Promise<EndedSessions> {
    return this.revoke(tx, userId, {}, reason);
  }

  /**
   * After the commit that ended them: this instance refuses these sessions before it hears the signal. Publishes
   * SignInsChanged.
   */
  forget({ userId, sessionIds, devicesChanged }: EndedSessions): void {
    if (sessionIds.length > 0) this.memory.forget(sessionIds);
    if (devicesChanged) this.events.publish(new SignInsChanged(userId));
  }

  async list({ userId, sessionId }: Principal): Promise<SessionBody[]> {
    const sessions = await this.sessions.listLive(userId, this.clock.now());
    return sessions.map(({ id, deviceId, deviceName, ip, createdAt, lastUsedAt, expiresAt }) => ({
      id,
      deviceId,
      deviceName,
      ip,
      createdAt: createdAt.toISOString(),
      lastUsedAt: lastUsedAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
      current: id === sessionId,
    }));
  }

  private async findLive(sessionId: string): Promise<Principal> {
    const principal = await this.sessions.findLive(sessionId);
    if (!principal) throw new AppError('SESSION_REVOKED');
    return principal;
  }

  private async end(userId: string, which: { id: string }, reason: SessionEnd): Promise<readonly string[]> {
    const ended = await this.prisma.inTransaction((tx) => this.revoke(tx, userId, which, reason));
    this.forget(ended);
    return ended.sessionIds;
  }

  private async revoke(
    tx: PrismaTransaction,
    userId: string,
    which: Parameters<SessionsRepository['revoke']>[2],
    reason: SessionEnd,
  ): Promise<EndedSessions> {
    const { ids, hadDevices } = await this.sessions.revoke(tx, userId, which, this.clock.now());
    for (let start = 0; start < ids.length; start += IDS_PER_SIGNAL) {
      const sessionIds = ids.slice(start, start + IDS_PER_SIGNAL);
      await signalOnCommit(tx, 'sessions-revoked', { sessionIds, reason });
    }
    return { userId, sessionIds: ids, devicesChanged: hadDevices };
  }

  private expiryFrom(now: Date): Date {
    return new Date(now.getTime() + this.config.refreshTokenTtlMs);
  }
}

/** The pair that a used token was answered with, as far as it is remembered: it was issued when the token was used. */
function successorOf(generation: number, state: SessionState): TokenSource | null {
  const issued = [state.rotatedAt, ...state.earlierRotations];
  const rotatedAt = issued[state.generation - generation - 1];
  return rotatedAt ? { ...state, generation: generation + 1, rotatedAt } : null;
}
