import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AccountRemoval } from '../users/account-removal.js';
import { AccountForgettingRepository } from './account-forgetting.repository.js';

/** What goes from the messages with an account. Each of the changed ones is a new revision, which sync hands out. */
@Injectable()
export class AccountForgetting implements OnModuleInit {
  constructor(
    private readonly repository: AccountForgettingRepository,
    private readonly accountRemoval: AccountRemoval,
  ) {}

  onModuleInit(): void {
    this.accountRemoval.beforeDelete(async (userId) => {
      await this.repository.forgetSenderInSteps(userId);
      await this.repository.removeReactionsInSteps(userId);
    });
    this.accountRemoval.onDelete((tx, userId) => this.repository.forgetRest(tx, userId));
  }
}
