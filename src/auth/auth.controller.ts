import { Body, Controller, HttpCode, Ip, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { AppError } from '../common/errors.js';
import { CurrentUser, Public } from '../infra/http/decorators.js';
import { success, type Success } from '../infra/http/envelope.js';
import { Multipart, ReceivedFile } from '../infra/http/multipart.js';
import { ApiFailures, ApiSuccess } from '../infra/http/openapi.js';
import { RateLimit } from '../infra/http/rate-limit.guard.js';
import type { Principal } from '../infra/http/request-context.js';
import { AccountsService } from './accounts.service.js';
import {
  ChangePasswordRequest,
  ForgotPasswordRequest,
  LoginRequest,
  RefreshRequest,
  RegisterRequest,
  ResetPasswordRequest,
  SignedInBody,
  TokensBody,
} from './auth.dto.js';
import { PasswordResetMails } from './password-reset-mails.js';
import { PasswordResetsService } from './password-resets.service.js';
import { RefreshCookie } from './refresh-cookie.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('Auth')
@Controller('api/auth')
export class AuthController {
  constructor(
    private readonly accounts: AccountsService,
    private readonly sessions: SessionsService,
    private readonly resetMails: PasswordResetMails,
    private readonly resets: PasswordResetsService,
    private readonly cookie: RefreshCookie,
  ) {}

  @Post('register')
  @Public()
  @RateLimit('register')
  @Multipart({ file: 'profilePic' })
  @ApiOperation({
    summary: 'Make an account and sign in',
    description: 'As JSON, or as a form with a picture.',
  })
  @ApiSuccess({ status: 201, description: 'The account and its first tokens.', type: SignedInBody })
  @ApiFailures('EMAIL_TAKEN', 'UNPROCESSABLE')
  async register(
    @Body() body: RegisterRequest,
    @ReceivedFile() picturePath: string | undefined,
    @Ip() ip: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<SignedInBody>> {
    const signedIn = await this.accounts.register(body, picturePath, ip);
    this.cookie.set(response, signedIn.refreshToken);
    return success('Welcome.', signedIn);
  }

  @Post('login')
  @Public()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Sign in',
    description:
      'An unknown address and a wrong password are answered alike. Ten failures for one account from one address, or thirty from one address, within 15 minutes close sign-in from there for the rest of them.',
  })
  @ApiSuccess({ description: 'The account and new tokens.', type: SignedInBody })
  @ApiFailures('INVALID_CREDENTIALS', 'RATE_LIMITED')
  async login(
    @Body() body: LoginRequest,
    @Ip() ip: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<SignedInBody>> {
    const signedIn = await this.accounts.login(body, ip);
    this.cookie.set(response, signedIn.refreshToken);
    return success('Signed in.', signedIn);
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Trade a refresh token for new tokens',
    description:
      'A refresh token works once. Within ten seconds of its use it is answered with the same pair again; later use ends its session. A token in the body wins over the cookie.',
  })
  @ApiSuccess({ description: 'New tokens.', type: TokensBody })
  @ApiFailures(
    'REFRESH_INVALID',
    'REFRESH_EXPIRED',
    'REFRESH_REUSED',
    'SESSION_REVOKED',
    'ORIGIN_NOT_ALLOWED',
  )
  async refresh(
    @Body() body: RefreshRequest,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<TokensBody>> {
    const refreshToken = body.refreshToken ?? this.cookie.read(request);
    if (refreshToken === undefined) throw new AppError('REFRESH_INVALID');
    const tokens = await this.sessions.refresh(refreshToken);
    this.cookie.set(response, tokens.refreshToken);
    return success('Refreshed.', tokens);
  }

  @Post('logout')
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Sign out',
    description: 'The access token is refused from now on, and its sockets are closed.',
  })
  @ApiSuccess({ description: 'The session has ended.' })
  async logout(
    @CurrentUser() me: Principal,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<null>> {
    await this.sessions.signOut(me);
    this.cookie.clear(response);
    return success('Signed out.', null);
  }

  @Post('change-password')
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Change the password', description: 'Ends every other session.' })
  @ApiSuccess({ description: 'The password is changed.' })
  @ApiFailures('INVALID_CREDENTIALS', 'RATE_LIMITED')
  async changePassword(
    @CurrentUser() me: Principal,
    @Body() body: ChangePasswordRequest,
    @Ip() ip: string | undefined,
  ): Promise<Success<null>> {
    await this.accounts.changePassword(me, body, ip);
    return success('Your password is changed, and every other session is signed out.', null);
  }

  @Post('forgot-password')
  @Public()
  @HttpCode(202)
  @ApiOperation({
    summary: 'Ask for a new password',
    description:
      'Sends a mail with a token to the address if it has an account, and is answered alike and as fast if not. The token works once, for an hour; a newer one ends it. An account gets at most three such mails an hour. A server without `SMTP_URL` sends none.',
  })
  @ApiSuccess({ status: 202, description: 'If there is such an account, a mail is on its way.' })
  @ApiFailures('RATE_LIMITED')
  async forgotPassword(
    @Body() { email }: ForgotPasswordRequest,
    @Ip() ip: string | undefined,
  ): Promise<Success<null>> {
    await this.resetMails.request(email, ip);
    return success('If there is an account with this address, a mail is on its way.', null);
  }

  @Post('reset-password')
  @Public()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Set a new password with a token from a mail',
    description:
      'Ends every session. The token is worth nothing once the password or the address has changed.',
  })
  @ApiSuccess({ description: 'The password is set.' })
  @ApiFailures('RESET_TOKEN_INVALID', 'RATE_LIMITED')
  async resetPassword(
    @Body() body: ResetPasswordRequest,
    @Ip() ip: string | undefined,
  ): Promise<Success<null>> {
    await this.resets.reset(body, ip);
    return success('Your password is set: sign in with it.', null);
  }
}
