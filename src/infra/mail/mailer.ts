import { Inject, Injectable } from '@nestjs/common';
import { createTransport, type Transporter } from 'nodemailer';
import { CONFIG, type Config } from '../config/config.js';

export interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** A server that does not answer is given up after this long, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 20_000;

/** The mail server will not take this mail, however often it is tried. */
export class MailRefused extends Error {}

/** Sends mail through `SMTP_URL`. */
@Injectable()
export class Mailer {
  private readonly transport: Transporter | null;
  private readonly from: string;

  constructor(@Inject(CONFIG) config: Config) {
    const { smtpUrl, from } = config.mail;
    this.from = from;
    this.transport =
      smtpUrl === undefined
        ? null
        : createTransport({
            url: smtpUrl,
            connectionTimeout: CONNECT_TIMEOUT_MS,
            greetingTimeout: CONNECT_TIMEOUT_MS,
            socketTimeout: SOCKET_TIMEOUT_MS,
          });
  }

  get isConfigured(): boolean {
    return this.transport !== null;
  }

  /**
   * Resolves once the mail server has taken the mail.
   *
   * @throws MailRefused when it never will; any other error may pass
   */
  async send(mail: Mail): Promise<void> {
    if (!this.transport) throw new Error('SMTP_URL is not set');
    try {
      await this.transport.sendMail({ from: this.from, ...mail });
    } catch (error) {
      // A recipient or a content that is refused for good (RFC 5321 §4.2.1); not a sign-in that fails for all mails.
      const { code, responseCode } = error as { code?: string; responseCode?: number };
      const isRefused = code === 'EENVELOPE' || code === 'EMESSAGE';
      if (isRefused && (responseCode ?? 0) >= 500)
        throw new MailRefused('the mail was refused', { cause: error });
      throw error;
    }
  }
}
