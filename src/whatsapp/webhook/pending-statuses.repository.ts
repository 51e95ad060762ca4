import { Injectable } from '@nestjs/common';
import { Database } from '../../infra/database/database.js';

/** Statuses of messages that are not known, or not yet. */
@Injectable()
export class PendingStatusesRepository {
  constructor(private readonly database: Database) {}

  async deleteOld(before: Date): Promise<void> {
    await this.database.query(
      {
        name: 'pending-statuses.delete-old',
        text: 'DELETE FROM pending_status WHERE received_at < $1',
      },
      [before],
    );
  }
}
