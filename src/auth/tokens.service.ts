import { Inject, Injectable } from '@nestjs/common';
import { JwtService, TokenExpiredError } from '@nestjs/jwt';
import { BoundedMap } from '../common/bounded-map.js';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { Secrets } from '../infra/config/secrets.js';

/** What an access token says. */
export interface AccessClaims {
  userId: string;
  sessionId: string;
}

export interface RefreshClaims {
  sessionId: string;
  generation: number;
}

/** The state of a session from which both of its present tokens follow, byte for byte. */
export interface TokenSource extends RefreshClaims {
  userId: string;
  /** When the present tokens were issued. */
  rotatedAt: Date;
}

export interface TokenPair {
  token: string;
  refreshToken: string;
  /** The life of `token` from its issue, in seconds. */
  expiresIn: number;
}

interface JwtPayload {
  sub: string;
  sid: string;
  iat: number;
  exp: number;
}

const MAX_REMEMBERED_TOKENS = 10_000;
const REFRESH_TOKEN = /^([0-9a-f-]{36})\.([1-9]\d{0,8})\.([\w-]{43})$/;

/** Makes tokens and tells true ones from false ones; whether their session still lives is not asked here. */
@Injectable()
export class TokensService {
  private readonly accessTtlSeconds: number;
  /** A signature that was right stays right: tokens in use are not computed again for every request. */
  private readonly verified = new BoundedMap<string, AccessClaims & { exp: number }>(MAX_REMEMBERED_TOKENS);

  constructor(
    private readonly jwt: JwtService,
    private readonly secrets: Secrets,
    private readonly clock: Clock,
    @Inject(CONFIG) config: Config,
  ) {
    this.accessTtlSeconds = Math.floor(config.accessTokenTtlMs / 1000);
  }

  issue({ userId, sessionId, generation, rotatedAt }: TokenSource): TokenPair {
    const iat = Math.floor(rotatedAt.getTime() / 1000);
    const payload: JwtPayload = { sub: userId, sid: sessionId, iat, exp: iat + this.accessTtlSeconds };
    const body = `${sessionId}.${generation}`;
    return {
      token: this.jwt.sign(payload),
      refreshToken: `${body}.${this.secrets.sign('refresh-token', body)}`,
      expiresIn: this.accessTtlSeconds,
    };
  }

  /** @throws AppError TOKEN_INVALID, TOKEN_EXPIRED */
  readAccess(token: string): AccessClaims {
    const nowSeconds = Math.floor(this.clock.nowMs() / 1000);
    const known = this.verified.get(token);
    if (known && nowSeconds < known.exp) return known;
    try {
      const { sub, sid, exp } = this.jwt.verify<JwtPayload>(token, { clockTimestamp: nowSeconds });
      const claims = { userId: sub, sessionId: sid, exp };
      this.verified.set(token, claims);
      return claims;
    } catch (cause) {
      throw new AppError(cause instanceof TokenExpiredError ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID', { cause });
    }
  }

  /** @throws AppError REFRESH_INVALID when this server did not make it */
  readRefresh(token: string): RefreshClaims {
    const [, sessionId, generation, mac] = REFRESH_TOKEN.exec(token) ?? [];
    if (sessionId === undefined || generation === undefined || mac === undefined)
      throw new AppError('REFRESH_INVALID');
    if (!this.secrets.isSignature('refresh-token', `${sessionId}.${generation}`, mac))
      throw new AppError('REFRESH_INVALID');
    return { sessionId, generation: Number(generation) };
  }
}
