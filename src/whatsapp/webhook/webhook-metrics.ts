import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram } from 'prom-client';
import { Metrics } from '../../infra/observability/metrics.js';
import { DeadLettersRepository } from './dead-letters.repository.js';
import { WebhookEventsRepository } from './webhook-events.repository.js';

/** Seconds, from what is done at once to what a dead process left. */
const LAG_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 3600];

/** How the intake of webhooks does. The gauges ask the database: they say the same on every instance. */
@Injectable()
export class WebhookMetrics {
  readonly received: Counter;
  readonly items: Counter<'outcome'>;
  readonly lag: Histogram;

  constructor({ registry }: Metrics, events: WebhookEventsRepository, letters: DeadLettersRepository) {
    const registers = [registry];
    this.received = new Counter({
      name: 'parley_webhook_events_total',
      help: 'Webhook bodies committed by this instance',
      registers,
    });
    this.items = new Counter({
      name: 'parley_webhook_items_total',
      help: 'Messages, statuses and other parts of webhooks by outcome',
      labelNames: ['outcome'] as const,
      registers,
    });
    this.lag = new Histogram({
      name: 'parley_webhook_lag_seconds',
      help: 'From the arrival of a webhook until all of it was applied',
      buckets: LAG_BUCKETS,
      registers,
    });
    gaugeOf('parley_webhook_open_events', 'Webhook bodies not yet applied', () => events.countOpen());
    gaugeOf('parley_webhook_dead_letters', 'Parts of webhooks that could not be applied and wait', () =>
      letters.countOpen(),
    );

    function gaugeOf(name: string, help: string, count: () => Promise<number>): void {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          // Without a database, the other metrics are wanted all the more.
          const value = await count().catch(() => undefined);
          if (value !== undefined) this.set(value);
        },
      });
    }
  }
}
