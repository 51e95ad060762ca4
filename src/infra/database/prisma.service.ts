import { PrismaPg } from '@prisma/adapter-pg';
import type { Metrics } from '../observability/metrics.js';
import type { Database } from './database.js';
import { Prisma, PrismaClient } from './generated/client.js';

export type PrismaTransaction = Prisma.TransactionClient;

const MAX_ATTEMPTS = 4;
/** Prisma's codes (https://www.prisma.io/docs/orm/reference/error-reference) and PostgreSQL's for what a retry mends. */
const WRITE_CONFLICT = 'P2034';
const RAW_QUERY_FAILED = 'P2010';
const RETRYABLE_STATES: readonly unknown[] = ['40P01', '40001'];
const UNIQUE_VIOLATION = 'P2002';
const FOREIGN_KEY_VIOLATION = 'P2003';

/** Prisma on the shared pool, for everything that is not a hot path. */
export class PrismaService extends PrismaClient {
  constructor(
    database: Database,
    private readonly metrics: Metrics,
  ) {
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
        if (attempt >= MAX_ATTEMPTS || !isRetryable(error)) throw error;
        this.metrics.transactionRetries.inc();
      }
    }
  }
}

/** Whether a write was refused because a row with the same unique columns exists. */
export function isUniqueViolation(error: unknown): boolean {
  return isPrismaError(error, UNIQUE_VIOLATION);
}

/** Whether a write was refused because a row that it refers to is gone. */
export function isMissingReference(error: unknown): boolean {
  return isPrismaError(error, FOREIGN_KEY_VIOLATION);
}

/** A deadlock in a statement of Prisma's own has a code of its own; in raw SQL the driver's error is inside. */
function isRetryable(error: unknown): boolean {
  if (isPrismaError(error, WRITE_CONFLICT)) return true;
  if (!isPrismaError(error, RAW_QUERY_FAILED)) return false;
  const { driverAdapterError } = (error.meta ?? {}) as {
    driverAdapterError?: { cause?: { originalCode?: unknown } };
  };
  return RETRYABLE_STATES.includes(driverAdapterError?.cause?.originalCode);
}

function isPrismaError(error: unknown, code: string): error is Prisma.PrismaClientKnownRequestError {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === code;
}
