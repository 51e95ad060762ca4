import { Module, type OnModuleInit } from '@nestjs/common';
import { JwtModule, type JwtModuleOptions } from '@nestjs/jwt';
import { Secrets } from '../infra/config/secrets.js';
import { AccountRemoval } from '../users/account-removal.js';
import { UsersModule } from '../users/users.module.js';
import { AccountController } from './account.controller.js';
import { AccountsService } from './accounts.service.js';
import { AuthController } from './auth.controller.js';
import { ExportController } from './export.controller.js';
import { LoginLimits } from './login-limits.js';
import { LoginLimitsRepository } from './login-limits.repository.js';
import { PasswordResetMails } from './password-reset-mails.js';
import { PasswordResetsRepository } from './password-resets.repository.js';
import { PasswordResetsService } from './password-resets.service.js';
import { PasswordsService } from './passwords.service.js';
import { RefreshCookie } from './refresh-cookie.js';
import { ResetLimits } from './reset-limits.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsRepository } from './sessions.repository.js';
import { SessionsService } from './sessions.service.js';
import { TokensService } from './tokens.service.js';

const ALGORITHM = 'HS256';

@Module({
  imports: [
    UsersModule,
    JwtModule.registerAsync({
      inject: [Secrets],
      useFactory: (secrets: Secrets): JwtModuleOptions => ({
        secret: secrets.key('access-token'),
        signOptions: { algorithm: ALGORITHM },
        verifyOptions: { algorithms: [ALGORITHM] },
      }),
    }),
  ],
  controllers: [AuthController, AccountController, SessionsController, ExportController],
  providers: [
    AccountsService,
    LoginLimits,
    LoginLimitsRepository,
    PasswordResetMails,
    PasswordResetsRepository,
    PasswordResetsService,
    PasswordsService,
    RefreshCookie,
    ResetLimits,
    SessionsRepository,
    SessionsService,
    TokensService,
  ],
  exports: [SessionsService],
})
export class AuthModule implements OnModuleInit {
  constructor(
    private readonly sessions: SessionsService,
    private readonly removal: AccountRemoval,
  ) {}

  onModuleInit(): void {
    this.removal.onDelete(async (tx, userId) => {
      const ended = await this.sessions.endAll(tx, userId, 'account-deleted');
      return () => this.sessions.forget(ended);
    });
  }
}
