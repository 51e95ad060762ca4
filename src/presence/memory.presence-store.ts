import { PresenceStore } from './presence-store.js';

/** All there is when the server runs alone. */
export class MemoryPresenceStore extends PresenceStore {
  private readonly here = new Set<string>();

  /** Everyone on this instance. */
  get users(): string[] {
    return [...this.here];
  }

  override start(): void {
    return;
  }

  override move(
    arrived: readonly string[],
    departed: readonly string[],
  ): Promise<{ online: string[]; offline: string[] }> {
    const online = arrived.filter((userId) => !this.here.has(userId));
    for (const userId of online) this.here.add(userId);
    const offline = departed.filter((userId) => this.here.delete(userId));
    return Promise.resolve({ online, offline });
  }

  override onlineAmong(userIds: readonly string[]): Promise<Set<string>> {
    return Promise.resolve(new Set(userIds.filter((userId) => this.here.has(userId))));
  }

  override leave(): Promise<string[]> {
    return Promise.resolve(this.users);
  }
}
