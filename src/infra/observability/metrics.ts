import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Seconds, from a fast read to a request that times out. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What Prometheus reads at `/metrics`. One registry an application, so that several can live in one process. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  private readonly httpRequests = new Histogram({
    name: 'parley_http_request_duration_seconds',
    help: 'HTTP requests by route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: LATENCY_BUCKETS,
    registers: [this.registry],
  });

  readonly socketEvents = new Counter({
    name: 'parley_socket_events_total',
    help: 'Events received from clients by name and outcome',
    labelNames: ['event', 'outcome'] as const,
    registers: [this.registry],
  });

  readonly sockets = new Gauge({
    name: 'parley_sockets',
    help: 'Signed-in sockets on this instance',
    registers: [this.registry],
  });

  readonly slowSockets = new Counter({
    name: 'parley_slow_sockets_total',
    help: 'Connections cut off because their client did not read',
    registers: [this.registry],
  });

  readonly messages = new Counter({
    name: 'parley_messages_total',
    help: 'Messages committed by this instance',
    registers: [this.registry],
  });

  readonly messageCommit = new Histogram({
    name: 'parley_message_commit_duration_seconds',
    help: 'From the start of a batch of sends to its commit',
    buckets: LATENCY_BUCKETS,
    registers: [this.registry],
  });

  readonly messageBatch = new Histogram({
    name: 'parley_message_batch_size',
    help: 'Sends that shared one statement',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers: [this.registry],
  });

  readonly receipts = new Counter({
    name: 'parley_receipt_marks_total',
    help: 'Receipt marks written by this instance',
    registers: [this.registry],
  });

  readonly transactionRetries = new Counter({
    name: 'parley_transaction_retries_total',
    help: 'Transactions run again after a deadlock or serialisation failure',
    registers: [this.registry],
  });

  readonly rateLimited = new Counter({
    name: 'parley_rate_limited_total',
    help: 'Requests and events refused by a rate limit',
    labelNames: ['limit'] as const,
    registers: [this.registry],
  });

  /** Looking a series up by its labels costs more than counting, so each is looked up once. */
  private readonly requestSeries = new Map<string, Histogram.Internal<'method' | 'route' | 'status'>>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  observeRequest(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route} ${status}`;
    let series = this.requestSeries.get(key);
    if (!series) {
      series = this.httpRequests.labels({ method, route, status: String(status) });
      this.requestSeries.set(key, series);
    }
    series.observe(seconds);
  }

  /** Shows how many connections of the database pool are there, idle, and waited for. */
  observePool(pool: pg.Pool): void {
    new Gauge({
      name: 'parley_database_pool',
      help: 'Connections of the pool by state',
      labelNames: ['state'] as const,
      registers: [this.registry],
      collect() {
        this.set({ state: 'total' }, pool.totalCount);
        this.set({ state: 'idle' }, pool.idleCount);
        this.set({ state: 'waiting' }, pool.waitingCount);
      },
    });
  }
}
