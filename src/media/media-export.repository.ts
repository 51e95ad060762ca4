import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';

@Injectable()
export class MediaExportRepository {
  constructor(private readonly database: Database) {}

  /** Ids of a person's own uploads behind `after`, in the order of ids. */
  async listOwnIds(ownerId: string, after: string | null, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      {
        name: 'media.list-own-ids',
        text: `
          SELECT id FROM media WHERE owner_id = $1 AND ($2::uuid IS NULL OR id > $2)
          ORDER BY id LIMIT $3`,
      },
      [ownerId, after, limit],
    );
    return rows.map(({ id }) => id);
  }
}
