import { Injectable } from '@nestjs/common';
import { Database } from '../infra/database/database.js';
import type { PrismaTransaction } from '../infra/database/prisma.service.js';
import type { FileRef, StorageName } from '../infra/storage/storage.js';

/** A file with the storage it lies in. */
export interface StoredFile extends FileRef {
  storage: StorageName;
}

interface LooseRow {
  key: string;
  storage: StorageName;
  mime_type: string;
}

/** The files that no medium holds: being stored, or to be removed. */
@Injectable()
export class LooseFilesRepository {
  constructor(private readonly database: Database) {}

  /** Committed when this resolves: from now on the file may be there. */
  async insert(files: readonly StoredFile[], dueAt: Date): Promise<void> {
    await this.database.query(
      {
        name: 'loose-files.insert',
        text: `INSERT INTO loose_file (key, storage, mime_type, due_at)
          SELECT f.key, f.storage, f.mime_type, $4
          FROM unnest($1::text[], $2::text[], $3::text[]) AS f (key, storage, mime_type)`,
      },
      [
        files.map(({ key }) => key),
        files.map(({ storage }) => storage),
        files.map(({ mimeType }) => mimeType),
        dueAt,
      ],
    );
  }

  /** The same in a transaction, for files whose medium it removes. */
  async insertIn(tx: PrismaTransaction, files: readonly StoredFile[], dueAt: Date): Promise<void> {
    await tx.looseFile.createMany({
      data: files.map(({ key, storage, mimeType }) => ({ key, storage, mimeType, dueAt })),
    });
  }

  /** Takes files out because a medium holds them now. Returns how many; the sweep keeps those it has begun with. */
  async takeIn(tx: PrismaTransaction, keys: readonly string[]): Promise<number> {
    const { count } = await tx.looseFile.deleteMany({ where: { key: { in: [...keys] }, removing: false } });
    return count;
  }

  /**
   * Gives files that are due to one sweep alone, which has until `againAt` to remove them: after that, what is still
   * here is given again.
   */
  async claimDue(at: Date, againAt: Date, limit: number): Promise<StoredFile[]> {
    const rows = await this.database.query<LooseRow>(
      {
        name: 'loose-files.claim-due',
        text: `UPDATE loose_file f SET removing = true, due_at = $2
          FROM (SELECT key FROM loose_file WHERE due_at <= $1 ORDER BY due_at, key LIMIT $3 FOR UPDATE SKIP LOCKED) due
          WHERE f.key = due.key
          RETURNING f.key, f.storage, f.mime_type`,
      },
      [at, againAt, limit],
    );
    return rows.map(({ key, storage, mime_type }) => ({ key, storage, mimeType: mime_type }));
  }

  /** Gives those of the files that no medium holds to the caller alone, as `claimDue` does. */
  async claim(keys: readonly string[], againAt: Date): Promise<StoredFile[]> {
    const rows = await this.database.query<LooseRow>(
      {
        name: 'loose-files.claim',
        text: `UPDATE loose_file SET removing = true, due_at = $2 WHERE key = ANY ($1)
          RETURNING key, storage, mime_type`,
      },
      [keys, againAt],
    );
    return rows.map(({ key, storage, mime_type }) => ({ key, storage, mimeType: mime_type }));
  }

  /** For files that are gone. */
  async delete(keys: readonly string[]): Promise<void> {
    await this.database.query(
      { name: 'loose-files.delete', text: 'DELETE FROM loose_file WHERE key = ANY ($1)' },
      [keys],
    );
  }
}
