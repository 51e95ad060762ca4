import { Inject, Injectable } from '@nestjs/common';
import { parseCookie } from 'cookie';
import type { CookieOptions, Request, Response } from 'express';
import { AppError } from '../common/errors.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { isAllowedOrigin } from '../infra/http/origins.js';

const NAME = 'refresh_token';

/** The refresh token for browsers, which scripts of a page cannot read. */
@Injectable()
export class RefreshCookie {
  private readonly options: CookieOptions;

  constructor(@Inject(CONFIG) private readonly config: Config) {
    this.options = {
      httpOnly: true,
      path: '/api/auth',
      sameSite: config.cookieSameSite,
      secure: config.cookieSecure,
    };
  }

  set(response: Response, refreshToken: string): void {
    response.cookie(NAME, refreshToken, { ...this.options, maxAge: this.config.refreshTokenTtlMs });
  }

  clear(response: Response): void {
    response.clearCookie(NAME, this.options);
  }

  /**
   * The token in the request's cookie, or undefined. Browsers add cookies to requests of any page, so it counts only
   * with the origin of a page that may ask.
   *
   * @throws AppError ORIGIN_NOT_ALLOWED
   */
  read(request: Request): string | undefined {
    const token = parseCookie(request.headers.cookie ?? '')[NAME];
    if (token === undefined) return undefined;
    const { origin } = request.headers;
    if (origin === undefined || !isAllowedOrigin(this.config.corsOrigins, origin))
      throw new AppError('ORIGIN_NOT_ALLOWED');
    return token;
  }
}
