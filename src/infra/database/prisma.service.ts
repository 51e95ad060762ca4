import { PrismaPg } from '@prisma/adapter-pg';
import type { Database } from './database.js';
import { Prisma, PrismaClient } from './generated/client.js';

export type PrismaTransaction = Prisma.TransactionClient;

const MAX_ATTEMPTS = 4;
/** Prisma's code for a write conflict or a deadlock (https://www.prisma.io/docs/orm/reference/error-reference). */
const WRITE_CONFLICT = 'P2034';
const UNIQUE_VIOLATION = 'P2002';

/** Prisma on the shared pool, for everything that is not a hot path. */
export class PrismaService extends PrismaClient {
  constructor(database: Database) {
    super({ adapter: new PrismaPg(database.pool) });
  }

  /**
   * Runs `work` in one transaction; a deadlock is tried again from the start, so `work` must have no other effects.
   * Events are published by the caller, after this has returned.
   */
  async inTransaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.$transaction(work, { maxWait: 10_000, timeout: 20_000 });
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !isPrismaError(error, WRITE_CONFLICT)) throw error;
      }
    }
  }
}

/** Whether a write was refused because a row with the same unique columns exists. */
export function isUniqueViolation(error: unknown): boolean {
  return isPrismaError(error, UNIQUE_VIOLATION);
}

function isPrismaError(error: unknown, code: string): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === code;
}
