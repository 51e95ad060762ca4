import { Injectable } from '@nestjs/common';
import { Log } from '../observability/log.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the constructor's arguments are the event's own affair
export type EventClass<E extends object> = abstract new (...args: any[]) => E;
type Listener = (event: object) => void | Promise<void>;

/**
 * Domain events inside this process. An event is a class owned by the module that publishes it, is published after
 * its commit, and is never changed. Listeners run in the order they were added; a failing one is logged and harms
 * neither the publisher nor the others.
 */
@Injectable()
export class EventBus {
  private readonly listeners = new Map<unknown, Listener[]>();

  constructor(private readonly log: Log) {}

  on<E extends object>(eventClass: EventClass<E>, listener: (event: E) => void | Promise<void>): void {
    const listeners = this.listeners.get(eventClass) ?? [];
    listeners.push(listener as Listener);
    this.listeners.set(eventClass, listeners);
  }

  publish(event: object): void {
    for (const listener of this.listeners.get(event.constructor) ?? []) {
      try {
        const result = listener(event);
        if (result) result.catch((error: unknown) => this.report(event, error));
      } catch (error) {
        this.report(event, error);
      }
    }
  }

  private report(event: object, error: unknown): void {
    this.log.error({ err: error, event: event.constructor.name }, 'a listener failed');
  }
}
