import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { Log } from '../../infra/observability/log.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { SendService } from '../outbound/send.service.js';
import { TenantsService, type Tenant } from '../tenants/tenants.service.js';
import { pass } from './bot-points.js';
import { BotRepository, type AnswerRow } from './bot.repository.js';

const PAGE = 200;

/**
 * Hands the bot's answers over for sending. An answer is a row from the moment it was decided upon until it was accepted
 * under its idempotency key, or can never be: so a crash between loses none, and the key lets none through twice.
 */
@Injectable()
export class BotAnswers {
  constructor(
    private readonly repository: BotRepository,
    private readonly tenants: TenantsService,
    private readonly conversations: ConversationsService,
    private readonly sending: SendService,
    private readonly log: Log,
  ) {}

  /** What cannot be handed over at present stays for the next sweep. */
  async handOver(answers: readonly AnswerRow[]): Promise<void> {
    if (answers.length === 0) return;
    const tenants = new Map<string, Promise<Tenant>>();
    const tenantOf = (id: string): Promise<Tenant> => {
      const found = tenants.get(id) ?? this.tenants.get(id);
      tenants.set(id, found);
      return found;
    };
    const settled = await Promise.all(answers.map((answer) => this.tryOne(answer, tenantOf)));
    const done = answers.filter((_answer, index) => settled[index] === true);
    if (done.length > 0) await this.repository.deleteAnswers(done);
  }

  /** Hands over all that are kept. */
  async sweep(): Promise<void> {
    let page: AnswerRow[] = [];
    do {
      const last = page.at(-1);
      page = await this.repository.listAnswers(last ? { chatId: last.chat_id, seq: last.seq } : null, PAGE);
      await this.handOver(page);
    } while (page.length === PAGE);
  }

  /** @returns whether nothing is left to be done */
  private async tryOne(answer: AnswerRow, tenantOf: (id: string) => Promise<Tenant>): Promise<boolean> {
    try {
      await this.send(answer, await tenantOf(answer.tenant_id));
      pass('accepted');
      return true;
    } catch (error) {
      const { chat_id: chatId, seq } = answer;
      if (error instanceof AppError && error.status < 500 && error.code !== 'RATE_LIMITED') {
        this.log.warn({ chatId, seq, code: error.code }, 'an answer of the bot was refused');
        return true;
      }
      this.log.error({ err: error, chatId, seq }, 'an answer of the bot has to wait');
      return false;
    }
  }

  private async send({ chat_id, idempotency_key, message }: AnswerRow, tenant: Tenant): Promise<void> {
    const conversation = await this.conversations.byChat(chat_id);
    const goesOn = conversation?.mergedIntoId ?? null;
    const to = goesOn === null ? conversation : await this.conversations.byChat(goesOn);
    if (!to) throw new AppError('CHAT_NOT_FOUND');
    await this.sending.accept(tenant, to, message, {
      senderId: null,
      idempotencyKey: idempotency_key,
      marks: 'FOLLOW',
    });
  }
}
