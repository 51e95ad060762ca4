import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { PrismaService } from '../infra/database/prisma.service.js';
import type { Principal } from '../infra/http/request-context.js';
import { AccountRemoval } from '../users/account-removal.js';
import { UsersService } from '../users/users.service.js';
import type { ChangePasswordRequest, LoginRequest, RegisterRequest, SignedInBody } from './auth.dto.js';
import { LoginLimits } from './login-limits.js';
import { PasswordsService } from './passwords.service.js';
import { SessionsService } from './sessions.service.js';
import { TokensService } from './tokens.service.js';

/** What an account's owner proves with their password, and what it opens. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly passwords: PasswordsService,
    private readonly limits: LoginLimits,
    private readonly removal: AccountRemoval,
    private readonly prisma: PrismaService,
  ) {}

  /**
   * Makes an account and signs its owner in.
   *
   * @param picturePath a file with the profile picture
   * @throws AppError EMAIL_TAKEN, UNSUPPORTED_MEDIA_TYPE, UNPROCESSABLE
   */
  async register(
    request: RegisterRequest,
    picturePath: string | undefined,
    ip: string | undefined,
  ): Promise<SignedInBody> {
    const { password, ...account } = request;
    const passwordHash = await this.passwords.hash(password);
    const { profile, result } = await this.users.create(
      { ...account, passwordHash },
      picturePath,
      (tx, userId) => this.sessions.open(tx, userId, { ip }),
    );
    return { user: this.users.toBody(profile), ...this.tokens.issue(result.source) };
  }

  /** @throws AppError INVALID_CREDENTIALS, RATE_LIMITED */
  async login(request: LoginRequest, ip: string | undefined): Promise<SignedInBody> {
    const { email, password, deviceId, deviceName } = request;
    const account = await this.users.findCredentials(email);
    const isRight = await this.limits.guard(email, ip, () =>
      this.passwords.matches(password, account?.passwordHash ?? null),
    );
    if (!isRight || !account) throw new AppError('INVALID_CREDENTIALS');
    const { source, replaced } = await this.prisma.inTransaction(async (tx) => {
      // A password that was changed while we compared the old one opens nothing.
      if (!(await this.users.holdPassword(tx, account))) throw new AppError('INVALID_CREDENTIALS');
      return this.sessions.open(tx, account.userId, { deviceId, deviceName, ip });
    });
    this.sessions.forget(replaced);
    const profile = await this.users.getProfile(account.userId);
    return { user: this.users.toBody(profile), ...this.tokens.issue(source) };
  }

  /**
   * Changes the password and ends every other session.
   *
   * @throws AppError INVALID_CREDENTIALS, RATE_LIMITED
   */
  async changePassword(
    caller: Principal,
    request: ChangePasswordRequest,
    ip: string | undefined,
  ): Promise<void> {
    const old = {
      userId: caller.userId,
      passwordHash: await this.assertPassword(caller.userId, request.currentPassword, ip),
    };
    const newHash = await this.passwords.hash(request.newPassword);
    const ended = await this.prisma.inTransaction(async (tx) => {
      if (!(await this.users.replacePassword(tx, old, newHash))) throw new AppError('INVALID_CREDENTIALS');
      return this.sessions.endOthers(tx, caller);
    });
    this.sessions.forget(ended);
  }

  /** @throws AppError INVALID_CREDENTIALS, RATE_LIMITED */
  async delete(caller: Principal, password: string, ip: string | undefined): Promise<void> {
    await this.assertPassword(caller.userId, password, ip);
    await this.removal.remove(caller.userId);
  }

  /** Wrong passwords count as failed sign-ins do, or a stolen access token could be used to guess. */
  private async assertPassword(userId: string, password: string, ip: string | undefined): Promise<string> {
    const [{ email }, hash] = await Promise.all([
      this.users.getProfile(userId),
      this.users.getPasswordHash(userId),
    ]);
    const isRight = await this.limits.guard(email, ip, () => this.passwords.matches(password, hash));
    if (!isRight) throw new AppError('INVALID_CREDENTIALS');
    return hash;
  }
}
