import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors.js';
import { RateLimits } from '../infra/http/rate-limits.js';
import { toAppError } from '../infra/http/to-app-error.js';
import { validateInput, type DtoClass } from '../infra/http/validate.js';
import { Log } from '../infra/observability/log.js';
import { Metrics } from '../infra/observability/metrics.js';
import {
  CLIENT_EVENTS,
  TAKES_BARE_ID,
  type ClientEventAnswer,
  type ClientEventName,
  type ClientEventPayload,
} from './client-events.js';
import type { ClientSocket } from './client-socket.js';

type Handler<N extends ClientEventName> = (
  socket: ClientSocket,
  payload: ClientEventPayload<N>,
) => Promise<ClientEventAnswer<N>>;

/** One handler for each client event; the compiler refuses a missing one. */
export type ClientEventHandlers = { [N in ClientEventName]: Handler<N> };

/** Events of one socket that may wait for the rate limiter: what comes faster than it counts is refused at once. */
const MAX_WAITING = 200;
const WAIT_MS = 1_000;

type Acknowledge = (answer: object) => void;

/**
 * Carries an event from the wire to its handler and the answer back: limits, validates, calls, acknowledges.
 * Bad input is acknowledged as an error and never closes the socket. Unless it is limited, an event reaches its
 * handler in the turn it arrived in, so the handler sees a socket's events in sending order.
 */
@Injectable()
export class RealtimeDispatcher {
  private handlers: ClientEventHandlers | undefined;
  private running = 0;
  private draining = false;
  private idle: (() => void)[] = [];

  constructor(
    private readonly limits: RateLimits,
    private readonly metrics: Metrics,
    private readonly log: Log,
  ) {}

  use(handlers: ClientEventHandlers): void {
    this.handlers = handlers;
  }

  receive(socket: ClientSocket, event: string, args: unknown[]): void {
    const last = args.at(-1);
    const acknowledge = typeof last === 'function' ? (last as Acknowledge) : undefined;
    const payload = acknowledge && args.length === 1 ? undefined : args[0];
    this.running++;
    this.handle(socket, event, payload)
      .then(
        (data) => {
          this.metrics.socketEvents.inc({ event, outcome: 'success' });
          acknowledge?.({ status: 'success', data });
        },
        (thrown: unknown) => {
          acknowledge?.(this.refusal(event, thrown));
        },
      )
      .finally(() => {
        this.running--;
        if (this.running === 0) for (const resolve of this.idle.splice(0)) resolve();
      });
  }

  /** Refuses new events from now on, and resolves once those that have begun are answered. */
  async drain(): Promise<void> {
    this.draining = true;
    if (this.running > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private handle(socket: ClientSocket, event: string, payload: unknown): Promise<unknown> {
    if (this.draining) return Promise.reject(new AppError('NOT_READY', { retryAfterMs: 1000 }));
    if (!this.limits.enabled) return this.run(socket, event, payload);

    const waiting = socket.data.waiting ?? 0;
    if (waiting >= MAX_WAITING) {
      this.metrics.rateLimited.inc({ limit: 'socket-events' });
      return Promise.reject(new AppError('RATE_LIMITED', { retryAfterMs: WAIT_MS }));
    }
    socket.data.waiting = waiting + 1;
    const admission = (socket.data.admission ?? Promise.resolve()).then(() => this.admit(socket, event));
    socket.data.admission = admission
      .catch(() => undefined)
      .finally(() => {
        socket.data.waiting = (socket.data.waiting ?? 1) - 1;
      });
    return admission.then(() => {
      // What a socket that has gone would join or follow, nobody would ever take back.
      if (!socket.connected) throw new AppError('NOT_READY', { message: 'The socket has closed.' });
      return this.run(socket, event, payload);
    });
  }

  private async admit(socket: ClientSocket, event: string): Promise<void> {
    if (event === 'send-message') await this.limits.consume('messages', socket.data.principal.userId);
    else await this.limits.consume('socket-events', socket.id);
  }

  /** What an async function does before its first `await` it does at once: the handler is called in this turn. */
  private async run(socket: ClientSocket, event: string, payload: unknown): Promise<unknown> {
    if (!isClientEvent(event) || !this.handlers) throw new AppError('UNKNOWN_EVENT');
    const handler = this.handlers[event] as Handler<typeof event>;
    return handler(socket, parse(event, payload));
  }

  private refusal(event: string, thrown: unknown): object {
    const error = toAppError(thrown);
    this.metrics.socketEvents.inc({ event: isClientEvent(event) ? event : 'unknown', outcome: error.code });
    if (error.status >= 500)
      this.log.error({ err: error.cause ?? error, event, code: error.code }, 'an event failed');
    return {
      status: 'error',
      code: error.code,
      message: error.message,
      ...(error.details && { details: error.details }),
      ...(error.retryAfterMs !== undefined && { retryAfterMs: Math.ceil(error.retryAfterMs) }),
    };
  }
}

function isClientEvent(event: string): event is ClientEventName {
  return Object.hasOwn(CLIENT_EVENTS, event);
}

function parse<N extends ClientEventName>(event: N, payload: unknown): ClientEventPayload<N> {
  const bareId = typeof payload === 'string' && TAKES_BARE_ID.includes(event);
  const input = bareId ? { chatId: payload } : (payload ?? {});
  return validateInput(CLIENT_EVENTS[event].payload as DtoClass<ClientEventPayload<N>>, input);
}
