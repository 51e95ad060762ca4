import pg from 'pg';
import { type Metrics } from '../observability/metrics.js';

/** What a repository needs to run SQL: the pool, or the connection of an open transaction. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;
}

/** SQL with a name is prepared once per connection; names are unique across the code. */
export interface Statement {
  name: string;
  text: string;
}

const DEADLOCK_DETECTED = '40P01';
const SERIALIZATION_FAILURE = '40001';
const MAX_ATTEMPTS = 4;

/**
 * The pool for SQL written by hand: hot paths, locks and functions. Everything else goes through Prisma,
 * which shares the same pool.
 */
export class Database implements Queryable {
  readonly pool: pg.Pool;

  constructor(
    connectionString: string,
    max: number,
    private readonly metrics: Metrics,
    onIdleError: (error: Error) => void,
  ) {
    this.pool = new pg.Pool({
      connectionString,
      max,
      connectionTimeoutMillis: 5_000,
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

  /**
   * Runs `work` in one transaction and commits it; any error rolls back and is thrown on.
   * A deadlock or serialisation failure is tried again from the start, so `work` must have no other effects.
   */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(work);
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !isRetryable(error)) throw error;
        this.metrics.transactionRetries.inc();
      }
    }
  }

  /** Whether a trivial statement succeeds. */
  async isReachable(): Promise<boolean> {
    try {
      await this.pool.query('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }

  private async attempt<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work({
        query: async <Row extends pg.QueryResultRow>(statement: Statement, values: readonly unknown[] = []) =>
          (await client.query<Row>({ ...statement, values: values as unknown[] })).rows,
      });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: unknown) => {
        broken = failure as Error;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

/** PostgreSQL's error code (SQLSTATE), or undefined for another error. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** The constraint a unique violation (23505) broke, or undefined for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError && error.code === '23505' ? error.constraint : undefined;
}

function isRetryable(error: unknown): boolean {
  const code = sqlState(error);
  return code === DEADLOCK_DETECTED || code === SERIALIZATION_FAILURE;
}
