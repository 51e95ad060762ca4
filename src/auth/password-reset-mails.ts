import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { CONFIG, type Config } from '../infra/config/config.js';
import { Mailer, MailRefused } from '../infra/mail/mailer.js';
import { Log } from '../infra/observability/log.js';
import { emailKeyOf } from '../users/profile.js';
import { UsersService } from '../users/users.service.js';
import { ResetLimits } from './reset-limits.js';
import { PasswordResetsRepository, type ResetRequest } from './password-resets.repository.js';

/** How long a token can be used, and how long a mail is tried to be sent, in milliseconds. */
const TOKEN_TTL_MS = 3_600_000;
const SWEEP_MS = 30_000;
/** When a mail that did not leave is tried again first, in milliseconds. */
const RETRY_MS = 60_000;
const AT_ONCE = 5;
/** How long a stop waits for mails under way; what is cut off is sent again later. Milliseconds. */
const STOP_PATIENCE_MS = 3_000;

/**
 * Sends the mails that requests wait for. A request is a row: whatever happens on the way, a sweep finds it again.
 * A token is made when its mail is sent, so that it is stored nowhere but hashed; a mail that is sent again has a new
 * one, and the newest alone works.
 */
@Injectable()
export class PasswordResetMails implements OnModuleInit, BeforeApplicationShutdown {
  private sending: Promise<void> | undefined;
  private again = false;
  private stopSweep: (() => void) | undefined;
  private stopped = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly resets: PasswordResetsRepository,
    private readonly users: UsersService,
    private readonly limits: ResetLimits,
    private readonly mailer: Mailer,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.stopSweep = this.clock.every(SWEEP_MS, () => {
      this.wake();
    });
    this.wake();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    this.stopSweep?.();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_PATIENCE_MS);
    });
    await Promise.race([this.sending, patience]);
    clearTimeout(timer);
  }

  /**
   * Has a mail sent, if there is such an account; one duration either way. Without SMTP_URL nothing is sent.
   *
   * @throws AppError RATE_LIMITED
   */
  async request(email: string, ip: string | undefined): Promise<void> {
    const isAdmitted = await this.limits.admit(email, ip);
    if (!this.mailer.isConfigured) {
      this.log.warn('a new password was asked for, but without SMTP_URL no mail can be sent');
    } else if (isAdmitted) {
      await this.resets.insertRequest(emailKeyOf(email), this.clock.now());
      this.wake();
    }
  }

  /** Looks for requests that are due; returns at once. */
  wake(): void {
    if (this.stopped) return;
    this.again = true;
    this.sending ??= this.work().finally(() => {
      this.sending = undefined;
    });
  }

  private async work(): Promise<void> {
    try {
      while (this.again) {
        this.again = false;
        await this.resets.deleteExpired(this.clock.now());
        if (this.mailer.isConfigured) await this.sendDue();
      }
    } catch (error) {
      this.log.warn({ err: error }, 'mails for new passwords could not be looked for');
    }
  }

  private async sendDue(): Promise<void> {
    for (;;) {
      const due = await this.resets.claimDue(this.clock.now(), RETRY_MS, AT_ONCE);
      if (due.length === 0) return;
      await Promise.all(due.map((request) => this.attempt(request)));
    }
  }

  private async attempt(request: ResetRequest): Promise<void> {
    try {
      if (this.clock.nowMs() - request.requestedAt.getTime() > TOKEN_TTL_MS)
        throw new MailRefused('it could not be sent for an hour');
      await this.send(request);
      await this.resets.deleteRequest(request);
    } catch (error) {
      const givenUp = error instanceof MailRefused;
      this.log.warn({ err: error, givenUp }, 'a mail for a new password was not sent');
      if (givenUp) await this.resets.deleteRequest(request);
    }
  }

  private async send({ emailKey }: ResetRequest): Promise<void> {
    const account = await this.users.findCredentials(emailKey);
    if (!account) return;
    const { userId, passwordHash } = account;
    const { email } = await this.users.getProfile(userId);
    const token = randomBytes(32).toString('base64url');
    const expiresAt = new Date(this.clock.nowMs() + TOKEN_TTL_MS);
    await this.resets.putToken({ userId, tokenHash: hashToken(token), emailKey, passwordHash, expiresAt });
    await this.mailer.send({ to: email, subject: 'A new password', text: this.textFor(token) });
  }

  /** Without the account's name: whoever made the account has chosen it, and it would be our mail that says it. */
  private textFor(token: string): string {
    const { publicUrl } = this.config.mail;
    const way =
      publicUrl === undefined
        ? `Enter this code where you asked for it:\n\n${token}`
        : `Choose one here:\n\n${publicUrl}/reset-password?token=${token}`;
    return `Hello,

somebody, probably you, asked for a new password for your account.
${way}

It works once and for one hour. If it was not you, there is nothing to do: your password stays as it is.
`;
  }
}

/** Tokens are random, so a plain hash protects them. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
