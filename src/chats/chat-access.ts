import { Injectable } from '@nestjs/common';
import { BoundedMap } from '../common/bounded-map.js';
import { PgSignalListener } from '../infra/events/pg-signals.js';
import { ChatsRepository, type AccessRow } from './chats.repository.js';

const MAX_ENTRIES = 50_000;

/**
 * Who may take part in which chat, remembered for what happens many times a minute.
 *
 * An entry dies at once on the signal sent by the transaction that changes it, and nothing is kept while the
 * connection that brings those signals is down. A lookup that was under way when a signal came is not kept. Of a
 * tenant's conversations nothing is kept: their signals name the tenant.
 */
@Injectable()
export class ChatAccess {
  private readonly entries = new BoundedMap<string, AccessRow>(MAX_ENTRIES);
  private changes = 0;

  constructor(
    private readonly repository: ChatsRepository,
    private readonly signals: PgSignalListener,
  ) {
    signals.on('chat-access-changed', ({ chatId, userIds }) => {
      this.changes++;
      for (const userId of userIds) this.entries.delete(keyOf(userId, chatId));
    });
    signals.onDrop(() => {
      this.changes++;
      this.entries.clear();
    });
  }

  /** Null for who is not a present member. */
  async find(userId: string, chatId: string): Promise<AccessRow | null> {
    const key = keyOf(userId, chatId);
    const known = this.entries.get(key);
    if (known) return known;
    const changesBefore = this.changes;
    const access = await this.repository.findAccess(userId, chatId);
    if (access?.tenant_id === null && this.signals.connected && this.changes === changesBefore)
      this.entries.set(key, access);
    return access;
  }
}

function keyOf(userId: string, chatId: string): string {
  return `${chatId}:${userId}`;
}
