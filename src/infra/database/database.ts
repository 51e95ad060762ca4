import pg from 'pg';
import { type Metrics } from '../observability/metrics.js';

/** SQL with a name is prepared once per connection; names are unique across the code. */
export interface Statement {
  name: string;
  text: string;
}

/** A database that hangs is given up, in milliseconds. */
const QUERY_TIMEOUT_MS = 20_000;
/** A database that takes longer to say that it is there is not, in milliseconds. */
const REACHABLE_WITHIN_MS = 2_000;

/**
 * The pool for SQL written by hand: hot paths and functions. Everything else goes through Prisma,
 * which shares the same pool.
 */
export class Database {
  readonly pool: pg.Pool;

  constructor(connectionString: string, max: number, metrics: Metrics, onIdleError: (error: Error) => void) {
    this.pool = new pg.Pool({
      connectionString,
      max,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      query_timeout: QUERY_TIMEOUT_MS,
      idle_in_transaction_session_timeout: 60_000,
      application_name: 'parley',
    });
    // A connection that dies while idle must not take the process with it; the pool replaces it.
    this.pool.on('error', onIdleError);
    metrics.observePool(this.pool);
  }

  async query<Row extends pg.QueryResultRow>(
    statement: Statement,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    const result = await this.pool.query<Row>({ ...statement, values: values as unknown[] });
    return result.rows;
  }

  /** Whether a trivial statement succeeds, in time. */
  async isReachable(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, REACHABLE_WITHIN_MS, false);
    });
    const answered = this.pool.query('SELECT 1').then(
      () => true,
      () => false,
    );
    const isThere = await Promise.race([answered, tooLate]);
    clearTimeout(timer);
    return isThere;
  }
}

/** PostgreSQL's error code (SQLSTATE), or undefined for another error. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

const DEADLOCK = '40P01';
const MAX_ATTEMPTS = 4;

/**
 * Runs one statement that commits by itself; a deadlock is tried again. Transactions: `PrismaService.inTransaction`.
 *
 * @param work may be run again from its start, so it must have no other effects
 */
export async function retryingDeadlocks<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= MAX_ATTEMPTS || sqlState(error) !== DEADLOCK) throw error;
    }
  }
}
