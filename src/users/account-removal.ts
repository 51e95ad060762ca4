import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { Cache, staleOnCommit } from '../infra/cache/cache.js';
import { PrismaService, type PrismaTransaction } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { UserDeleted } from './users.events.js';
import { UsersRepository } from './users.repository.js';

export type AfterCommit = () => Promise<void> | void;
/** Removes or releases what a module holds of an account; may return what is left to do after the commit. */
export type RemovalHook = (
  tx: PrismaTransaction,
  userId: string,
) => Promise<AfterCommit | undefined> | Promise<void>;

/**
 * Ends an account in one transaction: every module that holds something of it registers what must go with it.
 * Hooks run in the order of registration, after the account's row is locked and before it is deleted.
 */
@Injectable()
export class AccountRemoval {
  private readonly hooks: RemovalHook[] = [];
  private readonly preparations: ((userId: string) => Promise<void>)[] = [];

  constructor(
    private readonly prisma: PrismaService,
    private readonly users: UsersRepository,
    private readonly cache: Cache,
    private readonly events: EventBus,
  ) {}

  onDelete(hook: RemovalHook): void {
    this.hooks.push(hook);
  }

  /**
   * Runs before the transaction, for what may be so much that it must not hold the locks of the rest. It may be
   * repeated, and whatever comes in after it is left to the module's `onDelete`.
   */
  beforeDelete(preparation: (userId: string) => Promise<void>): void {
    this.preparations.push(preparation);
  }

  /** @throws AppError SESSION_REVOKED when it is gone already, as its sessions are */
  async remove(userId: string): Promise<void> {
    for (const prepare of this.preparations) await prepare(userId);
    const { gone, afterCommit } = await this.prisma.inTransaction(async (tx) => {
      const version = await this.users.lockForRemoval(tx, userId);
      if (version === null) throw new AppError('SESSION_REVOKED');
      const after: AfterCommit[] = [];
      for (const hook of this.hooks) {
        const rest = await hook(tx, userId);
        if (rest) after.push(rest);
      }
      await this.users.delete(tx, userId);
      await staleOnCommit(tx, 'profiles', userId, version + 1);
      return { gone: version + 1, afterCommit: after };
    });
    await this.cache.forget('profiles', userId, gone);
    for (const rest of afterCommit) await rest();
    this.events.publish(new UserDeleted(userId));
  }
}
