import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { isId, newId } from '../common/ids.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { IDS_PER_SIGNAL, PgSignalListener, signalOnCommit } from '../infra/events/pg-signals.js';
import type { Principal } from '../infra/http/request-context.js';
import { Log } from '../infra/observability/log.js';
import type { SessionBody } from './auth.dto.js';
import { SessionMemory } from './session-memory.js';
import { SessionsRepository, type NewSession, type SessionState } from './sessions.repository.js';
import { TokensService, type TokenPair, type TokenSource } from './tokens.service.js';

/** Why sessions ended; sockets are told. */
export type SessionEnd =
  'logout' | 'revoked' | 'password-changed' | 'refresh-reused' | 'replaced' | 'expired' | 'account-deleted';

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

export interface OpenedSession {
  source: TokenSource;
  /** Earlier sessions of the same device, to be forgotten after the commit. */
  replaced: string[];
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
    let replaced: string[] = [];
    if (deviceId !== null) {
      await this.sessions.upsertDevice(tx, { ...session, deviceId });
      replaced = await this.revoke(tx, userId, { deviceId }, 'replaced');
    }
    return { source: await this.sessions.insert(tx, session), replaced };
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

  /** Ends all sessions but the caller's in `tx`. Returns their ids, to be forgotten after the commit. */
  async endOthers(tx: PrismaTransaction, { userId, sessionId }: Principal): Promise<string[]> {
    return this.revoke(tx, userId, { id: { not: sessionId } }, 'password-changed');
  }

  /** Ends all sessions in `tx`. Returns their ids, to be forgotten after the commit. */
  async endAll(tx: PrismaTransaction, userId: string): Promise<string[]> {
    return this.revoke(tx, userId, {}, 'account-deleted');
  }

  /** After the commit that ended them: this instance refuses these sessions before it hears the signal. */
  forget(sessionIds: readonly string[]): void {
    if (sessionIds.length > 0) this.memory.forget(sessionIds);
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

  private async end(userId: string, which: { id: string }, reason: SessionEnd): Promise<string[]> {
    const ended = await this.prisma.inTransaction((tx) => this.revoke(tx, userId, which, reason));
    this.forget(ended);
    return ended;
  }

  private async revoke(
    tx: PrismaTransaction,
    userId: string,
    which: Parameters<SessionsRepository['revoke']>[2],
    reason: SessionEnd,
  ): Promise<string[]> {
    const ended = await this.sessions.revoke(tx, userId, which, this.clock.now());
    for (let start = 0; start < ended.length; start += IDS_PER_SIGNAL) {
      const sessionIds = ended.slice(start, start + IDS_PER_SIGNAL);
      await signalOnCommit(tx, 'sessions-revoked', { sessionIds, reason });
    }
    return ended;
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
