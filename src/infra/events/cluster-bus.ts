import type { Redis } from 'ioredis';
import type { Log } from '../observability/log.js';

const CHANNEL = 'parley:bus';

/**
 * Tells the other instances something they may miss without harm (Redis delivers at most once): presence, cache
 * entries to forget. What ends a right goes through `PgSignalListener` instead.
 * Without Redis there is one instance, and the message reaches its own handlers alone.
 */
export class ClusterBus {
  private readonly handlers = new Map<string, ((payload: never) => void)[]>();
  private readonly restoreHandlers: (() => void)[] = [];

  constructor(
    readonly publisher: Redis | null,
    readonly subscriber: Redis | null,
    private readonly log: Log,
  ) {
    subscriber?.on('message', (_channel: string, text: string) => {
      try {
        const { topic, payload } = JSON.parse(text) as { topic: string; payload: never };
        this.receive(topic, payload);
      } catch (error) {
        this.log.warn({ err: error }, 'a message of another instance was not understood');
      }
    });
  }

  /** Hears the others from the first moment Redis can be reached, and again after every reconnect. */
  connect(): void {
    if (!this.subscriber) return;
    const { subscriber } = this;
    let heardBefore = false;
    const listen = (): void => {
      subscriber
        .subscribe(CHANNEL)
        .then(() => {
          if (heardBefore) for (const handler of this.restoreHandlers) handler();
          heardBefore = true;
        })
        .catch((error: unknown) => {
          this.log.warn({ err: error }, 'the other instances cannot be heard');
        });
    };
    subscriber.on('ready', listen);
    if (subscriber.status === 'ready') listen();
  }

  on<P>(topic: string, handler: (payload: P) => void): void {
    const handlers = this.handlers.get(topic) ?? [];
    handlers.push(handler);
    this.handlers.set(topic, handlers);
  }

  /** Called when the bus works again after a cut, during which messages were lost. */
  onRestore(handler: () => void): void {
    this.restoreHandlers.push(handler);
  }

  /** Reaches every instance, this one included. A lost message is logged, never thrown. */
  publish(topic: string, payload: object): void {
    if (!this.publisher) {
      this.receive(topic, payload as never);
      return;
    }
    this.publisher.publish(CHANNEL, JSON.stringify({ topic, payload })).catch((error: unknown) => {
      this.log.warn({ err: error, topic }, 'the other instances could not be told');
      this.receive(topic, payload as never);
    });
  }

  private receive(topic: string, payload: never): void {
    for (const handler of this.handlers.get(topic) ?? []) handler(payload);
  }
}
