import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { PrismaService } from '../infra/database/prisma.service.js';
import { UsersService } from '../users/users.service.js';
import type { ResetPasswordRequest } from './auth.dto.js';
import { hashToken } from './password-reset-mails.js';
import { PasswordResetsRepository } from './password-resets.repository.js';
import { PasswordsService } from './passwords.service.js';
import { ResetLimits } from './reset-limits.js';
import { SessionsService } from './sessions.service.js';

/** Trades a token that was mailed for a new password. */
@Injectable()
export class PasswordResetsService {
  constructor(
    private readonly resets: PasswordResetsRepository,
    private readonly limits: ResetLimits,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly passwords: PasswordsService,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
  ) {}

  /**
   * Sets the password and ends every session.
   *
   * @throws AppError RESET_TOKEN_INVALID for a token that is wrong, used, replaced by a newer one or an hour old, and
   *   once the password or the e-mail address has changed; RATE_LIMITED
   */
  async reset({ token, password }: ResetPasswordRequest, ip: string | undefined): Promise<void> {
    const found = await this.limits.guard(ip, () =>
      this.resets.findToken(hashToken(token), this.clock.now()),
    );
    if (!found) throw new AppError('RESET_TOKEN_INVALID');
    const newHash = await this.passwords.hash(password);
    const ended = await this.prisma.inTransaction(async (tx) => {
      // Of two that use one token, the second finds another password than the token was made for.
      if (!(await this.users.replacePassword(tx, found, newHash))) throw new AppError('RESET_TOKEN_INVALID');
      await this.resets.deleteToken(tx, found);
      return this.sessions.endAll(tx, found.userId, 'password-changed');
    });
    this.sessions.forget(ended);
  }
}
