import { Injectable } from '@nestjs/common';
import { SignedUrls } from '../infra/storage/signed-urls.js';
import type { PublicUserBody } from './users.dto.js';
import { UsersService } from './users.service.js';

export interface PresenceBody {
  online: boolean;
  lastSeenAt: string | null;
}

/** Who knows who is online: the presence module, which applies settings and blocks and registers itself. */
export interface PresenceSource {
  presenceOf(viewerId: string, userIds: readonly string[]): Promise<Map<string, PresenceBody>>;
}

const UNKNOWN: PresenceBody = { online: false, lastSeenAt: null };

/** The one place where a person is turned into what another may see of them. */
@Injectable()
export class PublicUsers {
  private presence: PresenceSource | undefined;

  constructor(
    private readonly users: UsersService,
    private readonly urls: SignedUrls,
  ) {}

  registerPresence(source: PresenceSource): void {
    this.presence = source;
  }

  /** People as `viewerId` sees them, pictures signed for that reader; ids of nobody are absent. */
  async view(viewerId: string, userIds: readonly string[]): Promise<Map<string, PublicUserBody>> {
    const ids = [...new Set(userIds)];
    const [profiles, presence] = await Promise.all([
      this.users.profilesOf(ids),
      this.presence?.presenceOf(viewerId, ids),
    ]);
    const bodies = new Map<string, PublicUserBody>();
    for (const { id, name, pictureId, bio } of profiles.values()) {
      const { online, lastSeenAt } = presence?.get(id) ?? UNKNOWN;
      const profilePic = pictureId === null ? null : this.urls.sign(pictureId, viewerId);
      bodies.set(id, { id, name, profilePic, bio, online, lastSeenAt });
    }
    return bodies;
  }
}
