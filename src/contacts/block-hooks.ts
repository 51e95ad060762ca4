import { Injectable } from '@nestjs/common';
import type { Pair } from '../common/pairs.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';

/** Runs inside the transaction that changes what two people may do to each other, before the change is written. */
export type BlockHook = (tx: PrismaTransaction, pair: Pair) => Promise<void>;

/**
 * Lets higher modules take part in a block, an unblock and the end of a contact: chats locks the pair's chat there,
 * so that no send slips past the change, and tells the instances that remember who may write.
 */
@Injectable()
export class BlockHooks {
  private readonly hooks: BlockHook[] = [];

  register(hook: BlockHook): void {
    this.hooks.push(hook);
  }

  async run(tx: PrismaTransaction, pair: Pair): Promise<void> {
    for (const hook of this.hooks) await hook(tx, pair);
  }
}
