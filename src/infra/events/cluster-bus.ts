import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Log } from '../observability/log.js';

const CHANNEL = 'parley:bus';
/** For what each instance has done for itself already. */
const OTHERS_CHANNEL = 'parley:others';
/** Of an instance that could not tell the others something, and can again. */
const LOST_TOPIC = 'lost';

/**
 * Tells the other instances something they may miss without harm (Redis delivers at most once): presence, cache
 * entries to forget. What ends a right goes through `PgSignalListener` instead.
 * Without Redis there is one instance, and the message reaches its own handlers alone.
 */
export class ClusterBus {
  private readonly handlers = new Map<string, ((payload: never) => void)[]>();
  private readonly textHandlers = new Map<string, (text: string) => void>();
  private readonly restoreHandlers: (() => void)[] = [];
  /** Begins every text of this instance, which hears itself too. */
  private readonly instanceId = randomBytes(6).toString('hex');
  private hasLost = false;

  constructor(
    readonly publisher: Redis | null,
    readonly subscriber: Redis | null,
    private readonly log: Log,
  ) {
    publisher?.on('ready', () => {
      this.tellLoss();
    });
    this.onOthers(LOST_TOPIC, () => {
      this.restored();
    });
    subscriber?.on('message', (channel: string, text: string) => {
      if (channel === OTHERS_CHANNEL) this.receiveText(text);
      if (channel !== CHANNEL) return;
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
        .subscribe(CHANNEL, OTHERS_CHANNEL)
        .then(() => {
          if (heardBefore) this.restored();
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

  /** Called when the bus works again after a cut, here or at another instance, during which messages were lost. */
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
      this.lose(error);
      this.receive(topic, payload as never);
    });
  }

  /** Whether there is nobody else to tell. */
  get isAlone(): boolean {
    return this.publisher === null;
  }

  /** Hears what other instances say with `tellOthers`; one handler a topic. */
  onOthers(topic: string, handler: (text: string) => void): void {
    this.textHandlers.set(topic, handler);
  }

  /**
   * Reaches every instance but this one, in the order of the calls. A lost text is never thrown (see `lose`).
   *
   * @param topic without a space
   */
  tellOthers(topic: string, text: string): void {
    if (this.hasLost) this.tellLoss();
    this.publisher?.publish(OTHERS_CHANNEL, `${this.instanceId} ${topic} ${text}`).catch((error: unknown) => {
      this.lose(error);
    });
  }

  /**
   * Something could not be told to the others: logged once an outage. As soon as they can be told again, they hear that
   * they have missed something.
   */
  lose(error: unknown): void {
    if (!this.hasLost) this.log.warn({ err: error }, 'events do not reach the other instances');
    this.hasLost = true;
  }

  private tellLoss(): void {
    if (!this.hasLost || this.publisher?.status !== 'ready') return;
    this.hasLost = false;
    this.tellOthers(LOST_TOPIC, '');
  }

  private restored(): void {
    for (const handler of this.restoreHandlers) handler();
  }

  private receiveText(text: string): void {
    if (text.startsWith(this.instanceId)) return;
    const topicAt = text.indexOf(' ') + 1;
    const bodyAt = text.indexOf(' ', topicAt) + 1;
    try {
      this.textHandlers.get(text.slice(topicAt, bodyAt - 1))?.(text.slice(bodyAt));
    } catch (error) {
      this.log.warn({ err: error }, 'a message of another instance was not understood');
    }
  }

  private receive(topic: string, payload: never): void {
    for (const handler of this.handlers.get(topic) ?? []) handler(payload);
  }
}
