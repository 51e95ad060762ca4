import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { AppError } from '../common/errors.js';
import { isId } from '../common/ids.js';
import { pairOf } from '../common/pairs.js';
import { PrismaService } from '../infra/database/prisma.service.js';
import { EventBus } from '../infra/events/event-bus.js';
import { Cursors } from '../infra/http/cursors.js';
import type { PageQuery } from '../infra/http/page.dto.js';
import { PublicUsers } from '../users/public-users.service.js';
import { BlockHooks } from './block-hooks.js';
import type { BlockedUserBody } from './contacts.dto.js';
import { UserBlocked, UserUnblocked } from './contacts.events.js';
import { ContactsRepository, type BlockRow } from './contacts.repository.js';
import { decodeTimeCursor, type PageOf } from './contacts.service.js';
import { cutPage } from './cut-page.js';

/**
 * Blocks stand beside contacts and leave them as they are, so that taking one back restores what was before.
 * A block and an unblock take the pair's lock, let the hooks take theirs, and only then write.
 */
@Injectable()
export class BlocksService {
  constructor(
    private readonly repository: ContactsRepository,
    private readonly prisma: PrismaService,
    private readonly publicUsers: PublicUsers,
    private readonly hooks: BlockHooks,
    private readonly events: EventBus,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
  ) {}

  /**
   * Blocks somebody; once more changes nothing.
   *
   * @throws AppError UNPROCESSABLE for oneself, USER_NOT_FOUND
   */
  async block(meId: string, otherId: string): Promise<BlockedUserBody> {
    if (otherId === meId) throw new AppError('UNPROCESSABLE', { message: 'You cannot block yourself.' });
    if (!isId(otherId)) throw new AppError('USER_NOT_FOUND');
    const pair = pairOf(meId, otherId);
    const { block, isNew } = await this.prisma.inTransaction(async (tx) => {
      if (!(await this.repository.lockPair(tx, pair, 'exclusive'))) throw new AppError('USER_NOT_FOUND');
      const existing = await this.repository.findBlock(tx, meId, otherId);
      if (existing) return { block: existing, isNew: false };
      await this.hooks.run(tx, pair);
      const block: BlockRow = { blockedId: otherId, createdAt: this.clock.now() };
      await this.repository.insertBlock(tx, meId, block);
      return { block, isNew: true };
    });
    if (isNew) this.events.publish(new UserBlocked(meId, otherId));
    const [view] = await this.view(meId, [block]);
    if (!view) throw new AppError('USER_NOT_FOUND');
    return view;
  }

  /** @throws AppError USER_NOT_FOUND if the caller has not blocked them */
  async unblock(meId: string, otherId: string): Promise<void> {
    const notBlocked = (): AppError =>
      new AppError('USER_NOT_FOUND', { message: 'You have not blocked this person.' });
    if (!isId(otherId) || otherId === meId) throw notBlocked();
    const pair = pairOf(meId, otherId);
    await this.prisma.inTransaction(async (tx) => {
      await this.repository.lockPair(tx, pair, 'exclusive');
      if (!(await this.repository.findBlock(tx, meId, otherId))) throw notBlocked();
      await this.hooks.run(tx, pair);
      await this.repository.removeBlock(tx, meId, otherId);
    });
    this.events.publish(new UserUnblocked(meId, otherId));
  }

  /** Whom the caller has blocked, newest first. */
  async list(meId: string, query: PageQuery): Promise<PageOf<BlockedUserBody>> {
    const scope = `blocks:${meId}`;
    const after = query.cursor === undefined ? null : decodeTimeCursor(this.cursors, scope, query.cursor);
    const rows = await this.repository.listBlocks(meId, after, query.limit + 1);
    const { items, nextCursor } = cutPage(rows, query.limit, ({ createdAt, blockedId }) =>
      this.cursors.encode(scope, [createdAt.toISOString(), blockedId]),
    );
    return { items: await this.view(meId, items), nextCursor };
  }

  private async view(meId: string, blocks: readonly BlockRow[]): Promise<BlockedUserBody[]> {
    const users = await this.publicUsers.view(
      meId,
      blocks.map((block) => block.blockedId),
    );
    return blocks.flatMap(({ blockedId, createdAt }) => {
      const user = users.get(blockedId);
      return user ? { user, blockedAt: createdAt.toISOString() } : [];
    });
  }
}
